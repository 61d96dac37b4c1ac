import fc from "fast-check";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { deltaAds, EDS, FakeStream } from "../testing/fake-stream.ts";
import { slicedActions, SlicedWorld, type SlicedSetting } from "../testing/sliced-world.ts";

/** So long that a request with all of them, or most, is a large one. */
const names = Array.from({ length: 300 }, (_, at) => `service-${at}.${"a-namespace.example".padEnd(240, "-")}`);
const lists: readonly (readonly string[])[] = [
  names,
  [...names].reverse(),
  names.slice(10),
  [...names.slice(0, 290), "nobody"],
  names.slice(0, 2),
  ["*"],
];
/** More than all clients ever ask for. */
const maxTotalNames = 6_000;
const setting: SlicedSetting = { names, lists, clients: 3, limits: { maxTotalNames }, requestsInTurns: true };
const actions = slicedActions(setting);
const action = fc.oneof(
  { weight: 4, arbitrary: actions.subscribe },
  { weight: 2, arbitrary: actions.change },
  { weight: 1, arbitrary: actions.process },
  { weight: 1, arbitrary: actions.reconnect },
  // Another stream that asks for the same, and goes before it is answered.
  { weight: 1, arbitrary: fc.record({ do: fc.constant("visit" as const), list: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: actions.switch },
  { weight: 3, arbitrary: actions.turn },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class World extends SlicedWorld {
  readonly #visits: FakeStream[] = [];

  async does(step: Action): Promise<void> {
    if (step.do === "visit") this.#visit(lists[step.list] ?? []);
    else await this.run(step);
  }

  /** The visitor before goes when the next one comes. */
  #visit(list: readonly string[]): void {
    this.#visits.pop()?.close();
    const visitor = this.#open();
    visitor.delta({ node: { id: "visitor" }, typeUrl: EDS, resourceNamesSubscribe: [...list] });
    this.#visits.push(visitor);
  }

  #open(): FakeStream {
    const stream = new FakeStream(deltaAds, undefined, undefined, this.turns);
    stream.open(this.protocol.accept);
    return stream;
  }

  /** Whether, once all streams have gone, as many names fit as ever. */
  async isEmptyAfterwards(): Promise<boolean> {
    for (const stream of [...this.clients.map((client) => client.stream), ...this.#visits]) {
      expect(stream.ended).toBeUndefined();
      stream.close();
    }
    const last = this.#open();
    const all = Array.from({ length: maxTotalNames }, (_, at) => `last-${at}`);
    last.delta({ node: { id: "last" }, typeUrl: EDS, resourceNamesSubscribe: all });
    do await nextTurn();
    while (this.turns.waiting > 0);
    return last.ended === undefined && last.received.length === 1;
  }
}

describe.each(["sotw", "delta"] as const)("%s clients whose requests are taken in steps", (variant) => {
  it("hold in the end what they would hold if each were taken at once, and leave no names behind", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 3, maxLength: 16 }),
        fc.constantFrom(0.4, 1.5, 9),
        async (steps, stepMs) => {
          const [sliced, whole] = [new World(variant, stepMs, setting), new World(variant, 0, setting)];
          for (const step of steps) for (const world of [sliced, whole]) await world.does(step);
          expect(await sliced.settle()).toEqual(await whole.settle());
          for (const world of [sliced, whole]) expect(await world.isEmptyAfterwards()).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  }, 60_000);
});
