import { FakeClock } from "@signalbox/registry/conformance";
import { expect, it } from "vitest";
import { Agenda } from "./agenda.ts";

async function started() {
  const clock = new FakeClock();
  const agenda = new Agenda<string>(clock);
  const end = new AbortController();
  const told: string[][] = [];
  const ended = agenda.run(end.signal, (topics) => void told.push([...topics]));
  await clock.advance(0);
  const stop = async (): Promise<void> => {
    end.abort();
    await ended;
  };
  return { agenda, clock, told, end: stop };
}

it("tells of each topic once, when its time has come", async () => {
  const { agenda, clock, told, end } = await started();
  const start = clock.now();
  agenda.set("late", start + 100);
  agenda.set("soon", start + 10);
  await clock.advance(9);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual([["soon"]]);
  await clock.advance(1000);
  expect(told).toEqual([["soon"], ["late"]]);
  await end();
});

it("forgets a topic that is taken off, and moves one that gets another time", async () => {
  const { agenda, clock, told, end } = await started();
  const start = clock.now();
  agenda.set("off", start + 10);
  agenda.set("moved", start + 10);
  agenda.set("off", undefined);
  agenda.set("moved", start + 50);
  await clock.advance(49);
  expect(told).toEqual([]);
  await clock.advance(1);
  expect(told).toEqual([["moved"]]);
  await end();
});

it("leaves no timer when it ends", async () => {
  const { agenda, clock, end } = await started();
  expect(clock.pending).toEqual([]);
  agenda.set("never", clock.now() + 1000);
  await clock.advance(0);
  expect(clock.pending).toHaveLength(1);
  await end();
  expect(clock.pending).toEqual([]);
});
