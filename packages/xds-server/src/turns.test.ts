import { setImmediate as nextTurn } from "node:timers/promises";
import { LoopTurn } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import type { Steps } from "@signalbox/slices";
import { Turns } from "./turns.ts";

/** Nobody else works. */
const alone = new LoopTurn(() => 0);

/** Turns on a clock that each task moves by what it takes. */
function world(ms = 8): { turns: Turns; ran: string[]; task: (name: string, takes: number) => () => void } {
  let now = 0;
  const ran: string[] = [];
  return {
    turns: new Turns(() => now, ms, alone),
    ran,
    task: (name, takes) => () => {
      ran.push(name);
      now += takes;
    },
  };
}

describe("turns", () => {
  it("do at once what fits into one turn of the loop", () => {
    const { turns, ran, task } = world();
    for (const name of ["a", "b", "c"]) turns.run(task(name, 3));
    expect(ran).toEqual(["a", "b", "c"]);
  });

  it("do what does not fit later, in order, a turn's worth in each turn", async () => {
    const { turns, ran, task } = world();
    for (const name of ["a", "b", "c", "d", "e"]) turns.run(task(name, 4));
    expect([ran.join(""), turns.waiting]).toEqual(["ab", 3]);
    await nextTurn();
    expect([ran.join(""), turns.waiting]).toEqual(["abcd", 1]);
    await nextTurn();
    expect([ran.join(""), turns.waiting]).toEqual(["abcde", 0]);
  });

  it("let nobody overtake those who wait, and begin anew in the next turn", async () => {
    const { turns, ran, task } = world();
    turns.run(task("a", 8));
    turns.run(task("b", 1));
    await nextTurn();
    turns.later(task("c", 1));
    turns.run(task("d", 1));
    expect([ran.join(""), turns.free()]).toEqual(["ab", false]);
    await nextTurn();
    expect([ran.join(""), turns.free()]).toEqual(["abcd", true]);
  });

  it("do one task in a turn that it alone takes longer than", async () => {
    const { turns, ran, task } = world();
    for (const name of ["a", "b", "c"]) turns.run(task(name, 100));
    for (const expected of ["a", "ab", "abc"]) {
      expect(ran.join("")).toBe(expected);
      await nextTurn();
    }
  });

  it("count what a task leaves to the next tick as part of it", async () => {
    const { turns, ran, task } = world();
    turns.run(task("a", 8));
    for (const name of ["b", "c"]) turns.later(() => process.nextTick(task(name, 8)));
    await nextTurn();
    expect([ran.join(""), turns.waiting]).toEqual(["ab", 1]);
    await nextTurn();
    expect([ran.join(""), turns.waiting]).toEqual(["abc", 0]);
  });

  it("leave a turn that others have filled, after a task each", async () => {
    let now = 0;
    const loop = new LoopTurn(() => now);
    const turns = new Turns(() => now, 8, loop);
    loop.enter();
    now += 5;
    const ran: string[] = [];
    for (const name of ["a", "b", "c"]) {
      turns.run(() => {
        ran.push(name);
        now += 1.5;
      });
    }
    expect(ran.join("")).toBe("a");
    await nextTurn();
    expect(ran.join("")).toBe("ab");
    await nextTurn();
    expect(ran.join("")).toBe("abc");
  });

  it("never wait for a clock that stands still", () => {
    const { turns, ran, task } = world();
    for (let at = 0; at < 10_000; at++) turns.run(task("x", 0));
    expect(ran.length).toBe(10_000);
  });

  it("let who goes on with what it has begun overtake those who wait", async () => {
    const { turns, ran, task } = world();
    turns.run(task("a", 8));
    turns.later(task("b", 8));
    turns.goOn(() => {
      task("c", 4)();
      turns.goOn(task("d", 4));
      turns.later(task("e", 1));
    });
    await nextTurn();
    expect([ran.join(""), turns.waiting]).toEqual(["acd", 2]);
    await nextTurn();
    await nextTurn();
    expect([ran.join(""), turns.waiting]).toEqual(["acdbe", 0]);
  });

  it("finish steps, a turn's worth in each turn, before all that waits", async () => {
    const { turns, ran, task } = world();
    const step = task("s", 4);
    function* steps(count: number): Steps<undefined> {
      for (let at = 0; at < count; at++) {
        step();
        yield;
      }
      ran.push(".");
      return undefined;
    }
    turns.finish(steps(5));
    turns.later(task("a", 1));
    const seen = [ran.join("")];
    for (let turn = 0; turn < 3; turn++) {
      await nextTurn();
      seen.push(ran.join(""));
    }
    expect(seen).toEqual(["ss", "ssss", "sssss.a", "sssss.a"]);
  });
});
