import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { defaultRules } from "../rules.ts";
import type { GuardRule } from "../rules.ts";
import { placeOf } from "./compare.ts";
import { RegistryGuard } from "./registry-guard.ts";
import type { RegistryGuardOptions } from "./options.ts";
import type { GuardRuling, SavedGuard } from "./registry-guard.ts";
import type { GuardStep } from "./step.ts";
import { Accepted, instance, keyOf, registry, service } from "./testing/world.ts";
import type { GuardedUpdate, RemovalEvidence } from "./update.ts";

const names = ["a", "b", "c", "d", "e"];
const numbers = [0, 1, 2, 3, 4, 5, 6, 7];

const endpoint = fc
  .record({
    id: fc.constantFrom(...numbers),
    // Most endpoints are at the address of their id; some are where another one was.
    at: fc.option(fc.constantFrom(...numbers), { freq: 8, nil: undefined }),
    servicePort: fc.constantFrom("http", "http", "http", "grpc"),
    weight: fc.constantFrom(1, 2),
  })
  .map(({ id, at, servicePort, weight }) =>
    instance(`i${id}`, {
      servicePort,
      weight,
      addresses: [{ type: "ip", ip: `10.0.0.${at ?? id}`, port: 80 }],
    }),
  );

const anyRecord = fc
  .record({
    name: fc.constantFrom(...names),
    instances: fc.uniqueArray(endpoint, { selector: ({ id }) => id, maxLength: 8, size: "max" }),
    grpc: fc.boolean(),
  })
  .map(({ name, instances, grpc }): ServiceRecord => ({
    service: grpc ? service(name, "grpc") : service(name),
    instances: instances.filter(({ servicePort }) => grpc || servicePort === "http"),
  }));
const someRecords = fc.uniqueArray(anyRecord, {
  selector: ({ service: { hostname } }) => hostname,
  maxLength: 5,
  size: "max",
});

const update: fc.Arbitrary<GuardedUpdate> = fc.oneof(
  someRecords.map((records) => ({ type: "snapshot" as const, records })),
  fc.record({ upserted: someRecords, removed: fc.subarray(names.map(keyOf)) }).map(({ upserted, removed }) => {
    const keys = new Set(upserted.map((record) => serviceKey(record.service)));
    return { type: "delta" as const, records: { upserted, removed: removed.filter((key) => !keys.has(key)) } };
  }),
  fc.constant({ type: "delta" as const }),
);

const evidence: fc.Arbitrary<RemovalEvidence> = fc.oneof(
  { weight: 4, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.record({ ids: fc.subarray(numbers), services: fc.subarray(names) }).map(({ ids, services }) => ({
      confirmed: (_: ServiceKey, { id }: ServiceInstance) => ids.some((number) => id === `i${number}`),
      scaledToZero: (key: ServiceKey) => services.some((name) => keyOf(name) === key),
    })),
  },
);

type Input =
  | {
      readonly type: "take";
      readonly update: GuardedUpdate;
      readonly evidence: RemovalEvidence;
      readonly version?: string;
    }
  | { readonly type: "tick"; readonly evidence?: RemovalEvidence }
  | { readonly type: "decide"; readonly which: number; readonly ruling: "accept" | "extend" };
type Timed = Input & { readonly afterMs: number };

const input: fc.Arbitrary<Timed> = fc
  .tuple(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.record(
          { type: fc.constant("take" as const), update, evidence, version: fc.constantFrom("1", "2", "3", "4") },
          { requiredKeys: ["type", "update", "evidence"] },
        ),
      },
      {
        weight: 3,
        arbitrary: fc.record({ type: fc.constant("tick" as const), evidence }, { requiredKeys: ["type"] }),
      },
      {
        weight: 1,
        arbitrary: fc.record({
          type: fc.constant("decide" as const),
          which: fc.nat(5),
          ruling: fc.constantFrom("accept" as const, "extend" as const),
        }),
      },
    ),
    fc.constantFrom(0, 1, 5, 10, 25, 100),
  )
  .map(([each, afterMs]) => ({ ...each, afterMs }));

