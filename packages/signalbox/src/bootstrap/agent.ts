import { spawn, type ChildProcess } from "node:child_process";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Clock, Logger } from "@signalbox/registry";
import { drainEnvoy } from "./drain.ts";

/** What the agent supervises. */
export interface AgentOptions {
  /** The bootstrap, as `envoyBootstrap` makes it. */
  readonly bootstrap: object;
  /** Path or name of the Envoy program. */
  readonly envoy: string;
  /** More arguments for Envoy. */
  readonly envoyArgs: readonly string[];
  /** Milliseconds that open connections get to end after a stop was asked for. */
  readonly drainMs: number;
  /** Gives up after so many crashes in a row and ends with Envoy's own exit code; `undefined` never does. */
  readonly maxRestarts?: number;
  readonly logger: Logger;
  readonly clock: Clock;
}

const backoff = { firstMs: 200, maxMs: 30_000, healthyMs: 10_000 };
const killAfterMs = 5_000;

/** Thrown when Envoy cannot be started at all. */
export class EnvoyStartError extends Error {
  readonly code = "SBX_ENVOY_START";
  readonly program: string;

  constructor(program: string, cause: Error) {
    const missing = (cause as NodeJS.ErrnoException).code === "ENOENT";
    super(
      missing
        ? `${program} was not found; name Envoy's program with --envoy`
        : `${program} does not start: ${cause.message}`,
      {
        cause,
      },
    );
    this.name = "EnvoyStartError";
    this.program = program;
  }
}

/** How one Envoy ended. */
type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null };

/**
 * Writes the bootstrap, starts Envoy with it and keeps it running: after a crash it starts again, with backoff that doubles from
 * 0.2 s to 30 s and begins anew once Envoy ran for 10 s. When `signal` aborts, Envoy drains, then ends. Envoy's output goes where the
 * agent's goes. Resolves with the exit code to end with: 0 after a drain or when Envoy ended well by itself, Envoy's own code
 * (128 + number for a signal) when `maxRestarts` is used up. Throws an EnvoyStartError.
 */
export async function runAgent(options: AgentOptions, signal: AbortSignal): Promise<number> {
  const { clock, logger } = options;
  const dir = await mkdtemp(join(tmpdir(), "signalbox-agent-"));
  try {
    const bootstrapFile = join(dir, "bootstrap.json");
    await writeFile(bootstrapFile, JSON.stringify(options.bootstrap, undefined, 2), { mode: 0o600 });
    await chmod(dir, 0o700);
    for (let crashes = 0; ;) {
      const startedAt = clock.now();
      const exit = await runOnce(options, dir, bootstrapFile, signal);
      if (isAborted(signal)) return 0;
      if (exit.code === 0) {
        logger.info("envoy-ended");
        return 0;
      }
      crashes = clock.now() - startedAt >= backoff.healthyMs ? 1 : crashes + 1;
      const ended = exit.signal === null ? { code: exit.code } : { signal: exit.signal };
      if (options.maxRestarts !== undefined && crashes > options.maxRestarts) {
        logger.error("envoy-given-up", { ...ended, crashes });
        return exitCode(exit);
      }
      const waitMs = Math.min(backoff.maxMs, backoff.firstMs * 2 ** Math.min(crashes - 1, 20));
      logger.warn("envoy-crashed", { ...ended, crashes, restartInMs: waitMs });
      try {
        await clock.sleep(waitMs, signal);
      } catch (error) {
        if (isAborted(signal)) return 0;
        throw error;
      }
    }
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
}

async function runOnce(options: AgentOptions, dir: string, bootstrapFile: string, signal: AbortSignal): Promise<Exit> {
  const { clock, drainMs, logger } = options;
  const adminFile = join(dir, "admin-address");
  await rm(adminFile, { force: true });
  const drainSeconds = Math.max(1, Math.ceil(drainMs / 1000));
  const child = spawn(
    options.envoy,
    [
      ...["--config-path", bootstrapFile, "--admin-address-path", adminFile],
      ...["--drain-time-s", String(drainSeconds), "--parent-shutdown-time-s", String(drainSeconds + 1)],
      ...hotRestartFlags(options.envoyArgs),
      ...["--drain-strategy", "immediate"],
      ...options.envoyArgs,
    ],
    // A group of its own: Ctrl-C in a terminal must reach the agent only, or Envoy would end before it drained.
    { stdio: ["ignore", "inherit", "inherit"], detached: true },
  );
  const exited = exitOf(child, options.envoy);
  const ended = new AbortController();
  const watched = exited.finally(() => ended.abort());
  child.once("spawn", () => logger.info("envoy-started", { pid: child.pid }));
  const stop = async (): Promise<void> => {
    const admin = await adminAddress(adminFile);
    logger.info("envoy-draining", { drainMs });
    if (admin === undefined) logger.warn("envoy-admin-unknown");
    else await drainEnvoy({ admin, drainMs, clock, logger }, ended.signal);
    await terminate(child, clock, ended.signal);
  };
  let stopping: Promise<void> | undefined;
  const onAbort = (): void => {
    stopping = stop();
  };
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await watched;
  } finally {
    signal.removeEventListener("abort", onAbort);
    await stopping;
  }
}

/**
 * Two Envoys on one machine must not share the memory of Envoy's hot restart, which the agent never uses: the second one would not start.
 * Who asks for hot restart by flags of their own gets it.
 */
function hotRestartFlags(own: readonly string[]): readonly string[] {
  const asked = /^--(disable-hot-restart|base-id|use-dynamic-base-id|base-id-path|restart-epoch)(=|$)/;
  return own.some((flag) => asked.test(flag)) ? [] : ["--disable-hot-restart"];
}

function exitOf(child: ChildProcess, program: string): Promise<Exit> {
  return new Promise((resolve, reject) => {
    child.once("error", (error) => reject(new EnvoyStartError(program, error)));
    child.once("exit", (code, signal) => resolve({ code, signal }));
  });
}

/** Asks the process to end, and ends it after five seconds. */
async function terminate(child: ChildProcess, clock: Clock, ended: AbortSignal): Promise<void> {
  if (ended.aborted) return;
  child.kill("SIGTERM");
  try {
    await clock.sleep(killAfterMs, ended);
    child.kill("SIGKILL");
  } catch (error) {
    if (!isAborted(ended)) throw error;
  }
}

/** The flag changes while others are waited for, which the compiler cannot see. */
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

async function adminAddress(file: string): Promise<string | undefined> {
  try {
    const text = (await readFile(file, "utf8")).trim();
    return text === "" ? undefined : text;
  } catch {
    return undefined;
  }
}

const signalNumbers: Readonly<Record<string, number>> = {
  SIGHUP: 1,
  SIGINT: 2,
  SIGQUIT: 3,
  SIGILL: 4,
  SIGABRT: 6,
  SIGKILL: 9,
  SIGSEGV: 11,
  SIGTERM: 15,
};

function exitCode({ code, signal }: Exit): number {
  return code ?? 128 + (signalNumbers[signal ?? ""] ?? 0);
}
