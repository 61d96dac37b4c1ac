import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import type { AnalyzeFlags } from "./commands/analyze.ts";
import { addApiCommands } from "./commands/api-commands.ts";
import { gather, withBootstrapFlags, wholeNumber, type BootstrapFlags } from "./commands/bootstrap-flags.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./commands/context.ts";
import { examples } from "./commands/examples.ts";
import type { DaemonFlags } from "./commands/plan.ts";
import type { ReplayFlags } from "./commands/replay.ts";
import type { Role } from "./role.ts";
import { version } from "./version.ts";

const anyPort = wholeNumber(0, 65_535);

/** Runs one command line, without the program's name. Resolves with the exit code; writes what went wrong to standard error. */
export async function main(args: readonly string[], context: CommandContext): Promise<number> {
  let exitCode = 0;
  const program = createProgram(context, (code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync(args, { from: "user" });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : exitCodes.usage;
    if (error instanceof CommandFailure) {
      context.stderr.write(`signalbox: ${error.message}\n`);
      return error.exitCode;
    }
    const { code } = error as { code?: unknown };
    if (code === "SBX_USAGE") {
      context.stderr.write(`signalbox: ${(error as Error).message}\n`);
      return exitCodes.usage;
    }
    throw error;
  }
}

/** The command tree. Modules with a price are imported when their command runs. `exit` takes exit codes other than 0. */
export function createProgram(context: CommandContext, exit: (code: number) => void): Command {
  const program = new Command("signalbox")
    .description("One catalog of services out of many registries, served to Envoy and gRPC by xDS.")
    .version(version(), "-v, --version", "print the version")
    .showHelpAfterError("(signalbox --help shows how; every command has its own --help)")
    .configureOutput({
      writeOut: (text) => context.stdout.write(text),
      writeErr: (text) => context.stderr.write(text),
    })
    .exitOverride();
  program.addHelpText(
    "after",
    examples([
      "signalbox run --config signalbox.yaml",
      "signalbox catalog --rules services.yaml",
      "signalbox bootstrap --node edge-1 > envoy.yaml",
    ]),
  );
  addRun(program, context, exit);
  addDiscover(program, context, exit);
  addPublish(program, context, exit);
  addCatalog(program, context);
  addReplay(program, context);
  addRender(program, context);
  addValidate(program, context, exit);
  addAnalyze(program, context, exit);
  addApiCommands(program, context, exit);
  addBootstrap(program, context);
  addAgent(program, context, exit);
  addCrds(program, context);
  program
    .command("schema")
    .description("Print the JSON Schema of the configuration file.")
    .addHelpText(
      "after",
      examples(["signalbox schema > signalbox.schema.json", "signalbox schema | jq '.properties | keys'"]),
    )
    .action(async () => {
      const { configJsonSchema } = await import("./config/json-schema.ts");
      context.stdout.write(`${JSON.stringify(configJsonSchema(), undefined, 2)}\n`);
    });
  program
    .command("version")
    .description("Print the version.")
    .addHelpText("after", examples(["signalbox version", "signalbox --version"]))
    .action(() => {
      context.stdout.write(`${version()}\n`);
    });
  return program;
}

function addRun(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = program
    .command("run")
    .description("Run the daemon: read the registries, serve xDS, metrics and the debug API until SIGTERM.");
  withConfigFlags(withXdsPort(withSourceFlags(command)))
    .addOption(
      new Option("--workers <n>", "serve xDS in so many processes that share the port").argParser(wholeNumber(1, 256)),
    )
    .addHelpText(
      "after",
      examples([
        "signalbox run --config signalbox.yaml --workers 4",
        "signalbox run --kubernetes --consul http://127.0.0.1:8500 --files services.yaml   # no configuration file",
        "kill -HUP <pid>                           # read the configuration again",
      ]),
    )
    .action(daemonAction("all", context, exit));
}

function addDiscover(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = program
    .command("discover")
    .description(
      "Read the registries and publish the catalog over NATS or Redis. Of several, one leads; the others stand by.",
    );
  withConfigFlags(withBusFlags(withSourceFlags(command)))
    .addHelpText(
      "after",
      examples([
        "signalbox discover --config signalbox.yaml",
        "signalbox discover --consul http://127.0.0.1:8500 --nats nats://127.0.0.1:4222    # no configuration file",
        "curl http://127.0.0.1:15014/debug/busz    # does this one lead?",
      ]),
    )
    .action(daemonAction("discover", context, exit));
}

function addPublish(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = program
    .command("publish")
    .description("Serve the catalog that comes over NATS or Redis by xDS. Run as many as clients need.");
  withConfigFlags(withXdsPort(withBusFlags(command)))
    .addHelpText(
      "after",
      examples([
        "signalbox publish --config signalbox.yaml",
        "signalbox publish --nats nats://127.0.0.1:4222                                     # no configuration file",
        "signalbox publish --redis redis://127.0.0.1:6379 --xds-port 15110 --debug-port 15114",
      ]),
    )
    .action(daemonAction("publish", context, exit));
}

function withSourceFlags(command: Command): Command {
  return command
    .addOption(repeated("--files <path>", "without a file: serve these files or folders of services and Istio objects"))
    .addOption(repeated("--consul <url>", "without a file: serve this Consul, with the token in CONSUL_HTTP_TOKEN"))
    .addOption(repeated("--eureka <urls>", "without a file: serve this Eureka: its servers with commas"))
    .addOption(
      repeated("--kubernetes [kubeconfig]", "without a file: serve this cluster; or in-cluster, or kubectl's").preset(
        "kubectl",
      ),
    );
}

function repeated(flags: string, description: string): Option {
  return new Option(flags, `${description}; may be repeated`).argParser(gather).default([], "none");
}

function withBusFlags(command: Command): Command {
  return command
    .option("--nats <servers>", "the bus: NATS servers, with commas")
    .option("--redis <url>", "the bus: a Redis server");
}

function withXdsPort(command: Command): Command {
  return command.addOption(
    new Option("--xds-port <port>", "without a file: port of xDS (default: 15010)").argParser(anyPort),
  );
}

function withConfigFlags(command: Command): Command {
  return command
    .option("-c, --config <file>", "configuration file (default: signalbox.yaml, if there is one)")
    .addOption(new Option("--debug-port <port>", "without a file: port of debug (default: 15014)").argParser(anyPort))
    .option("--watch", "reload when the configuration file changes", true)
    .option("--no-watch", "do not reload when the configuration file changes; SIGHUP still does");
}

function daemonAction(role: Role, context: CommandContext, exit: (code: number) => void) {
  return async (flags: Partial<DaemonFlags> & Pick<DaemonFlags, "watch">): Promise<void> => {
    const { daemonCommand } = await import("./commands/daemon.ts");
    exit(await daemonCommand(role, { consul: [], eureka: [], files: [], kubernetes: [], ...flags }, context));
  };
}

function addReplay(program: Command, context: CommandContext): void {
  program
    .command("replay")
    .description("Plays a journal through a configuration: what would have become of the same history.")
    .requiredOption("--journal <dir>", "the folder of the journal")
    .requiredOption("--config <file>", "the configuration to play it through")
    .option("--base <file>", "another configuration: print what is different from it")
    .option("--until <time>", "play up to this time, as 2026-11-28T17:00:00Z", moment)
    .addOption(new Option("-o, --output <form>", "what to print").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      examples([
        "signalbox replay --journal /var/lib/signalbox/journal --config signalbox.yaml",
        "signalbox replay --journal journal --config new.yaml --base signalbox.yaml",
      ]),
    )
    .action(async (flags: ReplayFlags) => {
      const { replayCommand } = await import("./commands/replay.ts");
      await replayCommand(flags, context);
    });
}

function moment(text: string): number {
  const at = Date.parse(text);
  if (Number.isNaN(at)) throw new InvalidArgumentError("It must be a time such as 2026-11-28T17:00:00Z.");
  return at;
}

function addCatalog(program: Command, context: CommandContext): void {
  program
    .command("catalog")
    .description("Print the services that a configuration or files give, without serving them.")
    .option("-c, --config <file>", "configuration file: reads every registry once")
    .option("--rules <path...>", "files, folders or globs with services and Istio objects")
    .addOption(new Option("-o, --output <form>", "how to print").choices(["json", "table"]).default("table"))
    .addHelpText(
      "after",
      examples([
        "signalbox catalog --config signalbox.yaml",
        "signalbox catalog --rules service-entries.yaml -o json",
        "signalbox catalog --rules a.yaml b/ 'c/*.yaml'",
      ]),
    )
    .action(async (flags: { config?: string; rules?: readonly string[]; output: "json" | "table" }) => {
      const { catalogCommand } = await import("./commands/catalog.ts");
      await catalogCommand(flags, context);
    });
}

function addRender(program: Command, context: CommandContext): void {
  program
    .command("render")
    .description("Print what one proxy would get by xDS, offline.")
    .addOption(repeated("--rules <path>", "file or folder with services and Istio objects"))
    .option("--kubernetes <file>", "file with Kubernetes objects: Services, EndpointSlices, Pods and Nodes")
    .option("--mesh <file>", "file with MeshConfig fields")
    .requiredOption(
      "--proxy <file>",
      "file that describes the proxy: type (sidecar, router, plain or grpc), id, ip, namespace, labels, dnsDomain, metadata",
    )
    .addOption(new Option("-o, --output <form>", "how to print").choices(["json", "yaml"]).default("yaml"))
    .addHelpText(
      "after",
      examples([
        "signalbox render --rules services.yaml --proxy proxy.json",
        "signalbox render --rules services.yaml --mesh mesh.yaml --proxy proxy.json -o json | jq '.clusters[].name'",
      ]),
    )
    .action(async (flags: RenderFlagsShape) => {
      const { renderCommand } = await import("./commands/render.ts");
      await renderCommand(flags, context);
    });
}

function addCrds(program: Command, context: CommandContext): void {
  program
    .command("crds")
    .description("Print the CustomResourceDefinitions of Istio's kinds, for a cluster without Istio.")
    .addOption(new Option("-o, --output <form>", "how to print").choices(["json", "yaml"]).default("yaml"))
    .addHelpText("after", examples(["signalbox crds | kubectl apply --server-side -f -", "signalbox crds -o json"]))
    .action(async (flags: { output: "json" | "yaml" }) => {
      const { crdsCommand } = await import("./commands/crds.ts");
      crdsCommand(flags, context);
    });
}

interface RenderFlagsShape {
  readonly rules: readonly string[];
  readonly kubernetes?: string;
  readonly mesh?: string;
  readonly proxy: string;
  readonly output: "json" | "yaml";
}

function addValidate(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command("validate")
    .description("Check Istio objects as Istio's admission does, each for itself. Exit code 1 where one is invalid.")
    .argument("<path...>", "files, folders (all .yaml, .yml and .json below), or - for standard input")
    .addOption(new Option("-o, --output <form>", "how to print").choices(["text", "json"]).default("text"))
    .addHelpText(
      "after",
      examples([
        "signalbox validate virtual-service.yaml destination-rules/",
        "kubectl get virtualservices -A -o yaml | signalbox validate -",
        "signalbox validate -o json rules/ | jq '.results[] | select(.valid | not)'",
      ]),
    )
    .action(async (paths: readonly string[], flags: { output: "json" | "text" }) => {
      const { validateCommand } = await import("./commands/validate.ts");
      exit(await validateCommand(paths, flags, context));
    });
}

function addAnalyze(program: Command, context: CommandContext, exit: (code: number) => void): void {
  program
    .command("analyze")
    .description("Say what Istio objects say together and cannot mean. Exit code 1 where there is an error.")
    .argument("[path...]", "files, folders (all .yaml, .yml and .json below) of one cluster, or - for standard input")
    .option("-c, --config <file>", "configuration file: reads its registries and rules once, too")
    .addOption(new Option("-o, --output <form>", "how to print").choices(["text", "json"]).default("text"))
    .addOption(
      new Option("--fail-on <level>", "the least level that makes the exit code 1")
        .choices(["error", "warning", "info"])
        .default("error"),
    )
    .addHelpText(
      "after",
      examples([
        "signalbox analyze services.yaml rules/",
        "signalbox analyze --config signalbox.yaml rules/   # the services that the registries have now",
        "kubectl get services,pods,virtualservices,destinationrules -A -o yaml | signalbox analyze -",
      ]),
    )
    .action(async (paths: readonly string[], flags: AnalyzeFlags) => {
      const { analyzeCommand } = await import("./commands/analyze.ts");
      exit(await analyzeCommand(paths, flags, context));
    });
}

function addBootstrap(program: Command, context: CommandContext): void {
  const command = program.command("bootstrap").description("Print a bootstrap for Envoy, or for a gRPC client.");
  withBootstrapFlags(command)
    .option("--grpc", "for a proxyless gRPC client: the JSON that GRPC_XDS_BOOTSTRAP names")
    .addOption(
      new Option("-o, --output <form>", "how to print (default: yaml, with --grpc json)").choices(["yaml", "json"]),
    )
    .addHelpText(
      "after",
      examples([
        "signalbox bootstrap --node edge-1 > envoy.yaml && envoy -c envoy.yaml",
        "signalbox bootstrap --node sidecar~127.0.0.1~web-1.shop~shop.svc.cluster.local --metadata INTERCEPTION_MODE=NONE",
        "signalbox bootstrap --node client-1 --grpc > grpc.json",
      ]),
    )
    .action(async (flags: BootstrapFlags) => {
      const { bootstrapCommand } = await import("./commands/bootstrap.ts");
      bootstrapCommand(flags, context);
    });
}

function addAgent(program: Command, context: CommandContext, exit: (code: number) => void): void {
  const command = program
    .command("agent")
    .description("Start Envoy with a bootstrap, start it again when it crashes, drain it on SIGTERM.")
    .argument("[envoy-flags...]", "after --: more flags for Envoy");
  withBootstrapFlags(command)
    .option("--envoy <program>", "Envoy's program", "envoy")
    .addOption(
      new Option("--drain-seconds <n>", "time for open connections after SIGTERM")
        .default(5)
        .argParser(wholeNumber(0, 86_400)),
    )
    .addOption(
      new Option("--max-restarts <n>", "crashes in a row before giving up (default: never)").argParser(
        wholeNumber(0, 1_000_000),
      ),
    )
    .addHelpText(
      "after",
      examples([
        "signalbox agent --node edge-1",
        "signalbox agent --node sidecar~127.0.0.1~web-1.shop~shop.svc.cluster.local --metadata INTERCEPTION_MODE=NONE",
        "signalbox agent --node edge-1 --envoy /opt/envoy/bin/envoy --drain-seconds 30 -- --log-level warn",
      ]),
    )
    .action(
      async (
        envoyFlags: readonly string[],
        flags: BootstrapFlags & { envoy: string; drainSeconds: number; maxRestarts?: number },
      ) => {
        const { agentCommand } = await import("./commands/agent.ts");
        exit(await agentCommand(flags, envoyFlags, context));
      },
    );
}
