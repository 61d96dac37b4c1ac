import type { Daemon } from "@signalbox/test-servers";
import { explain, type Expected } from "./explaining.ts";
import type { Explained, StepRow } from "./result.ts";

/** What is written down while the story is played. */
export class Report {
  readonly rows: StepRow[] = [];
  readonly explained: Explained[] = [];
  readonly #daemon: Daemon;

  constructor(daemon: Daemon) {
    this.#daemon = daemon;
  }

  /** Asks why endpoints of `orders` are as they are, beside what should be said. */
  async explain(step: string, expected: Expected): Promise<void> {
    this.explained.push(...(await explain(this.#daemon, step, expected)));
  }
}