const rule: fc.Arbitrary<GuardRule> = fc.record({
  mode: fc.constantFrom("hold", "hold", "hold", "accept", "hold-until-operator"),
  minRemoved: fc.constantFrom(0, 1, 2, 4),
  maxServiceShrink: fc.constantFrom(0, 0.3, 1, 1),
  maxSourceShrink: fc.constantFrom(0, 0.3, 0.6, 1),
  windowMs: fc.constantFrom(1, 20, 200),
  holdForMs: fc.constantFrom(0, 10, 50, 200),
  recoveryRatio: fc.constantFrom(0.5, 0.9, 1),
  confirmations: fc.constantFrom(0, 2, 3),
  releaseBatch: fc.constantFrom(1, 3, 100),
  releaseEveryMs: fc.constantFrom(0, 5, 20),
});
const options: fc.Arbitrary<RegistryGuardOptions> = fc
  .record({ source: rule, one: rule, other: rule })
  .map(({ source, one, other }) => ({
    registry,
    rule: source,
    ruleOf: (key) => (key === keyOf("a") || key === keyOf("b") ? one : other),
  }));

/** Plays inputs and remembers what the source said and what was accepted. */
class Play {
  readonly said = new Map<ServiceKey, ServiceRecord>();
  readonly accepted = new Accepted();
  readonly options: RegistryGuardOptions;
  guard: RegistryGuard;
  now = 1000;

  constructor(optionsOf: RegistryGuardOptions) {
    this.options = optionsOf;
    this.guard = new RegistryGuard(optionsOf);
  }

  play(each: Timed): GuardStep | undefined {
    this.now += each.afterMs;
    const step = this.#step(each);
    if (step !== undefined) this.accepted.fold(step.accepted);
    return step;
  }

  restart(): void {
    const saved = JSON.parse(JSON.stringify(this.guard.save())) as SavedGuard;
    this.guard = RegistryGuard.restore(this.options, [...this.accepted.records.values()], saved);
  }

  /** Ids of what is held, with the service before. */
  held(): Set<string> {
    return new Set(names.map(keyOf).flatMap((key) => [...this.guard.heldOf(key).keys()].map((id) => `${key} ${id}`)));
  }

  #step(each: Input): GuardStep | undefined {
    switch (each.type) {
      case "take":
        this.#say(each.update);
        return this.guard.take(each.update, {
          now: this.now,
          ...each.evidence,
          ...(each.version === undefined ? {} : { version: each.version }),
        });
      case "tick":
        return this.guard.tick(this.now, each.evidence);
      case "decide": {
        const status = this.guard.status()[each.which];
        const ruling: GuardRuling =
          each.ruling === "accept" ? { type: "accept" } : { type: "extend", untilMs: this.now + 30 };
        return status && this.guard.decide(status.id, ruling, this.now, "ann");
      }
    }
  }

  #say(said: GuardedUpdate): void {
    if (said.type === "snapshot") this.said.clear();
    const { upserted = [], removed = [] } =
      said.type === "snapshot" ? { upserted: said.records } : (said.records ?? {});
    for (const key of removed) this.said.delete(key);
    for (const record of upserted) this.said.set(serviceKey(record.service), record);
  }
}

const contentOf = (records: ReadonlyMap<ServiceKey, ServiceRecord>) => {
  const fold = new Accepted();
  for (const [key, record] of records) fold.records.set(key, record);
  return fold.content();
};
const endpointsOf = (records: ReadonlyMap<ServiceKey, ServiceRecord>) =>
  new Set([...records].flatMap(([key, { instances }]) => instances.map(({ id }) => `${key} ${id}`)));
const oneForEachPlace = (instances: readonly ServiceInstance[]) => [
  ...new Map(instances.map((instance) => [placeOf(instance), instance])).values(),
];
const namedIn = (step: GuardStep | undefined, type: "held" | "released") =>
  new Set(
    step?.decisions.flatMap((decision) =>
      decision.type === type
        ? decision.endpoints.flatMap(({ service: key, instances }) => instances.map((id) => `${key} ${id}`))
        : [],
    ),
  );
const isSorted = (keys: readonly string[]) =>
  keys.every((key, at) => at === 0 || byCodeUnit(keys[at - 1] ?? "", key) < 0);

const inputs = fc.array(input, { minLength: 1, maxLength: 30, size: "max" });
const runs = 150;
const check = (property: fc.IProperty<[RegistryGuardOptions, Timed[]]>) => fc.assert(property, { numRuns: runs });

