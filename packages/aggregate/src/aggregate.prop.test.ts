import fc from "fast-check";
import type { ServiceRecord } from "@signalbox/model";
import type { RegistryUpdate } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { createInProcessBus, isEmptyDelta } from "@signalbox/event-bus";
import { defaultRules } from "@signalbox/policy";
import type { ServiceRules } from "@signalbox/policy";
import { FakeClock } from "@signalbox/registry/conformance";
import { settled } from "./testing/settled.ts";
import { configObject, comparable, FakeRegistry, instance, keyOf, service, workload, World } from "./testing/world.ts";
import { objectKey } from "@signalbox/model";
import type { RegistryId } from "@signalbox/model";

const names = ["a", "b", "c"];
const ips = ["192.0.2.1", "192.0.2.2", "192.0.2.3"];

type Said =
  | { readonly kind: "service"; readonly name: string; readonly ips: readonly string[]; readonly selects: boolean }
  | { readonly kind: "workload"; readonly name: string; readonly app: string; readonly ip: string }
  | { readonly kind: "object"; readonly name: string; readonly spec: number };

const said: fc.Arbitrary<Said> = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.record({
      kind: fc.constant("service" as const),
      name: fc.constantFrom(...names),
      ips: fc.subarray(ips),
      selects: fc.boolean(),
    }),
  },
  fc.record({
    kind: fc.constant("workload" as const),
    name: fc.constantFrom("w1", "w2"),
    app: fc.constantFrom("x", "y"),
    ip: fc.constantFrom(...ips),
  }),
  fc.record({ kind: fc.constant("object" as const), name: fc.constantFrom("o1", "o2"), spec: fc.nat(1) }),
);
const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant("delta" as const),
      who: fc.nat(2),
      said: fc.array(said),
      gone: fc.array(said),
    }),
  },
  { weight: 2, arbitrary: fc.record({ type: fc.constant("snapshot" as const), who: fc.nat(2), said: fc.array(said) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("remove" as const), who: fc.nat(2) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("fence" as const) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("pass" as const), ms: fc.constantFrom(1, 30, 60, 1200) }) },
  { weight: 4, arbitrary: fc.record({ type: fc.constant("turns" as const), count: fc.integer({ min: 1, max: 5 }) }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("rules" as const), drainForMs: fc.constantFrom(0, 1) }) },
);

/** A clock on which each look at it takes so many milliseconds, so that work ends its slice after few steps and the next thing comes in between. */
class CostlyClock extends FakeClock {
  readonly #lookMs: number;
  #spentMs = 0;

  constructor(lookMs: number) {
    super();
    this.#lookMs = lookMs;
  }

  override now(): number {
    this.#spentMs += this.#lookMs;
    return super.now() + this.#spentMs;
  }
}

describe.each([
  { how: "at once", lookMs: 0 },
  { how: "in slices of few steps", lookMs: 2 },
  { how: "in slices of one step", lookMs: 9 },
])("an aggregate of three registries that works $how", ({ lookMs }) => {
  it("publishes deltas whose fold is its catalog, and the catalog depends only on what was said last", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), async (steps) => {
        const registries = [0, 1, 2].map((who) => new FakeRegistry(String(who)));
        const shards = registries.map(() => emptyShard());
        const present = new Set([0, 1, 2]);
        const clock = new CostlyClock(lookMs);
        const world = await new World({ registries, clock, freshness: never.freshness }).start();
        for (const registry of registries) registry.snapshot();
        for (const one of steps) {
          if (one.type === "pass") await clock.advance(one.ms);
          else if (one.type === "turns") for (let turn = 0; turn < one.count; turn++) await settled();
          else if (one.type === "rules") world.aggregate.setServiceRules(() => rulesWith(one.drainForMs));
          else if (one.type === "fence") await world.bus.lead(() => nothing, never.signal);
          else if (present.has(one.who)) {
            const [registry, shard] = [registries[one.who], shards[one.who]];
            if (registry === undefined || shard === undefined) throw new RangeError("no such registry");
            if (one.type === "remove") {
              present.delete(one.who);
              shards[one.who] = emptyShard();
              await world.aggregate.removeRegistry(registry.id);
            } else registry.push(say(shard, registry.id, one));
          }
        }
        await rest(clock);
        // Who was fenced learns of it when it next publishes.
        registries.forEach((registry, who) => {
          if (present.has(who))
            registry.push({
              type: "delta",
              objects: { upserted: [configObject(registry.id, "last", 0)], removed: [] },
            });
        });
        if (present.size === 0) return world.stop();
        await rest(clock);
        await clock.advance(60_000);
        await rest(clock);
        const fresh = await freshCatalog(
          registries.filter((_, who) => present.has(who)),
          shards.filter((_, who) => present.has(who)),
        );
        expect(world.aggregate.catalog().revision).toEqual(world.consumed.revision);
        expect(comparable(world.consumed)).toEqual(comparable(world.aggregate.catalog()));
        expect(comparable(world.aggregate.catalog())).toEqual(fresh);
        let previous = -1;
        for (const event of world.events) {
          if (event.type === "snapshot") previous = event.catalog.revision.sequence;
          else {
            expect(isEmptyDelta(event.delta)).toBe(false);
            expect([event.previous.sequence, event.revision.sequence]).toEqual([previous, previous + 1]);
            previous = event.revision.sequence;
          }
        }
        await world.stop();
        expect(world.log.filter((line) => line.level === "error")).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });
});

