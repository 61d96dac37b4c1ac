import { PerformanceObserver } from "node:perf_hooks";
import { setImmediate as nextTurn } from "node:timers/promises";
import { expect, it } from "vitest";
import { monotonicMs, watchCollections } from "./collections.ts";

it("sees collections, also the steps of marking that performance entries leave out", async () => {
  let entries = 0;
  const observer = new PerformanceObserver((list) => (entries += list.getEntries().length));
  observer.observe({ entryTypes: ["gc"] });
  const watch = await watchCollections();
  const from = monotonicMs();
  // More objects than can be marked at once, and more memory outside of the heap than V8 lets grow without marking.
  const objects = Array.from({ length: 500_000 }, (_, number) => ({ number }));
  const buffers = Array.from({ length: 3_000 }, () => Buffer.allocUnsafeSlow(65_536));
  const until = monotonicMs();

  const found = await watch.take();
  await nextTurn();
  entries += observer.takeRecords().length;
  observer.disconnect();
  const apart = outermost(found);
  expect(objects.length + buffers.length).toBe(503_000);
  expect(entries).toBeGreaterThan(0);
  expect(apart.length).toBeGreaterThan(entries);
  const spent = apart.reduce((sum, one) => sum + one.until - one.from, 0);
  expect(spent).toBeGreaterThan(1);
  expect(spent).toBeLessThan(until - from);
});

it("forgets what was taken", async () => {
  const watch = await watchCollections();
  Array.from({ length: 200_000 }, (_, number) => ({ number }));
  await watch.take();
  const from = monotonicMs();
  expect((await watch.take()).filter((one) => one.until < from)).toEqual([]);
});

function outermost<T extends { readonly from: number; readonly until: number }>(stretches: readonly T[]): T[] {
  const apart: T[] = [];
  for (const one of [...stretches].sort((a, b) => a.from - b.from || b.until - a.until))
    if (one.from >= (apart.at(-1)?.until ?? -Infinity)) apart.push(one);
  return apart;
}