describe("a guard, whatever its source says", () => {
  it("accepts what the source says and what is held, no more and no less", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const world = new Play(rules);
        for (const each of log) {
          world.play(each);
          const held = world.held();
          const said = endpointsOf(world.said);
          expect([...held].filter((id) => said.has(id))).toEqual([]);
          expect(endpointsOf(world.accepted.records)).toEqual(new Set([...said, ...held]));
          for (const { scope, service: key } of world.guard.status())
            expect(key === undefined).toBe(scope === "source");
        }
      }),
    );
  });

  it("never delays what comes or changes", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const world = new Play(rules);
        for (const each of log) {
          world.play(each);
          for (const [key, record] of world.said) {
            const accepted = world.accepted.records.get(key);
            expect(accepted?.service).toBe(record.service);
            expect(accepted?.instances.slice(0, record.instances.length)).toEqual(record.instances);
          }
        }
      }),
    );
  });

  it("lets nothing go that is held unless a decision names it, and holds nothing that none names", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const world = new Play(rules);
        for (const each of log) {
          const before = world.held();
          const services = new Set(world.accepted.records.keys());
          const wasSaid = new Set(world.said.keys());
          const step = world.play(each);
          const after = world.held();
          const [held, released] = [namedIn(step, "held"), namedIn(step, "released")];
          expect(new Set([...before].filter((id) => !after.has(id)))).toEqual(
            new Set([...released].filter((id) => before.has(id) && !after.has(id))),
          );
          expect(new Set([...after].filter((id) => !before.has(id)))).toEqual(
            new Set([...held].filter((id) => after.has(id) && !before.has(id))),
          );
          for (const id of released) expect(before.has(id) || held.has(id)).toBe(true);
          // A service that only the guard kept leaves by a decision, too.
          const let_go = new Set(
            step?.decisions.flatMap((decision) =>
              decision.type === "released" ? decision.endpoints.map(({ service: key }) => key) : [],
            ),
          );
          for (const key of services) {
            if (!world.accepted.records.has(key) && !wasSaid.has(key)) expect(let_go).toContain(key);
          }
        }
      }),
    );
  });

  it("says of its guards what it holds", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const world = new Play(rules);
        for (const each of log) {
          const step = world.play(each);
          const status = world.guard.status();
          const holders = names.map(keyOf).flatMap((key) => [...world.guard.heldOf(key).values()]);
          for (const { guard } of holders) expect(status.map(({ id }) => id)).toContain(guard);
          for (const { id, held } of status) {
            expect(held.endpoints).toBe(holders.filter(({ guard }) => guard === id).length);
            expect(held.services).toBeGreaterThan(0);
          }
          const last = new Map(
            step?.decisions.flatMap((decision) => ("remaining" in decision ? [[decision.id, decision.remaining]] : [])),
          );
          for (const [id, remaining] of last) expect(status.some((each) => each.id === id)).toBe(remaining > 0);
        }
      }),
    );
  });

  it("accepts what the source says once everything is let go", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const world = new Play(rules);
        for (const each of log) world.play(each);
        // Time alone ends every hold but those that only a person may end.
        for (let steps = 0, due = world.guard.dueAt(); due !== undefined; due = world.guard.dueAt()) {
          expect(++steps).toBeLessThan(1000);
          const step = world.play({ type: "tick", afterMs: Math.max(0, due - world.now) });
          expect(namedIn(step, "released").size + (step?.decisions.length ?? 0)).toBeGreaterThan(0);
        }
        for (const { service: key, mode } of world.guard.status()) {
          const { holdForMs } = key === undefined ? rules.rule : rules.ruleOf(key);
          expect(mode === "hold-until-operator" || holdForMs === 0).toBe(true);
        }
        for (let left = world.guard.status().length; left > 0; left--) {
          world.play({ type: "decide", which: 0, ruling: "accept", afterMs: 0 });
        }
        expect(world.guard.status()).toEqual([]);
        expect(world.accepted.content()).toEqual(contentOf(world.said));
      }),
    );
  });

  it("decides the same twice, also when it stops and starts again between any two inputs", () => {
    fc.assert(
      fc.property(options, someRecords, inputs, fc.infiniteStream(fc.boolean()), (rules, records, log, restarts) => {
        const [one, two] = [new Play(rules), new Play(rules)];
        // Before its first snapshot a guard has no baseline; a restart gives it one.
        const first: Timed = { type: "take", update: { type: "snapshot", records }, evidence: {}, afterMs: 0 };
        for (const each of [first, ...log]) {
          const step = one.play(each);
          expect(two.play(each)).toEqual(step);
          expect(two.guard.status()).toEqual(one.guard.status());
          expect(two.guard.dueAt()).toBe(one.guard.dueAt());
          if (restarts.next().value === true) two.restart();
        }
      }),
      { numRuns: runs },
    );
  });

  it("goes through all that it can decide in these properties", () => {
    const seen = new Set<string>();
    for (const [rules, log] of fc.sample(fc.tuple(options, inputs), { numRuns: 400, seed: 1 })) {
      const world = new Play(rules);
      for (const each of log) {
        for (const decision of world.play(each)?.decisions ?? []) {
          seen.add("reason" in decision ? `${decision.type} ${decision.reason}` : decision.type);
        }
      }
    }
    expect([...seen].sort()).toEqual([
      "extended",
      "held",
      "passed mode-accept",
      "passed scaled-to-zero",
      "released confirmed",
      "released operator",
      "released port-removed",
      "released recovery",
      "released replaced",
      "released returned",
      "released scaled-to-zero",
      "released time",
      "released versions",
      "tripped",
    ]);
  });

  it("hands on lists that are sorted and name a service once", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const world = new Play(rules);
        for (const each of log) {
          const accepted = world.play(each)?.accepted;
          if (accepted === undefined) continue;
          const upserted = (accepted.type === "snapshot" ? accepted.records : accepted.records.upserted).map((record) =>
            serviceKey(record.service),
          );
          const removed = accepted.type === "snapshot" ? [] : accepted.records.removed;
          expect(isSorted(upserted) && isSorted(removed)).toBe(true);
          expect(removed.filter((key) => upserted.includes(key))).toEqual([]);
        }
      }),
    );
  });

  it("does not mind in which order an update lists its services", () => {
    check(
      fc.property(options, inputs, (rules, log) => {
        const [one, two] = [new Play(rules), new Play(rules)];
        for (const each of log) {
          const step = one.play(each);
          if (each.type !== "take") {
            expect(two.play(each)).toEqual(step);
            continue;
          }
          const { update: said } = each;
          const reversed: GuardedUpdate =
            said.type === "snapshot"
              ? { ...said, records: [...said.records].reverse() }
              : said.records === undefined
                ? said
                : {
                    type: "delta",
                    records: {
                      upserted: [...said.records.upserted].reverse(),
                      removed: [...said.records.removed].reverse(),
                    },
                  };
          expect(two.play({ ...each, update: reversed })).toEqual(step);
        }
      }),
    );
  });

  it("never trips where no service has fewer endpoints after an update than before", () => {
    const sizes = fc.array(fc.array(fc.nat(3), { minLength: 5, maxLength: 5 }), { maxLength: 12 });
    fc.assert(
      fc.property(rule, sizes, fc.infiniteStream(fc.nat(20)), (strict, growths, ids) => {
        const world = new Play({ registry, rule: strict, ruleOf: () => strict });
        const counts = names.map(() => 0);
        let fresh = 0;
        let kept: readonly (readonly ServiceInstance[])[] = names.map(() => []);
        for (const growth of [[3, 3, 3, 3, 3], ...growths]) {
          kept = names.map((_, at) => {
            const count = (counts[at] ?? 0) + (growth[at] ?? 0);
            counts[at] = count;
            const stay = (kept[at] ?? []).filter(() => (ids.next().value ?? 0) > 8).slice(0, count);
            return [...stay, ...Array.from({ length: count - stay.length }, () => instance(`n${fresh++}`))];
          });
          const records = names.map((name, at) => ({ service: service(name), instances: kept[at] ?? [] }));
          const step = world.play({ type: "take", update: { type: "snapshot", records }, evidence: {}, afterMs: 1 });
          expect(step?.decisions).toEqual([]);
        }
      }),
    );
  });

  it("never accepts at once that more leaves a source at rest than its rule allows", () => {
    fc.assert(
      fc.property(someRecords, someRecords, fc.constantFrom(0.1, 0.3, 0.5), (before, after, maxSourceShrink) => {
        const source = { ...defaultRules.guard, maxSourceShrink };
        const world = new Play({ registry, rule: source, ruleOf: () => source });
        const only = (records: readonly ServiceRecord[]) =>
          records.map((record) => ({
            service: service(record.service.hostname.replace(".test", "")),
            // Two entries of one place become one without a loss, so here each place has one.
            instances: oneForEachPlace(record.instances.filter(({ servicePort }) => servicePort === "http")),
          }));
        world.play({ type: "take", update: { type: "snapshot", records: only(before) }, evidence: {}, afterMs: 0 });
        const had = endpointsOf(world.accepted.records).size;
        world.play({ type: "take", update: { type: "snapshot", records: only(after) }, evidence: {}, afterMs: 1 });
        const has = endpointsOf(world.accepted.records).size;
        expect(had - has < 2 || had - has <= maxSourceShrink * had + 1e-9).toBe(true);
      }),
      { numRuns: runs },
    );
  });
});
