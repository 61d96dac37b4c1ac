import { builtModule } from "@signalbox/test-servers";
import { Child } from "./child.ts";
import type { BareAnswer, CpuAnswer, HeapAnswer, MeasuredTask, Message, Moved, Question, Synced } from "./messages.ts";

/** A process of its own for what is measured, so that nothing of the benchmark is measured with it. `end()` must be called. */
export class MeasuredProcess {
  readonly #child: Child<Message, Question>;

  private constructor(task: MeasuredTask) {
    this.#child = new Child(builtModule("./measured.ts", import.meta.url), task);
  }

  /** Runs the adapter of a task. Resolves when the catalog is complete. */
  static async adapter(task: Omit<Extract<MeasuredTask, { type: "adapter" }>, "type">, signal: AbortSignal) {
    const started = new MeasuredProcess({ type: "adapter", ...task });
    try {
      return { process: started, synced: (await started.#child.next("synced", signal)) satisfies Synced };
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
      return await started.#child.next("bare", signal);
    } finally {
      await started.end();
    }
  }

  /** Its memory, after a collection of garbage. */
  heap(signal: AbortSignal): Promise<HeapAnswer> {
    return this.#child.ask("heap", "heap", signal);
  }

  /** The CPU time that it has used. */
  cpu(signal: AbortSignal): Promise<CpuAnswer> {
    return this.#child.ask("cpu", "cpu", signal);
  }

  /** Calls the listener for each event that tells of moved instances. The result takes it away. */
  onMoved(listener: (moved: Moved) => void): () => void {
    return this.#child.listen((message) => {
      if (message.type === "moved") listener(message);
    });
  }

  /** Rejects when the process ends; never resolves. */
  get failed(): Promise<never> {
    return this.#child.failed;
  }

  /** Ends it, after ten seconds by force. May be called again. */
  end(): Promise<void> {
    return this.#child.end();
  }
}
