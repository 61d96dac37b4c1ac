import type { Clock } from "@signalbox/registry";
import { abortWith, isAborted, Latch } from "./waiting.ts";

// A timer of Node.js cannot wait longer than 24 days; this also bounds what a clock that was set may delay.
const longestSleepMs = 3_600_000;

/** What is to be looked at again at some time, because time alone changes it. Each topic has at most one time. */
export class Agenda<T> {
  readonly #clock: Clock;
  readonly #times = new Map<T, number>();
  #earlier = new Latch();
  /** Until when the run sleeps. */
  #until = Number.NEGATIVE_INFINITY;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Puts a topic on the agenda at a time in epoch milliseconds, in place of its old time; `undefined` takes it off. */
  set(topic: T, at: number | undefined): void {
    if (at === undefined) {
      this.#times.delete(topic);
      return;
    }
    this.#times.set(topic, at);
    if (at < this.#until) this.#earlier.open();
  }

  /** Tells of topics whose time has come, which are off the agenda then, until `signal` aborts. Then it resolves. Waits for what it tells. */
  async run(signal: AbortSignal, due: (topics: readonly T[]) => void | Promise<void>): Promise<void> {
    while (!isAborted(signal)) {
      const now = this.#clock.now();
      const topics = [...this.#times].filter(([, at]) => at <= now).map(([topic]) => topic);
      for (const topic of topics) this.#times.delete(topic);
      if (topics.length > 0) await due(topics);
      await this.#sleep(signal);
    }
  }

  async #sleep(signal: AbortSignal): Promise<void> {
    this.#earlier = new Latch();
    this.#until = Math.min(Number.POSITIVE_INFINITY, ...this.#times.values());
    const awake = new AbortController();
    const untie = abortWith(awake, signal);
    // An empty agenda needs no timer.
    const waits = this.#until === Number.POSITIVE_INFINITY ? [] : [this.#clock.sleep(this.#remaining(), awake.signal)];
    try {
      await Promise.race([...waits, this.#earlier.passed(awake.signal)]);
    } catch (error) {
      if (!awake.signal.aborted) throw error;
    } finally {
      awake.abort();
      untie();
      await Promise.allSettled(waits);
    }
  }

  #remaining(): number {
    return Math.min(Math.max(0, this.#until - this.#clock.now()), longestSleepMs);
  }
}
