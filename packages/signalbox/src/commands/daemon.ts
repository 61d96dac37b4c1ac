import { relative } from "node:path";
import { watchDocuments } from "@signalbox/files";
import { ConfigError, type Logger } from "@signalbox/registry";
import type { Role } from "../role.ts";
import { openBus } from "../config/bus.ts";
import { ConfigFileError, loadConfig, type LoadedConfig } from "../config/load.ts";
import { createLogger, isPretty } from "../logger.ts";
import { createFromPlan, createPublisher, type Daemon, type Plan, type PlanOptions } from "../signalbox.ts";
import { CommandFailure, exitCodes, type CommandContext } from "./context.ts";
import { planOf, withoutBus, type DaemonFlags } from "./plan.ts";
import { onHangup, untilStopped } from "./signals.ts";
import { programName, troubles, welcome } from "./welcome.ts";

/** The daemon in one of its roles. Resolves with the exit code: 0 after SIGTERM or SIGINT, 1 when it failed. */
export async function daemonCommand(role: Role, flags: DaemonFlags, context: CommandContext): Promise<number> {
  const plan = await planOf(role, flags, context);
  const logger = createLogger(plan.config.log, context.terminal);
  const loaded = "path" in plan ? plan : undefined;
  for (const warning of loaded?.warnings ?? []) logger.warn("config-doubtful", { warning });
  if (role !== "publish" && plan.registries.length === 0)
    logger.warn("config-empty", { hint: "add registries or rules: nothing is served" });
  const { workers: count } = flags;
  const workers = count === undefined ? undefined : { count, terminal: context.terminal };
  const signalbox = await createDaemon(role, plan, {
    logger,
    baseDir: loaded?.baseDir ?? ".",
    ...(workers && { workers }),
  });
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

type DaemonOptions = Pick<PlanOptions, "workers"> & { readonly logger: Logger; readonly baseDir: string };

async function createDaemon(role: Role, plan: Plan, options: DaemonOptions): Promise<Daemon> {
  const { bus: settings } = plan.config;
  const { logger } = options;
  if (role === "all") {
    if (settings.type !== "in-process")
      logger.warn("bus-not-used", { hint: "run keeps everything in one process; discover and publish use the bus" });
    return createFromPlan(plan, options);
  }
  const bus = await openBus(settings, options).catch((error: unknown) => {
    if (error instanceof ConfigError) throw new CommandFailure(error.message, exitCodes.usage, { cause: error });
    throw error;
  });
  if (bus === undefined) throw new CommandFailure(withoutBus(role), exitCodes.usage);
  return role === "publish"
    ? createPublisher(plan, { ...options, bus })
    : createFromPlan(plan, { ...options, bus, role });
}

async function greet(
  signalbox: Daemon,
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
    ...(listening.admission === undefined ? {} : { admission: hostPort(listening.admission) }),
  });
  await signalbox.synced(signal);
  const registries = signalbox.registries();
  const fields = {
    services: signalbox.catalog().entries.size,
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
  return hostPort({ host: address, port });
}

function hostPort({ host, port }: { readonly host: string; readonly port: number }): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

interface Followed {
  readonly loaded: LoadedConfig | undefined;
  readonly signalbox: Daemon;
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
