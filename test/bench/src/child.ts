import { fork, type ChildProcess, type Serializable } from "node:child_process";
import { once } from "node:events";

/** What a process says: a type and what belongs to it. */
interface Typed {
  readonly type: string;
}

/** A Node.js process of its own that says messages `M` and is asked questions `Q`. `end()` must be called. */
export class Child<M extends Typed, Q extends Serializable> {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<string, ((message: M) => void)[]>();
  readonly #listeners = new Set<(message: M) => void>();
  #fail: (error: Error) => void = () => {};
  readonly #failed: Promise<never>;

  /** Starts a built module with a task as its argument. It ends when it is disconnected. */
  constructor(module: string, task: unknown) {
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    this.#failed.catch(() => {});
    this.#child = fork(module, [JSON.stringify(task)], {
      execArgv: ["--expose-gc"],
      // What it prints must not get into the table.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child.on("message", (message) => this.#hear(message as M));
    this.#exited = once(this.#child, "exit").then(([code, signal]) => {
      this.#fail(new Error(`the measured process ended (code ${String(code)}, ${String(signal)})`));
    });
  }

  /** Rejects when the process ends; never resolves. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  /** Calls the listener for each message. The result takes it away. */
  listen(listener: (message: M) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Sends a question and resolves with the next message of this type. */
  async ask<T extends M["type"]>(question: Q, type: T, signal: AbortSignal): Promise<Extract<M, { type: T }>> {
    const answer = this.next(type, signal);
    this.#child.send(question);
    return answer;
  }

  /** The next message of this type. Rejects when the process ends or the signal aborts. */
  async next<T extends M["type"]>(type: T, signal: AbortSignal): Promise<Extract<M, { type: T }>> {
    signal.throwIfAborted();
    let abort = (): void => {};
    const said = new Promise<Extract<M, { type: T }>>((resolve, reject) => {
      abort = () => reject(signal.reason as Error);
      const hear = (message: M) => resolve(message as Extract<M, { type: T }>);
      this.#waiting.set(type, [...(this.#waiting.get(type) ?? []), hear]);
    });
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([said, this.#failed]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  /** Ends it, after ten seconds by force. May be called again. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(force);
  }

  #hear(message: M): void {
    for (const listener of this.#listeners) listener(message);
    const waiting = this.#waiting.get(message.type) ?? [];
    this.#waiting.delete(message.type);
    for (const hear of waiting) hear(message);
  }
}
