import type { ChangeEvent } from "@signalbox/event-bus";
import { isNewHome } from "../fleet.ts";
import { now } from "../time.ts";

/** Notes when instances are seen at addresses that they moved to. */
export class ArrivalBook {
  #at = new Map<string, number>();
  #waiting: { readonly until: string; readonly tell: () => void } | undefined;

  /** To be called as soon as an event is there. */
  note(event: ChangeEvent): void {
    const at = now();
    const entries = event.type === "snapshot" ? event.catalog.entries.values() : event.delta.entries.upserted;
    for (const { instances } of entries) {
      const first = instances[0]?.addresses[0];
      if (first?.type === "ip" && isNewHome(first.ip)) this.#at.set(first.ip, at);
    }
    const waiting = this.#waiting;
    if (waiting === undefined || !this.#at.has(waiting.until)) return;
    this.#waiting = undefined;
    waiting.tell();
  }

  /** All since the last time, as soon as this address is among them. For one that waits. */
  async take(until: string): Promise<readonly (readonly [string, number])[]> {
    if (!this.#at.has(until)) await new Promise<void>((tell) => (this.#waiting = { until, tell }));
    const found = [...this.#at];
    this.#at = new Map();
    return found;
  }
}
