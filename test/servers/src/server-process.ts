import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { appendFileSync, closeSync, openSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { ExitStatus } from "./envoy.ts";
import { freezeProcess } from "./freeze-process.ts";
import { guardChild } from "./guard.ts";
import type { Program } from "./provide-server.ts";
import { waitFor } from "./wait-for.ts";

/** Thrown when a server ended without being asked to, or did not become ready. Holds the end of its log; `dir` is kept. */
export class ServerFailedError extends Error {
  readonly code = "SBX_SERVER_FAILED";
  readonly server: string;
  readonly dir: string;
  readonly log: string;

  constructor(server: string, what: string, dir: string, log: string, options?: ErrorOptions) {
    super(`${server} ${what}; its files are in ${dir}; the end of its log:\n${log.slice(-3000)}`, options);
    this.name = "ServerFailedError";
    this.server = server;
    this.dir = dir;
    this.log = log;
  }
}

/** What a test can do to the process of a server. */
export interface ServerControl {
  /** All it logged so far, over restarts. */
  log(): string;
  /** Ends it at once, as a crash would (SIGKILL). Its data stay. */
  kill(): Promise<void>;
  /** Stops its clock (SIGSTOP): connections stay open, nothing is read or answered. */
  freeze(): void;
  /** Lets a frozen one go on (SIGCONT). */
  thaw(): void;
  /** Ends it if it still runs, starts it again on the same ports and data, and waits until it is ready. */
  restart(): Promise<void>;
  /**
   * Asks it to end, after 10 s by force, and removes its files, unless `SIGNALBOX_KEEP` is set. May be called again, and after `kill()`. Rejects with a
   * ServerFailedError, and keeps the files, if it had ended by itself.
   */
  stop(): Promise<void>;
}

/** The control of a process as functions of their own, to be part of a larger object. */
export function controlOf(control: ServerControl): ServerControl {
  return {
    log: () => control.log(),
    kill: () => control.kill(),
    freeze: () => control.freeze(),
    thaw: () => control.thaw(),
    restart: () => control.restart(),
    stop: () => control.stop(),
  };
}

/** What to run and how to know that it runs. */
export interface ServerRecipe {
  /** For messages and the name of the log file. */
  readonly name: string;
  readonly program: Program;
  readonly args: readonly string[];
  /** Folder of its files. */
  readonly dir: string;
  readonly env?: Readonly<Record<string, string>>;
  /** The server's own sign. A rejection counts as "not yet". */
  readonly ready: (signal: AbortSignal) => Promise<boolean>;
  /** Milliseconds until a start counts as failed. */
  readonly deadlineMs: number;
  readonly signal?: AbortSignal | undefined;
}

/** Makes the folder for the files of one server. */
export function serverFolder(name: string): Promise<string> {
  return mkdtemp(join(tmpdir(), `signalbox-${name}-`));
}

/** A server that runs as a process of this one, and goes with it however this one dies. */
export class ServerProcess implements ServerControl {
  readonly #recipe: ServerRecipe;
  #child: ChildProcess | undefined;
  #exited: Promise<ExitStatus> = Promise.resolve({ code: null, signal: null });
  #ended = true;
  #asked = true;

  private constructor(recipe: ServerRecipe) {
    this.#recipe = recipe;
  }

  /** Starts it and waits until it is ready. Rejects with a ServerFailedError; nothing is left running then. */
  static async start(recipe: ServerRecipe): Promise<ServerProcess> {
    const server = new ServerProcess(recipe);
    await server.#start();
    return server;
  }

  /** The id of the process that runs or ran last. */
  get pid(): number {
    return this.#child?.pid ?? 0;
  }

  /** Resolves when the process that runs, or ran last, has ended. */
  get exited(): Promise<ExitStatus> {
    return this.#exited;
  }

  log(): string {
    return readFileSync(this.#logPath, "utf8");
  }

  async kill(): Promise<void> {
    this.#asked = true;
    this.#child?.kill("SIGKILL");
    await this.#exited;
  }

  freeze(): void {
    if (!this.#ended && this.#child !== undefined) freezeProcess(this.#child);
  }

  thaw(): void {
    if (!this.#ended) this.#child?.kill("SIGCONT");
  }

  async restart(): Promise<void> {
    await this.#end();
    await this.#start();
  }

  async stop(): Promise<void> {
    if (this.#ended && !this.#asked) {
      this.#asked = true;
      const { code, signal } = await this.#exited;
      throw this.#failed(`ended by itself (code ${String(code)}, ${String(signal)})`);
    }
    await this.#end();
    if ((process.env["SIGNALBOX_KEEP"] ?? "") !== "") return;
    await rm(this.#recipe.dir, { recursive: true, force: true, maxRetries: 3 });
  }

  get #logPath(): string {
    return join(this.#recipe.dir, `${this.#recipe.name}.log`);
  }

  #failed(what: string, options?: ErrorOptions): ServerFailedError {
    return new ServerFailedError(this.#recipe.name, what, this.#recipe.dir, this.log(), options);
  }

  async #end(): Promise<void> {
    this.#asked = true;
    this.thaw();
    this.#child?.kill("SIGTERM");
    const force = setTimeout(() => this.#child?.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(force);
  }

  async #start(): Promise<void> {
    const { name, ready, deadlineMs, signal } = this.#recipe;
    signal?.throwIfAborted();
    const child = this.#spawn();
    const ended = new AbortController();
    this.#child = child;
    this.#ended = false;
    this.#asked = false;
    this.#exited = exitOf(child).then((status) => {
      if (this.#child === child) this.#ended = true;
      ended.abort(new Error(`it ended (code ${String(status.code)}, ${String(status.signal)})`));
      return status;
    });
    const stop = signal === undefined ? ended.signal : AbortSignal.any([ended.signal, signal]);
    try {
      // One question must not outlast the server's own start by much: a port may accept before anybody reads from it.
      const ask = () => ready(AbortSignal.any([stop, AbortSignal.timeout(5_000)]));
      await waitFor(ask, { what: `${name} to be ready`, deadlineMs, intervalMs: 50, signal: stop });
    } catch (error) {
      await this.kill();
      throw this.#failed("did not start", { cause: error });
    }
  }

  #spawn(): ChildProcess {
    const { program, args, env = {} } = this.#recipe;
    const log = openSync(this.#logPath, "a");
    try {
      const child = spawn(program.file, [...program.args, ...args], {
        stdio: ["ignore", log, log],
        env: { ...process.env, ...env },
        ...(program.cwd !== undefined && { cwd: program.cwd }),
      });
      child.on("error", (error) => appendFileSync(this.#logPath, `${error.message}\n`));
      guardChild(child);
      return child;
    } finally {
      closeSync(log);
    }
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
