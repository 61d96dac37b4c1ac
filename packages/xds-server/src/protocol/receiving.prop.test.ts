import fc from "fast-check";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { TypeUrl } from "@signalbox/envoy-api";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, deltaAds, EDS, FakeStream, LDS, RDS } from "../testing/fake-stream.ts";
import { ModelClient, modelResource } from "../testing/model-client.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { Turns } from "../turns.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

type Variant = "sotw" | "delta";

const types = [CDS, EDS, LDS, RDS];
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
const anyClient = fc.nat({ max: 2 });
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      client: anyClient,
      type: fc.constantFrom(...types),
      list: fc.nat({ max: lists.length - 1 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      type: fc.constantFrom(...types),
      at: fc.nat({ max: names.length - 1 }),
      count: fc.constantFrom(1, 300),
      content: fc.option(fc.constantFrom("1", "2")),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("process" as const), client: anyClient }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const), client: anyClient }) },
  // Another stream that asks for the same, and goes before it is answered.
  { weight: 1, arbitrary: fc.record({ do: fc.constant("visit" as const), list: fc.nat({ max: 3 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("switch" as const), to: fc.constantFrom("one", "two") }) },
  // Steps are done between the things that happen, as many as come.
  { weight: 3, arbitrary: fc.record({ do: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 9 }) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly cache = new SnapshotCache();
  readonly clock = new FakeXdsClock();
  readonly source = new SwitchingSource(this.cache, "one");
  readonly clients: readonly ModelClient[];
  readonly #protocol;
  readonly #turns: Turns;
  readonly #visits: FakeStream[] = [];

  /** With `stepMs` each look at the monotonic clock moves it by so much. */
  constructor(variant: Variant, stepMs: number) {
    let now = 0;
    const monotonic = (): number => (now += stepMs);
    this.#turns = new Turns(monotonic);
    const { source, clock } = this;
    const limits = { maxTotalNames };
    this.#protocol = createXdsProtocol({ source, clock, turns: this.#turns, monotonic, limits });
    for (const group of ["one", "two"]) for (const type of types) this.#change(group, type, names, group);
    this.clients = [0, 1, 2].map(() => new ModelClient(variant, this.#protocol.accept, this.#turns));
  }

  async run(step: Action): Promise<void> {
    if (step.do === "change") {
      this.#change("one", step.type, names.slice(step.at, step.at + step.count), step.content);
    } else if (step.do === "switch") this.source.switchTo(step.to);
    else if (step.do === "visit") this.#visit(lists[step.list] ?? []);
    else if (step.do === "turn") for (let turn = 0; turn < step.count; turn++) await nextTurn();
    else {
      const client = this.clients[step.client];
      if (step.do === "subscribe") client?.subscribe(step.type, lists[step.list] ?? []);
      else if (step.do === "process") client?.process(2, false);
      else client?.reconnect();
    }
  }

  #change(group: string, type: TypeUrl, changed: readonly string[], content: string | null): void {
    const upserted = content === null ? [] : changed.map((name) => modelResource(type, name, content));
    const removed = content === null ? changed : [];
    this.cache.update(group, new Map([[type, { upserted, removed }]]));
  }

  /** The visitor before goes when the next one comes. */
  #visit(list: readonly string[]): void {
    this.#visits.pop()?.close();
    const visitor = this.#open();
    visitor.delta({ node: { id: "visitor" }, typeUrl: EDS, resourceNamesSubscribe: [...list] });
    this.#visits.push(visitor);
  }

  #open(): FakeStream {
    const stream = new FakeStream(deltaAds, undefined, undefined, this.#turns);
    stream.open(this.#protocol.accept);
    return stream;
  }

  /** Lets everything be told and answered, and says what the clients then hold. */
  async settle(): Promise<unknown> {
    for (let quiet = 0; quiet < 3; quiet++) {
      do {
        await nextTurn();
        for (const client of this.clients) client.process(100, false);
      } while (this.#turns.waiting > 0 || this.clients.some(({ stream }) => stream.received.length > 0));
      this.clock.advance(60_000);
    }
    // What is gone, or what it asks for no more, a client of the state of the world may keep: it is not told of it.
    const view = this.cache.view(this.source.group);
    return this.clients.map((client) =>
      [...client.state()]
        .map(({ type, held, wants }) => {
          const kept = [...held].filter(([name]) => wants(name) && view?.resources(type).has(name) === true);
          return [type, kept.sort()] as const;
        })
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
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
    while (this.#turns.waiting > 0);
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
          const [sliced, whole] = [new World(variant, stepMs), new World(variant, 0)];
          for (const step of steps) for (const world of [sliced, whole]) await world.run(step);
          expect(await sliced.settle()).toEqual(await whole.settle());
          for (const world of [sliced, whole]) expect(await world.isEmptyAfterwards()).toBe(true);
        },
      ),
      { numRuns: 30 },
    );
  }, 60_000);
});