/** Lets pass what a storm may take at most, and as many turns of the event loop as all that is known may need to be worked through. */
async function rest(clock: FakeClock): Promise<void> {
  for (let round = 0; round < 3; round++) {
    await clock.advance(2000);
    for (let turn = 0; turn < 100; turn++) await settled();
  }
}

function rulesWith(drainForMs: number): ServiceRules {
  return { ...defaultRules, health: { ...defaultRules.health, drainForMs } };
}

const never = { signal: new AbortController().signal, freshness: { staleAfterMs: Number.POSITIVE_INFINITY } };
const nothing = { entries: new Map(), workloads: new Map(), objects: new Map() } as const;

interface ModelShard {
  readonly records: Map<string, ServiceRecord>;
  readonly saidWorkloads: Map<string, Extract<Said, { kind: "workload" }>>;
  readonly saidObjects: Map<string, Extract<Said, { kind: "object" }>>;
}

function emptyShard(): ModelShard {
  return {
    records: new Map(),
    saidWorkloads: new Map(),
    saidObjects: new Map(),
  };
}

type Speech =
  | { readonly type: "snapshot"; readonly said: readonly Said[] }
  | { readonly type: "delta"; readonly said: readonly Said[]; readonly gone: readonly Said[] };

/** Keeps in the model what is said, and makes the update that says it. */
function say(shard: ModelShard, registry: RegistryId, speech: Speech): RegistryUpdate {
  const key = (one: Said) => `${one.kind} ${one.name}`;
  const last = new Map(speech.said.map((one) => [key(one), one]));
  const gone = new Map(speech.type === "delta" ? speech.gone.map((one) => [key(one), one]) : []);
  for (const name of last.keys()) gone.delete(name);
  if (speech.type === "snapshot")
    for (const map of [shard.records, shard.saidWorkloads, shard.saidObjects]) map.clear();
  for (const one of gone.values()) {
    if (one.kind === "service") shard.records.delete(one.name);
    else if (one.kind === "workload") shard.saidWorkloads.delete(one.name);
    else shard.saidObjects.delete(one.name);
  }
  for (const one of last.values()) {
    if (one.kind === "service") shard.records.set(one.name, recordFrom(registry, one));
    else if (one.kind === "workload") shard.saidWorkloads.set(one.name, one);
    else shard.saidObjects.set(one.name, one);
  }
  if (speech.type === "snapshot") return wholeOf(shard, registry);
  const saidNow = [...last.values()];
  const goneNow = [...gone.values()];
  return {
    type: "delta",
    records: {
      upserted: saidNow.flatMap((one) => (one.kind === "service" ? [recordFrom(registry, one)] : [])),
      removed: goneNow.flatMap((one) => (one.kind === "service" ? [keyOf(one.name)] : [])),
    },
    workloads: {
      upserted: saidNow.flatMap((one) => (one.kind === "workload" ? [workloadFrom(registry, one)] : [])),
      removed: goneNow.flatMap((one) => (one.kind === "workload" ? [workloadFrom(registry, one).key] : [])),
    },
    objects: {
      upserted: saidNow.flatMap((one) => (one.kind === "object" ? [configObject(registry, one.name, one.spec)] : [])),
      removed: goneNow.flatMap((one) =>
        one.kind === "object" ? [objectKey(configObject(registry, one.name, 0))] : [],
      ),
    },
  };
}

function wholeOf(shard: ModelShard, registry: RegistryId): RegistryUpdate {
  return {
    type: "snapshot",
    records: [...shard.records.values()],
    workloads: [...shard.saidWorkloads.values()].map((one) => workloadFrom(registry, one)),
    objects: [...shard.saidObjects.values()].map((one) => configObject(registry, one.name, one.spec)),
  };
}

function recordFrom(registry: RegistryId, one: Extract<Said, { kind: "service" }>): ServiceRecord {
  return {
    service: service(registry, one.name, one.selects ? { workloadSelector: { app: "x" } } : {}),
    instances: one.ips.map((ip) => instance(registry, ip, { labels: { from: registry } })),
  };
}

function workloadFrom(registry: RegistryId, one: Extract<Said, { kind: "workload" }>) {
  return workload(registry, one.name, { app: one.app }, { addresses: [one.ip] });
}

/** What a new aggregate makes of the final state of the shards, told in reverse order. */
async function freshCatalog(registries: readonly FakeRegistry[], shards: readonly ModelShard[]): Promise<unknown> {
  const copies = registries.map((registry) => new FakeRegistry(registry.id.slice("fake/".length)));
  const world = await new World({ registries: copies }, createInProcessBus()).start();
  for (const [who, copy] of [...copies.entries()].reverse()) {
    const shard = shards[who] ?? emptyShard();
    const whole = wholeOf(shard, copy.id);
    if (whole.type !== "snapshot") throw new TypeError("not a snapshot");
    copy.push({ ...whole, objects: [...(whole.objects ?? []), configObject(copy.id, "last", 0)] });
  }
  await world.calm();
  const catalog = comparable(world.aggregate.catalog());
  await world.stop();
  return catalog;
}
