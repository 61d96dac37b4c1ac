import { ownPath } from "./cache.ts";
import type { Environment } from "./cache.ts";
import { runCommand } from "./run-command.ts";
import type { ServerControl } from "./server-process.ts";

/** Options that all `start…` functions have. */
export interface StartOptions {
  /**
   * True: only a process of our own will do, because the test kills, freezes or restarts it, or wants it empty. Else a
   * server that the environment names or that a Docker engine runs is taken first. False by default; options that a shared
   * server cannot honour imply true.
   */
  readonly own?: boolean;
  /** The port to listen on; a free one by default. For a process of our own. */
  readonly port?: number;
  /** Milliseconds until the start counts as failed. */
  readonly deadlineMs?: number;
  /** `process.env` by default. */
  readonly env?: Environment;
  readonly signal?: AbortSignal;
}

/** Thrown by what cannot be done to a server that others use too. */
export class SharedServerError extends Error {
  readonly code = "SBX_SERVER_SHARED";
  readonly server: string;

  constructor(server: string, what: string) {
    super(`${server} is not a process of this test, so it cannot ${what} it; start it with { own: true }`);
    this.name = "SharedServerError";
    this.server = server;
  }
}

/** Control of a server that was not started here: `stop` leaves it running, the rest throws a SharedServerError. */
export function sharedControl(server: string): ServerControl {
  const refuse = (what: string) => (): never => {
    throw new SharedServerError(server, what);
  };
  const refuseLater = (what: string) => () => Promise.reject(new SharedServerError(server, what));
  return {
    log: refuse("read the log of"),
    kill: refuseLater("kill"),
    freeze: refuse("freeze"),
    thaw: refuse("thaw"),
    restart: refuseLater("restart"),
    stop: () => Promise.resolve(),
  };
}

/** A service of the repository's docker-compose.yml and the address that it is published on. */
export interface ComposeService {
  readonly service: string;
  readonly url: string;
}

/** The Compose project of the tests; `npm run servers -- down` ends it. */
export const composeProject = "signalbox-tests";

const composeFile = ["compose", "-p", composeProject, "-f", ownPath("../../docker-compose.yml")];
const engines = new Map<string | undefined, Promise<boolean>>();

/**
 * The address of a shared server: the one in the variable, or that of the Compose service, which is started when a Docker
 * engine runs. `undefined` when there is neither, or the options want one of their own.
 */
export async function sharedUrl(
  variable: string,
  compose: ComposeService | undefined,
  options: StartOptions,
): Promise<string | undefined> {
  const { own = false, env = process.env, signal } = options;
  if (own || options.port !== undefined) return undefined;
  const named = env[variable];
  if (named !== undefined && named !== "") return named.replace(/\/+$/, "");
  // SIGNALBOX_SERVERS=own keeps everything away from Docker.
  if (compose === undefined || env["SIGNALBOX_SERVERS"] === "own" || !(await hasEngine(env))) return undefined;
  await runCommand("docker", [...composeFile, "up", "-d", compose.service], { env, timeoutMs: 10 * 60_000, signal });
  return compose.url;
}

/** Ends what `sharedUrl` started with Docker. Does nothing where no engine runs. */
export async function composeDown(env: Environment = process.env): Promise<void> {
  if (await hasEngine(env)) await runCommand("docker", [...composeFile, "down"], { env, timeoutMs: 5 * 60_000 });
}

function hasEngine(env: Environment): Promise<boolean> {
  const path = env["PATH"];
  const known = engines.get(path);
  if (known !== undefined) return known;
  const engine = runCommand("docker", ["info"], { env, timeoutMs: 10_000 }).then(
    () => true,
    () => false,
  );
  engines.set(path, engine);
  return engine;
}
