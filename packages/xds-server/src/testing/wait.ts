import { setTimeout as delay } from "node:timers/promises";

/** Waits until `read` gives something other than `undefined` or `false`; rejects after `ms` milliseconds. For tests. */
export async function waitFor<Value>(read: () => Value | undefined | false, what: string, ms = 5_000): Promise<Value> {
  const deadline = Date.now() + ms;
  for (;;) {
    const value = read();
    if (value !== undefined && value !== false) return value;
    if (Date.now() > deadline) throw new Error(`not within ${ms} ms: ${what}`);
    await delay(5);
  }
}
