import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExitStatus } from "./envoy.ts";
import { guardChild } from "./guard.ts";
import { freePorts } from "./ports.ts";
import { waitFor } from "./wait-for.ts";

const binary = join(import.meta.dirname, "../../../packages/signalbox/bin/signalbox.js");

/** Runs a command of the built `signalbox` and returns what it printed. Throws when it exits with anything but 0. */
export function signalbox(...args: readonly string[]): string {
  return execFileSync(process.execPath, [binary, ...args], { encoding: "utf8" });
}

/** Options of `startDaemon`. */
export interface DaemonOptions {
  /**
   * The configuration without its ports: `xds.plaintext` and `debug` are added. A text is YAML, and names neither. Relative paths start
   * from `dir`.
   */
  readonly config: Readonly<Record<string, unknown>> | string;
  /** The command with its flags. `["run"]` by default. */
  readonly command?: readonly string[];
  /** Environment variables besides the process's own. */
  readonly env?: Readonly<Record<string, string>>;
  /** Files to write beside the configuration before the start, by name. */
  readonly files?: Readonly<Record<string, string>>;
}

/** A running daemon. `stop()` must be called; should the test process die first, the daemon is killed as well. */
export interface Daemon {
  readonly xdsPort: number;
  readonly debugPort: number;
  /** The id of the process that runs, or ran last. */
  pid(): number;
  /** Folder of the configuration, `signalbox.yaml`, and of the files. */
  readonly dir: string;
  /** All it logged so far, over restarts. */
  log(): string;
  /** The JSON answer of the debug port. Throws when it is not 200. */
  debug(path: string): Promise<unknown>;
  /** SIGTERM; resolves with how it ended. Its folder is removed. */
  stop(): Promise<ExitStatus>;
  /** SIGTERM; resolves with how it ended. Its folder stays, for another start. */
  end(): Promise<ExitStatus>;
  /** SIGKILL, as a crash. */
  kill(): Promise<void>;
  /** Starts it again on the same ports and files and waits until it is ready. */
  start(): Promise<void>;
  signal(name: NodeJS.Signals): void;
}

/** Starts the built daemon as a process of its own, on free loopback ports, and waits until `/readyz` says yes. */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { command = ["run"] } = options;
  const [xdsPort = 0, debugPort = 0] = await freePorts(2);
  const dir = await mkdtemp(join(tmpdir(), "signalbox-daemon-"));
  for (const [name, text] of Object.entries(options.files ?? {})) await writeFile(join(dir, name), text);
  await writeFile(join(dir, "signalbox.yaml"), configText(options.config, xdsPort, debugPort));
  let log = "";
  let child: ChildProcess;
  let exited: Promise<ExitStatus>;
  const start = async () => {
    const started = spawn(process.execPath, [binary, ...command, "--config", join(dir, "signalbox.yaml")], {
      env: { ...process.env, ...options.env },
      stdio: ["ignore", "pipe", "pipe"],
    });
    child = started;
    guardChild(started);
    for (const stream of [started.stdout, started.stderr])
      stream.on("data", (chunk: Buffer) => (log += chunk.toString()));
    const ended = new AbortController();
    exited = new Promise((resolve) => {
      started.once("exit", (code, signal) => {
        ended.abort(new Error(`signalbox ended (code ${String(code)}, ${String(signal)}):\n${log}`));
        resolve({ code, signal });
      });
    });
    const ready = async () => (await fetch(`http://127.0.0.1:${debugPort}/readyz`)).ok;
    await waitFor(ready, { what: "signalbox to be ready", deadlineMs: 30_000, signal: ended.signal });
  };
  const stop = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    const status = await exited;
    await rm(dir, { recursive: true, force: true });
    return status;
  };
  try {
    await start();
  } catch (error) {
    await stop("SIGKILL");
    throw error;
  }
  return {
    xdsPort,
    debugPort,
    dir,
    pid: () => child.pid ?? 0,
    log: () => log,
    async debug(path) {
      const response = await fetch(`http://127.0.0.1:${debugPort}${path}`);
      if (!response.ok) throw new Error(`${path} answered ${response.status}: ${await response.text()}`);
      return response.json();
    },
    async end() {
      child.kill("SIGTERM");
      return exited;
    },
    stop: () => stop("SIGTERM"),
    async kill() {
      child.kill("SIGKILL");
      await exited;
    },
    start,
    signal: (name) => {
      child.kill(name);
    },
  };
}

function configText(config: DaemonOptions["config"], xdsPort: number, debugPort: number): string {
  const plaintext = { port: xdsPort };
  const debug = { port: debugPort };
  if (typeof config === "string")
    return `${config}\nxds: ${JSON.stringify({ plaintext })}\ndebug: ${JSON.stringify(debug)}\n`;
  return JSON.stringify({ ...config, xds: { plaintext, ...(config["xds"] as object | undefined) }, debug }, null, 2);
}
