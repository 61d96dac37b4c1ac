import { setImmediate as nextTurn } from "node:timers/promises";
import { LoopTurn } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import type { Steps } from "@signalbox/slices";
import { Turns } from "../turns.ts";
import { Inbox } from "./inbox.ts";
import { ReceivedMessage } from "./received-message.ts";

/**
 * Inboxes of one connection, on a clock that each message moves by 4 ms of the 8 that a turn has, and so does each step of a
 * message that is taken in steps.
 */
class World {
  readonly said: string[] = [];
  readonly budget;
  /** Told of each step. */
  after: ((step: string) => void) | undefined;
  #now = 0;
  readonly #turns = new Turns(() => this.#now, 8, new LoopTurn(() => 0));

  constructor(max = 1_000) {
    this.budget = { held: 0, max };
  }

  inbox(name: string): Inbox {
    const owner = {
      deliver: (bytes: Uint8Array): Steps<undefined> | undefined => {
        const [number, steps = 0] = bytes;
        if (steps > 0) return this.#steps(`${name}${String(number)}`, steps);
        this.#now += 4;
        this.said.push(`${name}${String(number)}`);
        return undefined;
      },
      pause: () => this.said.push(`${name} pauses`),
      resume: () => this.said.push(`${name} reads on`),
    };
    return new Inbox(owner, this.#turns, this.budget);
  }

  *#steps(message: string, count: number): Steps<undefined> {
    for (let step = 1; step <= count; step++) {
      this.#now += 4;
      this.said.push(`${message}/${step}`);
      this.after?.(`${message}/${step}`);
      if (step < count) yield;
    }
    return undefined;
  }
}

const message = (number: number, steps = 0): ReceivedMessage =>
  ReceivedMessage.window(Uint8Array.from([number, steps, 0, 0]));

describe("an inbox", () => {
  it("delivers at once while the turn has time, then one message of each stream after the other", async () => {
    const world = new World();
    const [a, b] = [world.inbox("a"), world.inbox("b")];
    for (const number of [1, 2, 3, 4]) a.put(message(number));
    b.put(message(1));
    expect(world.said.splice(0)).toEqual(["a1", "a2", "a pauses", "b pauses"]);
    expect([world.budget.held, a.empty]).toEqual([12, false]);
    await nextTurn();
    expect(world.said.splice(0)).toEqual(["a3", "b1", "b reads on"]);
    await nextTurn();
    expect(world.said.splice(0)).toEqual(["a4", "a reads on"]);
    expect([world.budget.held, a.empty]).toEqual([0, true]);
  });

  it("keeps no more than the connection may hold: then its messages are delivered at once, in order", async () => {
    const world = new World(8);
    const a = world.inbox("a");
    for (const number of [1, 2, 3, 4, 5]) a.put(message(number));
    expect(world.said).toEqual(["a1", "a2", "a pauses", "a3", "a4", "a5"]);
    expect(world.budget.held).toBe(0);
    await nextTurn();
    expect(world.said.at(-1)).toBe("a reads on");
  });

  it("forgets what waits when the stream ends", async () => {
    const world = new World();
    const a = world.inbox("a");
    for (const number of [1, 2, 3]) a.put(message(number));
    a.clear();
    expect(world.budget.held).toBe(0);
    await nextTurn();
    expect(world.said).not.toContain("a3");
  });

  it("takes a message in steps over turns, and the next ones of its stream and of others after it", async () => {
    const world = new World();
    const [a, b] = [world.inbox("a"), world.inbox("b")];
    a.put(message(1, 5));
    expect(world.said.splice(0)).toEqual(["a1/1", "a1/2", "a pauses"]);
    expect([world.budget.held, a.empty]).toEqual([4, false]);
    a.put(message(2));
    b.put(message(1, 2));
    a.put(message(3));
    expect([world.said.splice(0), world.budget.held]).toEqual([["b pauses"], 16]);
    await nextTurn();
    expect(world.said.splice(0)).toEqual(["a1/3", "a1/4"]);
    await nextTurn();
    expect(world.said.splice(0)).toEqual(["a1/5", "b1/1"]);
    await nextTurn();
    expect(world.said.splice(0)).toEqual(["b1/2", "b reads on", "a2"]);
    await nextTurn();
    expect(world.said.splice(0)).toEqual(["a3", "a reads on"]);
    expect([world.budget.held, a.empty, b.empty]).toEqual([0, true, true]);
  });

  it("pauses nobody for steps that fit into the turn", () => {
    const world = new World();
    const a = world.inbox("a");
    a.put(message(1, 2));
    expect([world.said, world.budget.held, a.empty]).toEqual([["a1/1", "a1/2"], 0, true]);
  });

  it("does all steps at once where the connection may hold no more, and what waits behind them", async () => {
    const world = new World(8);
    const a = world.inbox("a");
    a.put(message(1, 4));
    a.put(message(2, 2));
    expect(world.said.splice(0)).toEqual(["a1/1", "a1/2", "a pauses"]);
    expect(world.budget.held).toBe(8);
    a.put(message(3, 1));
    expect(world.said.splice(0)).toEqual(["a1/3", "a1/4", "a2/1", "a2/2", "a3/1"]);
    expect([world.budget.held, a.empty]).toEqual([0, true]);
    await nextTurn();
    await nextTurn();
    expect(world.said).toEqual(["a reads on"]);
  });

  it("does the steps of a message at once that alone is more than the connection may hold", () => {
    const world = new World(3);
    const a = world.inbox("a");
    a.put(message(1, 4));
    expect([world.said, world.budget.held, a.empty]).toEqual([["a1/1", "a1/2", "a1/3", "a1/4"], 0, true]);
  });

  it.each([
    { when: "between two turns", cleared: undefined, rest: [] },
    { when: "by a step, and what is left of its turn's", cleared: "a1/3", rest: ["a1/3", "a1/4"] },
  ])("drops the steps that are left when the stream ends $when", async ({ cleared, rest }) => {
    const world = new World();
    const a = world.inbox("a");
    world.after = (step) => {
      if (step === cleared) a.clear();
    };
    a.put(message(1, 9));
    a.put(message(2));
    world.said.length = 0;
    if (cleared === undefined) a.clear();
    for (let turn = 0; turn < 4; turn++) await nextTurn();
    expect(world.said.filter((said) => said.startsWith("a1") || said.startsWith("a2"))).toEqual(rest);
    expect([world.budget.held, a.empty]).toEqual([0, true]);
  });

  it("drops them also when the stream ends by a step before the first pause", async () => {
    const world = new World();
    const a = world.inbox("a");
    world.after = () => a.clear();
    a.put(message(1, 9));
    for (let turn = 0; turn < 4; turn++) await nextTurn();
    expect([world.said, world.budget.held, a.empty]).toEqual([["a1/1", "a1/2"], 0, true]);
  });
});
