import { existsSync } from "node:fs";
import { relative } from "node:path";
import { watchDocuments } from "@signalbox/files";
import type { Logger } from "@signalbox/registry";
import { ConfigFileError, loadConfig, type LoadedConfig } from "../config/load.ts";
import { createLogger, isPretty } from "../logger.ts";
import { createFromPlan, type Plan, type PlannedSignalbox } from "../signalbox.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { hasSources, planFlags, type SourceFlags } from "./plan-flags.ts";
import { defaultConfigFile, readConfig } from "./read-config.ts";
import { onHangup, untilStopped } from "./signals.ts";
import { programName, troubles, welcome } from "./welcome.ts";

/** The flags of `signalbox run`. */
export interface RunFlags extends SourceFlags {
  readonly config?: string;
  readonly watch: boolean;
}

/** `signalbox run`: the daemon. Resolves with the exit code: 0 after SIGTERM or SIGINT, 1 when it failed. */
export async function runCommand(flags: RunFlags, context: CommandContext): Promise<number> {
  const plan = await planOf(flags, context);
  const logger = createLogger(plan.config.log, context.terminal);
  const loaded = "path" in plan ? plan : undefined;
  for (const warning of loaded?.warnings ?? []) logger.warn("config-doubtful", { warning });
  if (plan.registries.length === 0) logger.warn("config-empty", { hint: "add registries or rules: nothing is served" });
  const signalbox = createFromPlan(plan, { logger, ...(loaded === undefined ? {} : { baseDir: loaded.baseDir }) });
  using stopped = untilStopped();
  const { environment } = context;
  const followed = { loaded, signalbox, logger, watch: flags.watch, environment };
  const reloads = new Reloads(followed, stopped.signal);
  using _hangup = onHangup(() => reloads.ask());
  const beside = Promise.allSettled([
    followConfig(followed, reloads, stopped.signal).catch((error: unknown) => {
      logger.error("config-watch-failed", { error, hint: "SIGHUP still reloads" });
    }),
    // Fails only when running does, which is reported below.
    greet(signalbox, plan, logger, context, stopped.signal),
  ]);
  try {
    await signalbox.run(stopped.signal);
    logger.info("stopped");
    return 0;
  } catch (error) {
    logger.error("failed", { error });
    return exitCodes.failed;
  } finally {
    stopped.stop();
    await beside;
  }
}

async function planOf(flags: RunFlags, context: CommandContext): Promise<Plan | LoadedConfig> {
  const { config = existsSync(defaultConfigFile) ? defaultConfigFile : undefined } = flags;
  if (hasSources(flags)) {
    if (flags.config === undefined) return planFlags(flags, context.environment);
    throw new CommandFailure(
      "give either --config, or any of --kubernetes, --consul, --eureka and --files",
      exitCodes.usage,
    );
  }
  if (config !== undefined && (flags.xdsPort ?? flags.debugPort) !== undefined)
    throw new CommandFailure(
      `--xds-port and --debug-port are for running without a configuration file; ${config} names the ports`,
      exitCodes.usage,
    );
  if (config !== undefined) return readConfig(config, context);
  throw new CommandFailure(
    `nothing to run: there is no ${defaultConfigFile} here, and none of --config, --kubernetes, --consul, --eureka and --files was given

Where there is a registry, name it:

  signalbox run --kubernetes
  signalbox run --consul http://127.0.0.1:8500
  signalbox run --eureka http://127.0.0.1:8761/eureka

Without one, write services.yaml:

  services:
    - name: web
      namespace: default
      ports: [{ name: http, number: 8000 }]
      endpoints: ["127.0.0.1:9001"]

and run  signalbox run --files services.yaml
A configuration file has more to say: signalbox schema prints what it may hold.`,
    exitCodes.usage,
  );
}

async function greet(
  signalbox: PlannedSignalbox,
  plan: Plan,
  logger: Logger,
  context: CommandContext,
  signal: AbortSignal,
): Promise<void> {
  const listening = await signalbox.listening(signal);
  logger.info("listening", {
    ...(listening.xds.plaintext === undefined ? {} : { xds: addressText(listening.xds.plaintext) }),
    ...(listening.xds.tls === undefined ? {} : { xdsTls: addressText(listening.xds.tls) }),
    ...(listening.debug === undefined ? {} : { debug: listening.debug.url }),
  });
  await signalbox.synced(signal);
  const registries = signalbox.registries();
  const fields = {
    services: signalbox.services().length,
    registries: registries.map(({ id, problem, state }) =>
      [id, state, ...(problem === undefined ? [] : [problem])].join(" "),
    ),
  };
  if (troubles(registries).length > 0) logger.warn("synced", fields);
  else logger.info("synced", fields);
  const program = programName(process.argv[1] ?? "", context.environment);
  if (isPretty(plan.config.log, context.terminal)) context.stderr.write(welcome(listening, registries, program));
}

function addressText({ address, port }: { readonly address: string; readonly port: number }): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}

interface Followed {
  readonly loaded: LoadedConfig | undefined;
  readonly signalbox: PlannedSignalbox;
  readonly logger: Logger;
  readonly watch: boolean;
  readonly environment: CommandContext["environment"];
}

/** Reloads, one after another: each reads the file when its turn comes, so the last one wins. */
class Reloads {
  readonly #followed: Followed;
  readonly #signal: AbortSignal;
  #turn: Promise<void> = Promise.resolve();

  constructor(followed: Followed, signal: AbortSignal) {
    this.#followed = followed;
    this.#signal = signal;
  }

  /** Resolves when the reload that was asked for is done. Once the daemon stops, nothing is reloaded. */
  ask(): Promise<void> {
    const { loaded, logger } = this.#followed;
    if (loaded === undefined) logger.warn("config-absent", { hint: "there is no configuration file to read again" });
    else
      this.#turn = this.#turn.then(async () => {
        if (!this.#signal.aborted) await reload(loaded.path, this.#followed);
      });
    return this.#turn;
  }
}

/** Reloads the configuration when its file changes, if wanted, until `signal` aborts. */
async function followConfig({ loaded, logger, watch }: Followed, reloads: Reloads, signal: AbortSignal): Promise<void> {
  if (loaded === undefined || !watch) return;
  await watchDocuments({
    paths: [loaded.path],
    signal,
    logger,
    onChange: async ({ changed, initial }) => {
      const [file] = changed;
      // The first look finds a change only if the file changed since it was loaded.
      if (file !== undefined && !(initial && file.text === loaded.text)) await reloads.ask();
    },
  });
}

async function reload(path: string, { environment, logger, signalbox }: Followed): Promise<void> {
  try {
    const loaded = await loadConfig(relative("", path), environment);
    const { needRestart, ...done } = await signalbox.takeOver(loaded);
    logger.info("config-reloaded", done);
    if (needRestart.length > 0) logger.warn("config-needs-restart", { fields: needRestart });
  } catch (error) {
    const mistakes = error instanceof ConfigFileError ? error.message.split("\n") : [(error as Error).message];
    logger.error("config-rejected", { mistakes, hint: "the running configuration stays" });
  }
}
