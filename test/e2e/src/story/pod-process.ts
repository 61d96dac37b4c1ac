import { fork, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { builtModule } from "@signalbox/test-servers";

/** A pod of a service. */
export interface PodProcessOptions {
  readonly service: string;
  readonly address: string;
  /** Up to and including `/eureka`, for a pod that registers itself. */
  readonly eureka?: string;
}

/** The process of a pod, in a private network. It ends with this process at the latest. */
export class PodProcess {
  readonly #child: ChildProcess;

  private constructor(child: ChildProcess) {
    this.#child = child;
  }

  /** Resolves when it answers, and is registered. */
  static async start({ address, eureka = "", service }: PodProcessOptions): Promise<PodProcess> {
    const child = fork(builtModule("./pod.scenario.ts", import.meta.url), [service, address, eureka]);
    const ended = once(child, "exit").then(([code]) => {
      throw new Error(`the pod ${service} at ${address} ended with code ${String(code)}`);
    });
    // Later it may end.
    ended.catch(() => undefined);
    await Promise.race([once(child, "message"), ended]);
    return new PodProcess(child);
  }

  /** Ends it at once, as the loss of its node does: it deregisters nowhere. May be called twice. */
  async kill(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, "exit");
    this.#child.kill("SIGKILL");
    await exited;
  }

  /** Stops or resumes the heartbeats. */
  async heartbeats(command: "pause" | "resume"): Promise<void> {
    const done = once(this.#child, "message");
    this.#child.send(command);
    await done;
  }

  /** As `kill`. */
  stop(): Promise<void> {
    return this.kill();
  }
}
