import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { builtModule } from "@signalbox/test-servers";
import type { BareAnswer, CpuAnswer, HeapAnswer, MeasuredTask, Message, Moved, Question, Synced } from "./messages.ts";

type Said<T extends Message["type"]> = Extract<Message, { type: T }>;

/** A process of its own for what is measured, so that nothing of the benchmark is measured with it. `end()` must be called. */
export class MeasuredProcess {
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;
  readonly #waiting = new Map<Message["type"], ((message: Message) => void)[]>();
  readonly #onMoved = new Set<(moved: Moved) => void>();
  #failure: Error | undefined;
  #fail: (error: Error) => void = () => {};
  readonly #failed: Promise<never>;

  private constructor(task: MeasuredTask) {
    this.#failed = new Promise((_, reject) => (this.#fail = reject));
    this.#failed.catch(() => {});
    this.#child = fork(builtModule("./measured.ts", import.meta.url), [JSON.stringify(task)], {
      execArgv: ["--expose-gc"],
      // What it prints must not get into the table.
      stdio: ["ignore", 2, 2, "ipc"],
    });
    this.#child.on("message", (message) => this.#hear(message as Message));
    this.#exited = once(this.#child, "exit").then(([code, signal]) => {
      this.#failure = new Error(`the measured process ended (code ${String(code)}, ${String(signal)})`);
      this.#fail(this.#failure);
    });
  }

  /** Runs the adapter of a task. Resolves when the catalog is complete. */
  static async adapter(task: Omit<Extract<MeasuredTask, { type: "adapter" }>, "type">, signal: AbortSignal) {
    const started = new MeasuredProcess({ type: "adapter", ...task });
    try {
      return { process: started, synced: (await started.#next("synced", signal)) satisfies Synced };
    } catch (error) {
      await started.end();
      throw error;
    }
  }

  /** Makes a bare read in a new process. */
  static async bare(
    task: Omit<Extract<MeasuredTask, { type: "bare" }>, "type">,
    signal: AbortSignal,
  ): Promise<BareAnswer> {
    const started = new MeasuredProcess({ type: "bare", ...task });
    try {
      return await started.#next("bare", signal);
    } finally {
      await started.end();
    }
  }

  /** Its memory, after a collection of garbage. */
  heap(signal: AbortSignal): Promise<HeapAnswer> {
    return this.#ask("heap", signal);
  }

  /** The CPU time that it has used. */
  cpu(signal: AbortSignal): Promise<CpuAnswer> {
    return this.#ask("cpu", signal);
  }

  /** Calls the listener for each event that tells of moved instances. The result takes it away. */
  onMoved(listener: (moved: Moved) => void): () => void {
    this.#onMoved.add(listener);
    return () => this.#onMoved.delete(listener);
  }

  /** Rejects when the process ends; never resolves. */
  get failed(): Promise<never> {
    return this.#failed;
  }

  /** Ends it, after ten seconds by force. May be called again. */
  async end(): Promise<void> {
    if (this.#child.connected) this.#child.disconnect();
    const force = setTimeout(() => this.#child.kill("SIGKILL"), 10_000);
    await this.#exited;
    clearTimeout(force);
  }

  async #ask<Q extends Question>(question: Q, signal: AbortSignal): Promise<Said<Q>> {
    const answer = this.#next(question, signal);
    this.#child.send(question);
    return answer;
  }

  async #next<T extends Message["type"]>(type: T, signal: AbortSignal): Promise<Said<T>> {
    signal.throwIfAborted();
    let abort = (): void => {};
    const said = new Promise<Said<T>>((resolve, reject) => {
      abort = () => reject(signal.reason as Error);
      const hear = (message: Message) => resolve(message as Said<T>);
      this.#waiting.set(type, [...(this.#waiting.get(type) ?? []), hear]);
    });
    signal.addEventListener("abort", abort, { once: true });
    try {
      return await Promise.race([said, this.#failed]);
    } finally {
      signal.removeEventListener("abort", abort);
    }
  }

  #hear(message: Message): void {
    if (message.type === "moved") {
      for (const listener of this.#onMoved) listener(message);
      return;
    }
    const waiting = this.#waiting.get(message.type) ?? [];
    this.#waiting.delete(message.type);
    for (const hear of waiting) hear(message);
  }
}
