import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { socketAddress } from "./bootstrap.ts";
import { EnvoyAdmin } from "./envoy-admin.ts";
import { freezeProcess } from "./freeze-process.ts";
import { guardChild } from "./guard.ts";
import { provideEnvoy } from "./provide-envoy.ts";
import { waitFor } from "./wait-for.ts";

/** Options of `startEnvoy`. */
export interface EnvoyOptions {
  /** JSON data, or YAML text. An admin address on a free loopback port is added where there is none. */
  readonly bootstrap: object | string;
  /** The binary; `provideEnvoy()` by default. */
  readonly binary?: string;
  /** Further arguments, such as `["--component-log-level", "upstream:debug"]`. */
  readonly args?: readonly string[];
  readonly logLevel?: "trace" | "debug" | "info" | "warning" | "error";
  /** `live`: the admin's `/ready` says LIVE, so the first configuration has arrived. `admin`: the process answers. `live` by default. */
  readonly until?: "live" | "admin";
  /** Milliseconds until the start counts as failed. 20 s by default. */
  readonly deadlineMs?: number;
  readonly signal?: AbortSignal;
}

/** How a process ended. */
export interface ExitStatus {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** Thrown when Envoy ended without being asked to, or did not become ready. Holds the end of its log; `dir` is kept. */
export class EnvoyFailedError extends Error {
  readonly code = "SBX_ENVOY_FAILED";
  readonly dir: string;
  readonly log: string;

  constructor(what: string, dir: string, log: string, options?: ErrorOptions) {
    super(`Envoy ${what}; its files are in ${dir}; the end of its log:\n${log.slice(-3000)}`, options);
    this.name = "EnvoyFailedError";
    this.dir = dir;
    this.log = log;
  }
}

/** A running Envoy. `stop()` or `kill()` must be called; should the test process die first, the Envoy is killed as well. */
export class RunningEnvoy extends EnvoyAdmin {
  readonly pid: number;
  /** Folder with the bootstrap and `envoy.log`. */
  readonly dir: string;
  /** Resolves when the process has ended, for whatever reason. */
  readonly exited: Promise<ExitStatus>;
  readonly #child: ChildProcess;
  readonly #state: { ended: boolean; asked: boolean };

  constructor(child: ChildProcess, exited: Promise<ExitStatus>, dir: string, adminAddress: string) {
    super(adminAddress);
    this.pid = child.pid ?? 0;
    this.dir = dir;
    this.#child = child;
    const state = { ended: child.exitCode !== null || child.signalCode !== null, asked: false };
    this.#state = state;
    this.exited = exited.then((status) => {
      state.ended = true;
      return status;
    });
  }

  /** All it logged so far. */
  log(): string {
    return readFileSync(join(this.dir, "envoy.log"), "utf8");
  }

  /**
   * Asks it to end, after 10 s by force, and removes its folder. May be called again, and after `kill()`. Rejects with an
   * EnvoyFailedError, and keeps the folder, if the process had ended by itself.
   */
  async stop(): Promise<void> {
    if (this.#state.ended && !this.#state.asked) {
      this.#state.asked = true;
      const { code, signal } = await this.exited;
      throw new EnvoyFailedError(`ended by itself (code ${String(code)}, ${String(signal)})`, this.dir, this.log());
    }
    this.#state.asked = true;
    this.thaw();
    this.#child.kill("SIGTERM");
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.exited;
    clearTimeout(force);
    await rm(this.dir, { recursive: true, force: true });
  }

  /** Ends it at once, as a crash would (SIGKILL). The folder stays until `stop()`. */
  async kill(): Promise<void> {
    this.#state.asked = true;
    this.#child.kill("SIGKILL");
    await this.exited;
  }

  /** Stops its clock (SIGSTOP): connections stay open, nothing is read or answered. */
  freeze(): void {
    if (!this.#state.ended) freezeProcess(this.#child);
  }

  /** Lets a frozen one go on (SIGCONT). */
  thaw(): void {
    if (!this.#state.ended) this.#child.kill("SIGCONT");
  }
}

/**
 * Starts a real Envoy with one worker thread and waits until it is ready. Rejects with an EnvoyFailedError if it refuses
 * its bootstrap or is not ready in time (nothing is left running then), or as `provideEnvoy` does.
 */
export async function startEnvoy(options: EnvoyOptions): Promise<RunningEnvoy> {
  const { until = "live", deadlineMs = 20_000, signal } = options;
  const binary = options.binary ?? (await provideEnvoy(signal === undefined ? {} : { signal }));
  const dir = await mkdtemp(join(tmpdir(), "signalbox-envoy-"));
  const child = launch(binary, await argumentsFor(dir, options), join(dir, "envoy.log"));
  const exited = exitOf(child);
  const startup = new AbortController();
  void exited.then(({ code, signal: by }) =>
    startup.abort(new Error(`it ended (code ${String(code)}, ${String(by)})`)),
  );
  try {
    const wait = {
      deadlineMs,
      signal: signal === undefined ? startup.signal : AbortSignal.any([startup.signal, signal]),
    };
    const address = await waitFor(() => adminAddress(dir), { what: "Envoy's admin address", ...wait });
    const envoy = new RunningEnvoy(child, exited, dir, address);
    await waitFor(async () => until === "admin" || (await envoy.isLive()), { what: "Envoy to be live", ...wait });
    return envoy;
  } catch (error) {
    child.kill("SIGKILL");
    await exited;
    const log = await readFile(join(dir, "envoy.log"), "utf8");
    throw new EnvoyFailedError("did not start", dir, log, { cause: error });
  }
}

async function argumentsFor(dir: string, options: EnvoyOptions): Promise<string[]> {
  const admin = { admin: { address: socketAddress("127.0.0.1", 0) } };
  const { bootstrap, args = [], logLevel = "info" } = options;
  const isText = typeof bootstrap === "string";
  const path = join(dir, isText ? "bootstrap.yaml" : "bootstrap.json");
  await writeFile(path, isText ? bootstrap : JSON.stringify({ ...admin, ...bootstrap }, null, 2));
  // Envoy merges this into the file.
  const added = isText && !/^admin:/m.test(bootstrap) ? ["--config-yaml", JSON.stringify(admin)] : [];
  const own = ["--config-path", path, ...added, "--admin-address-path", join(dir, "admin-address")];
  return [...own, "--concurrency", "1", "--disable-hot-restart", "--log-level", logLevel, ...args];
}

function launch(binary: string, args: readonly string[], logPath: string): ChildProcess {
  const log = openSync(logPath, "a");
  try {
    const child = spawn(binary, args, { stdio: ["ignore", log, log] });
    child.on("error", (error) => appendFileSync(logPath, `${error.message}\n`));
    guardChild(child);
    return child;
  } finally {
    closeSync(log);
  }
}

function exitOf(child: ChildProcess): Promise<ExitStatus> {
  return new Promise((resolve) => {
    child.once("exit", (code, signal) => resolve({ code, signal }));
    // No process, no exit event.
    child.once("error", () => {
      if (child.pid === undefined) resolve({ code: null, signal: null });
    });
  });
}

async function adminAddress(dir: string): Promise<string | undefined> {
  const text = (await readFile(join(dir, "admin-address"), "utf8")).trim();
  return text === "" ? undefined : text;
}
