import { mkdir, rm } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { freePort } from "./ports.ts";
import { provideRedis } from "./provide-redis.ts";
import { controlOf, serverFolder, ServerProcess } from "./server-process.ts";
import type { ServerControl } from "./server-process.ts";
import { sharedControl, sharedUrl } from "./shared-server.ts";
import type { StartOptions } from "./shared-server.ts";

/** Options of `startRedis`. */
export interface RedisOptions extends StartOptions {
  /** Further command line arguments, such as `["--maxmemory", "50mb"]`. */
  readonly args?: readonly string[];
}

/** A running Redis that appends every write to a file. `stop()` must be called. */
export interface RunningRedis extends ServerControl {
  /** `redis://host:port`. */
  readonly url: string;
  /** Sends one command (no spaces within a word) over a connection of its own and returns the answer as RESP text. */
  command(...words: readonly string[]): Promise<string>;
  /** Ends it at once, removes all that it stored and starts it again on the same port: a disk that was lost. */
  restartEmpty(): Promise<void>;
}

/**
 * Starts a real Redis: the one at `SIGNALBOX_REDIS_URL`, with Docker Compose, or as a process on loopback. Ready when it
 * answers PING. Rejects with a ServerUnavailableError or a ServerFailedError.
 */
export async function startRedis(options: RedisOptions = {}): Promise<RunningRedis> {
  const { args = [], env = process.env, deadlineMs = 60_000, signal } = options;
  const compose = { service: "redis", url: "redis://127.0.0.1:6379" };
  const wanted = args.length === 0 ? options : { ...options, own: true };
  const shared = await sharedUrl("SIGNALBOX_REDIS_URL", compose, wanted);
  if (shared !== undefined) {
    const control = sharedControl("redis");
    return runningRedis(shared, control, () => control.restart());
  }
  const program = await provideRedis({ env, signal });
  const port = options.port ?? (await freePort());
  const dir = await serverFolder("redis");
  const store = join(dir, "data");
  await mkdir(store);
  const durable = ["--appendonly", "yes", "--appendfsync", "always", "--save", ""];
  const url = `redis://127.0.0.1:${port}`;
  const control = await ServerProcess.start({
    name: "redis",
    program,
    args: ["--bind", "127.0.0.1", "--port", String(port), "--dir", store, ...durable, ...args],
    dir,
    ready: async (asking) => (await ask(url, ["PING"], asking)).startsWith("+PONG"),
    deadlineMs,
    signal,
  });
  return runningRedis(url, control, async () => {
    await control.kill();
    await rm(store, { recursive: true, force: true, maxRetries: 3 });
    await mkdir(store);
    await control.restart();
  });
}

function runningRedis(url: string, control: ServerControl, restartEmpty: () => Promise<void>): RunningRedis {
  return {
    url,
    restartEmpty,
    command: (...words) => ask(url, words, AbortSignal.timeout(10_000)),
    ...controlOf(control),
  };
}

function ask(url: string, words: readonly string[], signal: AbortSignal): Promise<string> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), signal });
    let text = "";
    socket.setEncoding("utf8");
    socket.on("error", reject);
    socket.on("data", (chunk: string) => (text += chunk));
    // Redis answers what came before QUIT, then closes.
    socket.on("close", () => resolve(text.replace(/\+OK\r\n$/, "").trimEnd()));
    socket.write(`${words.join(" ")}\r\nQUIT\r\n`);
  });
}
