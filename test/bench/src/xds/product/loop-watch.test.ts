import { setTimeout as delay } from "node:timers/promises";
import { expect, it } from "vitest";
import { watchLoop } from "./loop-watch.ts";

/** Holds the loop until this process has used so much CPU time, so that a busy machine changes nothing. */
function work(ms: number): void {
  const begun = process.cpuUsage();
  for (;;) {
    const { system, user } = process.cpuUsage(begun);
    if (system + user >= ms * 1000) return;
  }
}

it("sees the turn in which it is asked", async () => {
  const watch = await watchLoop();
  await delay(20);
  watch.forget();
  work(60);
  expect((await watch.take()).slice).toBeGreaterThan(30);
});

it("tells how much of it was in functions that are meant", async () => {
  const [meant, others] = [
    await watchLoop((url) => url.includes("loop-watch.test")),
    await watchLoop((url) => url.includes("elsewhere")),
  ];
  await delay(20);
  for (const watch of [meant, others]) watch.forget();
  work(60);
  const { own, slice } = await meant.take();
  expect(own).toBeGreaterThan(30);
  expect(own).toBeLessThanOrEqual(slice);
  expect((await others.take()).own).toBe(0);
});

it("sees a slice of work once, and forgets it when it is taken", async () => {
  const watch = await watchLoop();
  await delay(20);
  watch.forget();
  await delay(5);
  work(120);
  await delay(5);
  const { max, slice } = await watch.take();
  expect(slice).toBeGreaterThan(60);
  expect(max).toBeGreaterThan(60);
  await delay(20);
  const after = await watch.take();
  expect(after.slice).toBeLessThan(slice);
});
