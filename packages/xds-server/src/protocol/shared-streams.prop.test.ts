import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TypeUrl } from "@signalbox/envoy-api";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, EDS, LDS, RDS } from "../testing/fake-stream.ts";
import { ModelClient, modelResource } from "../testing/model-client.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

type Variant = "sotw" | "delta";

const types = [CDS, EDS, LDS, RDS];
/** So many and so long that lists of them are shared. */
const names = Array.from({ length: 90 }, (_, at) => `service-${at}.a-namespace.example`);
const lists: readonly (readonly string[])[] = [
  names,
  names.slice(0, 80),
  [...names].reverse(),
  [...names, "nobody.a-namespace.example"],
  names.slice(10),
  names.slice(0, 2),
  ["*"],
];
const anyType = fc.constantFrom(...types);
const anyClient = fc.nat({ max: 2 });

const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      type: anyType,
      at: fc.nat({ max: names.length - 1 }),
      count: fc.constantFrom(1, 1, 3, 90),
      content: fc.option(fc.constantFrom("1", "2")),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("subscribe" as const),
      client: anyClient,
      type: anyType,
      list: fc.nat({ max: lists.length - 1 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant("process" as const), client: anyClient, refuse: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const), client: anyClient }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

/** A server with its own copy of everything, and some of the clients. */
class World {
  readonly cache = new SnapshotCache();
  readonly clock = new FakeXdsClock();
  readonly protocol = createXdsProtocol({ source: new SwitchingSource(this.cache, "one"), clock: this.clock });
  readonly clients: ReadonlyMap<number, ModelClient>;

  constructor(variant: Variant, clients: readonly number[]) {
    this.cache.update(
      "one",
      new Map(
        types.map((type) => [type, { upserted: names.map((name) => modelResource(type, name, "0")), removed: [] }]),
      ),
    );
    this.clients = new Map(clients.map((at) => [at, new ModelClient(variant, this.protocol.accept)]));
  }

  run(step: Action): void {
    const client = "client" in step ? this.clients.get(step.client) : undefined;
    switch (step.do) {
      case "change":
        this.#change(step.type, names.slice(step.at, step.at + step.count), step.content);
        break;
      case "subscribe":
        client?.subscribe(step.type, lists[step.list] ?? []);
        break;
      case "process":
        client?.process(4, step.refuse);
        break;
      case "reconnect":
        client?.reconnect();
        break;
      case "wait":
        this.clock.advance(step.ms);
    }
  }

  #change(type: TypeUrl, changed: readonly string[], content: string | null): void {
    const change =
      content === null
        ? { upserted: [], removed: changed }
        : { upserted: changed.map((name) => modelResource(type, name, content)), removed: [] };
    this.cache.update("one", new Map([[type, change]]));
  }

  /** What waits for the client, but for the nonces. */
  received(client: number): unknown {
    return this.clients.get(client)?.stream.received.map(({ type, version, resources, removed }) => ({
      type,
      version,
      resources: [...resources].sort(),
      removed,
    }));
  }
}

describe.each(["sotw", "delta"] as const)("%s clients that share", (variant) => {
  it("are each told what they would be told if they were alone", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 3, maxLength: 30 }), (steps) => {
        const together = new World(variant, [0, 1, 2]);
        const alone = [0, 1, 2].map((at) => new World(variant, [at]));
        for (const step of steps) {
          for (const world of [together, ...alone]) world.run(step);
          alone.forEach((world, at) => expect(together.received(at)).toEqual(world.received(at)));
        }
      }),
      { numRuns: 40 },
    );
  });
});
