import { setImmediate as nextTurn } from "node:timers/promises";
import { LoopTurn } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { Turns } from "../turns.ts";
import { Inbox } from "./inbox.ts";

/** Inboxes of one connection, on a clock that each message moves by 4 ms of the 8 that a turn has. */
class World {
  readonly said: string[] = [];
  readonly budget;
  #now = 0;
  readonly #turns = new Turns(() => this.#now, 8, new LoopTurn(() => 0));

  constructor(max = 1_000) {
    this.budget = { held: 0, max };
  }

  inbox(name: string): Inbox {
    const owner = {
      deliver: (bytes: Uint8Array): void => {
        this.#now += 4;
        this.said.push(`${name}${String(bytes[0])}`);
      },
      pause: () => this.said.push(`${name} pauses`),
      resume: () => this.said.push(`${name} reads on`),
    };
    return new Inbox(owner, this.#turns, this.budget);
  }
}

const message = (number: number): Uint8Array => Uint8Array.from([number, 0, 0, 0]);

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
});
