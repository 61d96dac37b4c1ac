import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TypeUrl } from "@signalbox/envoy-api";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, EDS, LDS, RDS } from "../testing/fake-stream.ts";
import { ModelClient, modelResource } from "../testing/model-client.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

const types = [CDS, EDS, LDS, RDS];
const names = ["a", "b", "c", "d"];
const anyType = fc.constantFrom(...types);
const anyGroup = fc.constantFrom("one", "two");
const anyClient = fc.nat({ max: 2 });
const change = fc.record({
  type: anyType,
  name: fc.constantFrom(...names),
  content: fc.option(fc.constantFrom("1", "2", "3")),
});
const someNames = fc.oneof(
  { weight: 3, arbitrary: fc.subarray(names) },
  { weight: 1, arbitrary: fc.constant(["*"]) },
  { weight: 1, arbitrary: fc.constant(["*", "a"]) },
);
const action = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("change" as const),
      group: anyGroup,
      changes: fc.array(change, { maxLength: 6 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({ do: fc.constant("subscribe" as const), client: anyClient, type: anyType, names: someNames }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      do: fc.constant("process" as const),
      client: anyClient,
      count: fc.integer({ min: 1, max: 4 }),
      refuse: fc.boolean(),
    }),
  },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("stick" as const), client: anyClient }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant("finish" as const), client: anyClient }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("reconnect" as const), client: anyClient }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.integer({ min: 1, max: 20_000 }) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("clear" as const), group: anyGroup }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("switch" as const), group: anyGroup }) },
);
type Action = typeof action extends fc.Arbitrary<infer T> ? T : never;

class World {
  readonly cache = new SnapshotCache();
  readonly clock = new FakeXdsClock();
  readonly source = new SwitchingSource(this.cache, "one");
  readonly protocol = createXdsProtocol({ source: this.source, clock: this.clock });
  readonly clients: readonly ModelClient[];

  constructor(variant: "sotw" | "delta") {
    this.clients = [0, 1, 2].map(() => new ModelClient(variant, this.protocol.accept));
  }

  run(step: Action): void {
    const client = "client" in step ? this.clients[step.client] : undefined;
    switch (step.do) {
      case "change":
        this.#change(step.group, step.changes);
        break;
      case "subscribe":
        client?.subscribe(step.type, step.names);
        break;
      case "process":
        client?.process(step.count, step.refuse);
        break;
      case "stick":
        if (client) client.stream.stuck = true;
        break;
      case "finish":
        client?.stream.finishWrite();
        break;
      case "reconnect":
        client?.reconnect();
        break;
      case "wait":
        this.clock.advance(step.ms);
        break;
      case "clear":
        this.cache.clearSnapshot(step.group);
        break;
      case "switch":
        this.source.switchTo(step.group);
        break;
    }
  }

  #change(group: string, changes: readonly { type: TypeUrl; name: string; content: string | null }[]): void {
    const last = new Map(changes.map((one) => [`${one.type} ${one.name}`, one]));
    const byType = new Map(
      types.map((type) => {
        const mine = [...last.values()].filter((one) => one.type === type);
        const upserted = mine.flatMap(({ name, content }) =>
          content === null ? [] : [modelResource(type, name, content)],
        );
        return [type, { upserted, removed: mine.flatMap(({ name, content }) => (content === null ? [name] : [])) }];
      }),
    );
    this.cache.update(group, byType);
  }

  /** Lets all clients take and accept what comes until nothing comes any more. */
  settle(): void {
    for (let round = 0; round < 200; round++) {
      let moved = 0;
      for (const client of this.clients) {
        client.stream.stuck = false;
        client.stream.finishWrite();
        moved += client.process(100, false);
      }
      if (moved === 0 && this.clock.timers === 0) return;
      this.clock.advance(1000);
    }
    throw new Error("never quiet");
  }

  check(variant: "sotw" | "delta"): void {
    const view = this.cache.view(this.source.group);
    if (view === undefined) return;
    for (const client of this.clients) {
      for (const { type, wants, held } of client.state()) {
        const expected = [...view.resources(type).values()].filter(({ name }) => wants(name));
        const actual = [...held].filter(([name]) => wants(name));
        // SotW cannot say that endpoints or routes are gone.
        const comparable = actual.filter(
          ([name]) => variant === "delta" || type === CDS || type === LDS || view.resources(type).has(name),
        );
        const version = (name: string, content: string): string => modelResource(type, name, content).version;
        expect({ type, held: new Map(comparable.map(([name, content]) => [name, version(name, content)])) }).toEqual({
          type,
          held: new Map(expected.map((resource) => [resource.name, resource.version])),
        });
      }
    }
  }
}

describe.each(["sotw", "delta"] as const)("%s clients", (variant) => {
  it("hold, once all is quiet, exactly what they asked for of what there is", () => {
    fc.assert(
      fc.property(fc.array(action, { minLength: 5, maxLength: 60 }), (steps) => {
        const world = new World(variant);
        for (const step of steps) world.run(step);
        world.settle();
        world.check(variant);
        for (const client of world.clients) client.stream.close();
        expect(world.protocol.status()).toEqual([]);
        expect(world.clock.timers).toBe(0);
      }),
      { numRuns: 150 },
    );
  });
});
