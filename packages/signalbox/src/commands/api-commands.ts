import { Option, type Command } from "commander";
import { wholeNumber } from "./bootstrap-flags.ts";
import type { CommandContext } from "./context.ts";
import type { DriftFlags } from "./drift.ts";
import { examples } from "./examples.ts";
import type { ExplainFlags } from "./explain.ts";
import type { MigrationFlags } from "./migration.ts";
import type { OverrideFlags } from "./override.ts";
import type { RampFlags } from "./ramp.ts";

const serviceHelp = "key namespace/hostname, hostname, or the first labels of it where only one service has them";

/** Adds the commands that ask a running daemon. */
export function addApiCommands(program: Command, context: CommandContext, exit: (code: number) => void): void {
  addExplain(program, context);
  addDrift(program, context);
  addMigration(program, context, exit);
  addOverride(program, context);
  addRamp(program, context);
}

function withDaemonFlags(command: Command): Command {
  return command
    .option("--url <url>", "debug port of the daemon (default: SIGNALBOX_URL, or http://127.0.0.1:15014)")
    .option("--token-file <file>", "file with the token that writes need")
    .option("--json", "print the daemon's answer as JSON");
}

function addExplain(program: Command, context: CommandContext): void {
  const command = program
    .command("explain")
    .description("Ask a running daemon what became of every endpoint of a service, and why.")
    .argument("<service>", serviceHelp)
    .argument(
      "[address]",
      "only this endpoint, also where it is not there: 10.1.2.3:8080; without a port all of the host",
    );
  withDaemonFlags(command)
    .addHelpText(
      "after",
      examples([
        "signalbox explain orders.shop",
        "signalbox explain orders.shop 10.1.2.3:8080",
        "signalbox explain shop/orders.shop.svc.cluster.local --json | jq '.candidates[].outcome'",
      ]),
    )
    .action(async (service: string, address: string | undefined, flags: ExplainFlags) => {
      const { explainCommand } = await import("./explain.ts");
      await explainCommand(service, address, flags, context);
    });
}

function addDrift(program: Command, context: CommandContext): void {
  const command = program
    .command("drift")
    .description("Ask a running daemon what registries and workloads say differently.")
    .argument("[service]", serviceHelp)
    .option("--registry <id>", "only registries with this id, or that fit this pattern")
    .option("--verdict <code>", "only this verdict, for example GHOST");
  withDaemonFlags(command)
    .addHelpText(
      "after",
      examples([
        "signalbox drift",
        "signalbox drift orders.shop",
        "signalbox drift --registry 'eureka/*' --verdict GHOST --json",
      ]),
    )
    .action(async (service: string | undefined, flags: DriftFlags) => {
      const { driftCommand } = await import("./drift.ts");
      await driftCommand(service, flags, context);
    });
}

function addMigration(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = program
    .command("migration")
    .description(
      "Ask a running daemon whether a service may move from one registry to another. Exit code 0: ready, 1: not ready, 2: not known.",
    )
    .argument("<service>", serviceHelp)
    .option("--from <registry>", "id or pattern of the registries to leave (default: as configured)")
    .option("--to <registry>", "id or pattern of the registries to go to (default: as configured)");
  withDaemonFlags(command)
    .addHelpText(
      "after",
      examples([
        "signalbox migration orders.shop",
        "signalbox migration orders.shop --from 'eureka/*' --to 'kubernetes/*' && echo go",
        "signalbox migration orders.shop --json | jq '.blockers'",
      ]),
    )
    .action(async (service: string, flags: MigrationFlags) => {
      const { migrationCommand } = await import("./migration.ts");
      exit(await migrationCommand(service, flags, context));
    });
}

function addOverride(program: Command, context: CommandContext): void {
  const command = program
    .command("override")
    .description("Tell a running daemon to hold or drain one endpoint, or to give it a weight, for a time.")
    .argument("<service>", serviceHelp)
    .argument("<address>", "of the endpoint; without a port, where the host has only one")
    .addOption(
      new Option("--hold", "keep it healthy, whatever its registry says of its health").conflicts(["drain", "weight"]),
    )
    .addOption(new Option("--drain", "send it no new traffic").conflicts(["hold", "weight"]))
    .addOption(
      new Option("--weight <n>", "give it this weight")
        .argParser(wholeNumber(0, 4_294_967_295))
        .conflicts(["hold", "drain"]),
    )
    .option("--for <time>", "how long: 30s, 10m, at most 24h (required)")
    .option("--reason <text>", "why, for the journal (required)")
    .option("--author <name>", "who does it, for the journal (default: USER or LOGNAME)");
  withDaemonFlags(command)
    .addHelpText(
      "after",
      examples([
        "signalbox override orders.shop 10.1.2.3:8080 --drain --for 10m --reason 'leaks memory' --token-file token",
        "signalbox override list",
        "signalbox override remove 5f0c1f7e-8a53-4c1c-9d4b-0f7e8b1a2c3d --token-file token",
      ]),
    )
    .action(async (service: string, address: string, flags: OverrideFlags) => {
      const { overrideCommand } = await import("./override.ts");
      await overrideCommand(service, address, flags, context);
    });
  const list = command.command("list").description("List the overrides that are in force.");
  // Flags that stand behind the name of a command below are its own.
  withDaemonFlags(list).action(async (_flags: unknown, called: Command) => {
    const { overrideListCommand } = await import("./override.ts");
    await overrideListCommand(called.optsWithGlobals(), context);
  });
  const remove = command
    .command("remove")
    .description("End an override before its time.")
    .argument("<id>", "as signalbox override list shows it")
    .option("--reason <text>", "why, for the log")
    .option("--author <name>", "who does it, for the journal (default: USER or LOGNAME)");
  withDaemonFlags(remove).action(async (id: string, _flags: unknown, called: Command) => {
    const { overrideRemoveCommand } = await import("./override.ts");
    await overrideRemoveCommand(id, called.optsWithGlobals(), context);
  });
}

function addRamp(program: Command, context: CommandContext): void {
  const ramp = program
    .command("ramp")
    .description("Tell a running daemon to take back the last step of a ramp, or to let it go on.");
  ramp.addHelpText(
    "after",
    examples([
      "signalbox ramp rollback orders.shop --reason 'errors after the last step' --token-file token",
      "signalbox ramp resume orders.shop --token-file token",
    ]),
  );
  const add = (action: "rollback" | "resume", description: string): void => {
    const command = ramp
      .command(action)
      .description(description)
      .argument("<service>", serviceHelp)
      .option("--reason <text>", "why, for the log")
      .option("--author <name>", "who does it, for the journal (default: USER or LOGNAME)");
    withDaemonFlags(command)
      .addHelpText("after", examples([`signalbox ramp ${action} orders.shop --token-file token`]))
      .action(async (service: string, flags: RampFlags) => {
        const { rampCommand } = await import("./ramp.ts");
        await rampCommand(action, service, flags, context);
      });
  };
  add("rollback", "Go back at once to the shares before the last step, and stay there.");
  add("resume", "Let a ramp go on that was rolled back; its next step has its whole time.");
}
