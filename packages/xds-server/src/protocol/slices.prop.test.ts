import fc from "fast-check";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import type { TypeUrl } from "@signalbox/envoy-api";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, EDS, LDS, RDS } from "../testing/fake-stream.ts";
import { ModelClient, modelResource } from "../testing/model-client.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { Turns } from "../turns.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

type Variant = "sotw" | "delta";

const types = [CDS, EDS, LDS, RDS];
/** More than one step of anything. */
const names = Array.from({ length: 300 }, (_, at) => `service-${at}.a-namespace.example`);
const lists: readonly (readonly string[])[] = [names, names.slice(0, 200), names.slice(0, 2), ["*"]];
const anyClient = fc.nat({ max: 1 });
const action = fc.oneof(
  fc.record({
    do: fc.constant("change" as const),
    type: fc.constantFrom(...types),
    at: fc.nat({ max: names.length - 1 }),
    count: fc.constantFrom(1, 3, 300),
    content: fc.option(fc.constantFrom("1", "2")),
  }),
  fc.record({
    do: fc.constant("subscribe" as const),
    client: anyClient,
    type: fc.constantFrom(...types),
    list: fc.nat({ max: lists.length - 1 }),
  }),
  fc.record({ do: fc.constant("process" as const), client: anyClient }),
  fc.record({ do: fc.constant("reconnect" as const), client: anyClient }),
  fc.record({ do: fc.constant("switch" as const), to: fc.constantFrom("one", "two") }),
  // Steps are done between the things that happen, as many as come.
  fc.record({ do: fc.constant("turn" as const), count: fc.integer({ min: 1, max: 4 }) }),
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly cache = new SnapshotCache();
  readonly clock = new FakeXdsClock();
  readonly source = new SwitchingSource(this.cache, "one");
  readonly clients: readonly ModelClient[];
  readonly #turns: Turns;

  /** With `stepMs` each look at the monotonic clock moves it by so much. */
  constructor(variant: Variant, stepMs: number) {
    let now = 0;
    const monotonic = (): number => (now += stepMs);
    this.#turns = new Turns(monotonic);
    const { source, clock } = this;
    const { accept } = createXdsProtocol({ source, clock, turns: this.#turns, monotonic });
    for (const group of ["one", "two"]) for (const type of types) this.#change(group, type, names, group);
    this.clients = [0, 1].map(() => new ModelClient(variant, accept));
  }

  async run(step: Action): Promise<void> {
    if (step.do === "change") {
      const changed = names.slice(step.at, step.at + step.count);
      this.#change("one", step.type, changed, step.content);
    } else if (step.do === "switch") this.source.switchTo(step.to);
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

  /** Lets everything be told and answered, and says what the clients then hold. */
  async settle(): Promise<unknown> {
    for (let quiet = 0; quiet < 3; quiet++) {
      do {
        await nextTurn();
        for (const client of this.clients) client.process(100, false);
      } while (this.#turns.waiting > 0 || this.clients.some(({ stream }) => stream.received.length > 0));
      this.clock.advance(60_000);
    }
    const view = this.cache.view(this.source.group);
    return this.clients.map((client) =>
      [...client.state()]
        // A client of the state of the world may keep what is gone, and what it asked for once: it is not told of either.
        .map(({ type, held, wants }) => {
          const shown = [...held].filter(([name]) => wants(name) && view?.resources(type).has(name));
          return [type, shown.sort()] as const;
        })
        .sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
}

describe.each(["sotw", "delta"] as const)("%s clients for whom responses are made in slices", (variant) => {
  it("hold in the end what they would hold if everything were done at once", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(action, { minLength: 3, maxLength: 16 }),
        fc.constantFrom(0.4, 1.5, 9),
        async (steps, stepMs) => {
          const [sliced, whole] = [new World(variant, stepMs), new World(variant, 0)];
          for (const step of steps) for (const world of [sliced, whole]) await world.run(step);
          expect(await sliced.settle()).toEqual(await whole.settle());
        },
      ),
      { numRuns: Number(process.env["SIGNALBOX_SLICES_RUNS"] ?? 40) },
    );
  }, 60_000);
});
