import { describe, expect, it } from "vitest";
import type { GuardRule } from "../rules.ts";
import { NoGuardError } from "./decision.ts";
import { RegistryGuard } from "./registry-guard.ts";
import { ids, instance, keyOf, kindsIn, never, reasonsIn, record, registry, service, World } from "./testing/world.ts";

const many = (count: number, each = 2) =>
  Object.fromEntries(ids("s", count).map((name) => [name, ids(`${name}-`, each)]));

/** A world in which only services trip, with two of ten endpoints each. */
function serviceWorld(rule: Partial<GuardRule> = {}): World {
  const world = new World({ source: never, of: () => rule });
  world.snapshot({ a: ids("a", 10), b: ids("b", 10) });
  return world;
}

/** A world in which only the source trips: twenty services with five endpoints each. */
function sourceWorld(rule: Partial<GuardRule> = {}): World {
  const world = new World({ source: rule, of: () => never });
  world.snapshot(many(20, 5));
  return world;
}

describe("what trips", () => {
  it.each<[string, Record<string, readonly string[]>, Record<string, readonly string[] | undefined>, boolean]>([
    ["all endpoints of a service", { a: ids("a", 3), b: ids("b", 20) }, { a: [] }, true],
    ["a service that is gone", { a: ids("a", 3), b: ids("b", 20) }, { a: undefined }, true],
    ["all but one of a service do not", { a: ids("a", 3), b: ids("b", 20) }, { a: ["a0"] }, false],
    ["a service with one endpoint that goes to none does not", { a: ["a0"], b: ids("b", 20) }, { a: [] }, false],
    ["one of two endpoints of a source does not", { a: ["a0"], b: ["b0"] }, { a: [] }, false],
    ["more than 30 % of a source's endpoints", { a: ids("a", 10) }, { a: ids("a", 6) }, true],
    ["30 % of a source's endpoints do not", { a: ids("a", 10) }, { a: ids("a", 7) }, false],
    [
      "more than 30 % of a source's services, though they have few of its endpoints",
      { ...many(4, 1), b: ids("b", 100) },
      { s0: [], s1: undefined },
      true,
    ],
    ["a restart of all endpoints in one update does not", { a: ids("a", 10) }, { a: ids("x", 10) }, false],
    ["a service that was renamed does not", { a: ["a0"], b: ["b0"], c: ["c0"] }, { a: undefined, d: ["a0"] }, false],
    ["endpoints that only changed their ids do not", { a: ids("a", 10) }, { a: ids("a", 10) }, false],
  ])("%s", (_name, before, change, trips) => {
    for (const mode of ["delta", "snapshot"] as const) {
      const world = new World();
      world.snapshot(before);
      const next = Object.entries({ ...before, ...change }).filter((entry) => entry[1] !== undefined);
      if (mode === "delta") world.delta(change);
      else world.snapshot(Object.fromEntries(next) as Record<string, readonly string[]>);
      expect(world.guard.status()).toHaveLength(trips ? 1 : 0);
      const expected = trips ? Object.entries(before) : next;
      expect(world.accepted.content()).toEqual(
        Object.fromEntries(expected.map(([name, list]) => [name, [...(list ?? [])].sort()])),
      );
    }
  });

  it("counts endpoints, not their ports", () => {
    const world = new World({ source: never });
    const both = (id: string) => [
      instance(`${id}-http`),
      instance(`${id}-admin`, { servicePort: "admin", addresses: [{ type: "ip", ip: "10.0.0.1", port: 1 }] }),
    ];
    world.take({ type: "snapshot", records: [{ service: service("a", "admin"), instances: both("one") }] });
    world.delta({ a: [] });
    expect(world.accepted.ids("a")).toEqual([]);
  });

  it("adds up what leaves in many updates within the window, and holds from the one that is too much", () => {
    const world = sourceWorld();
    for (const [index, name] of ids("s", 20).entries()) {
      world.now += 1000;
      world.delta({ [name]: ids(`${name}-`, 3) });
      // 2 of 100 each: 30 are believed, from the 32nd on they are held.
      expect(world.held(name)).toHaveLength(index < 15 ? 0 : 2);
    }
    expect(world.guard.status()).toMatchObject([
      { scope: "source", why: { counted: "endpoints", removed: 32, baseline: 100, ratio: 0.32, limit: 0.3 } },
    ]);
    expect(world.accepted.ids("s0")).toHaveLength(3);
  });

  it("does not add up what leaves slower than the window", () => {
    const world = sourceWorld();
    for (const name of ids("s", 20)) {
      world.now += 6000;
      world.delta({ [name]: ids(`${name}-`, 3) });
    }
    expect(world.decisions).toEqual([]);
  });

  it("does not add up what left before the source's window, though that of the service is longer", () => {
    const world = new World({ of: () => ({ ...never, windowMs: 1e9 }) });
    world.snapshot(many(20, 5));
    world.delta(Object.fromEntries(ids("s", 20).map((name) => [name, ids(`${name}-`, 4)])));
    world.now += 60_001;
    world.delta(Object.fromEntries(ids("s", 8).map((name) => [name, ids(`${name}-`, 2)])));
    expect(world.decisions).toEqual([]);
  });

  it("adds up what leaves a service one by one", () => {
    const world = serviceWorld({ maxServiceShrink: 0.5 });
    for (let left = 9; left >= 0; left--) world.delta({ a: ids("a", left) });
    expect(world.held("a")).toEqual(["a0", "a1", "a2", "a3", "a4"]);
    expect(world.guard.status()).toMatchObject([
      { scope: "service", service: keyOf("a"), why: { removed: 6, baseline: 10 } },
    ]);
  });

  it.each([
    ["new endpoints come before old ones leave", true],
    ["old endpoints leave before new ones come", false],
  ])("lets a rolling restart pass in which %s", (_name, first) => {
    const world = new World({ of: () => ({ maxServiceShrink: 0.2 }) });
    let current = ids("a", 10);
    world.snapshot({ a: current });
    for (let at = 0; at < 10; at++) {
      const [less, more] = [current.filter((id) => id !== `a${at}`), [...current, `x${at}`]];
      world.delta({ a: first ? more : less });
      current = [...less, `x${at}`];
      world.delta({ a: current });
    }
    expect(world.decisions).toEqual([]);
    expect(world.accepted.ids("a")).toEqual(ids("x", 10));
  });

  it("lets twice as many come and the old ones leave afterwards", () => {
    const world = new World({ of: () => ({ maxServiceShrink: 0.2 }) });
    world.snapshot({ a: ids("a", 10) });
    world.delta({ a: [...ids("a", 10), ...ids("x", 10)] });
    world.delta({ a: ids("x", 10) });
    expect(world.decisions).toEqual([]);
  });

  it("does not let a service that grew just now lose what came", () => {
    const world = new World({ of: () => ({ maxServiceShrink: 0.5 }) });
    world.snapshot({ a: ids("a", 10) });
    world.delta({ a: ids("a", 100) });
    world.delta({ a: ids("a", 40) });
    expect(world.accepted.ids("a")).toHaveLength(100);
  });

  it("believes the first snapshot as it is, and an empty one too", () => {
    const world = new World();
    world.snapshot({});
    world.snapshot({ a: ids("a", 3) });
    expect(world.decisions).toEqual([]);
    expect(world.accepted.ids("a")).toHaveLength(3);
  });

  it("judges the first snapshot by records that were accepted before a restart", () => {
    const world = new World();
    world.guard = RegistryGuard.restore(world.options, [record("a", ids("a", 3))]);
    world.snapshot({});
    expect(world.accepted.content()).toEqual({ a: ids("a", 3) });
  });

  it("holds services without endpoints as well", () => {
    const world = new World();
    world.snapshot(many(10, 0));
    const step = world.snapshot(many(5, 0));
    expect(Object.keys(world.accepted.content())).toHaveLength(10);
    expect(step.decisions).toMatchObject([
      { type: "tripped", scope: "source", why: { counted: "services", removed: 5 } },
      {
        type: "held",
        endpoints: ids("s", 10)
          .slice(5)
          .map((name) => ({ service: keyOf(name), instances: [] })),
      },
    ]);
    expect(reasonsIn(world.snapshot(many(10, 0)))).toEqual(["returned"]);
  });

  it("lets endpoints leave whose port the service no longer has", () => {
    const world = new World();
    const at = (port: string) => ids(port, 3).map((id) => instance(id, { servicePort: port }));
    world.take({ type: "snapshot", records: [{ service: service("a", "grpc"), instances: at("grpc") }] });
    world.delta({ a: [] });
    expect(world.accepted.ids("a")).toEqual([]);
  });
});

describe("what is confirmed or meant", () => {
  it("never holds what is confirmed, and does not count it", () => {
    const world = serviceWorld();
    world.delta({ a: [] }, { confirmed: (_, { id }) => id !== "a0" });
    expect(world.decisions).toEqual([]);
    expect(world.accepted.ids("a")).toEqual([]);
  });

  it("holds the others", () => {
    const world = serviceWorld();
    world.delta({ a: [] }, { confirmed: (_, { id }) => id === "a0" });
    expect(world.held("a")).toEqual(ids("a", 10).slice(1));
  });

  it("lets go of what is confirmed later, with an update of the service or a tick", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    const update = world.delta({ a: [] }, { confirmed: (_, { id }) => id === "a0" });
    const tick = world.tick(1, { confirmed: (_, { id }) => id === "a1" });
    expect([update, tick].map(reasonsIn)).toEqual([["confirmed"], ["confirmed"]]);
    expect(world.held("a")).toEqual(ids("a", 10).slice(2));
    // Of the eight that may still come back, eight are nine tenths.
    world.delta({ a: ids("a", 10).slice(3) });
    expect(world.held("a")).toEqual(["a2"]);
    world.delta({ a: ids("a", 10).slice(2) });
    expect(world.guard.status()).toEqual([]);
  });

  it("believes a service that was scaled to zero, and says so", () => {
    const world = serviceWorld();
    const step = world.delta({ a: [] }, { scaledToZero: (key) => key === keyOf("a") });
    expect(step.decisions).toMatchObject([
      { type: "passed", scope: "service", service: keyOf("a"), reason: "scaled-to-zero", why: { removed: 10 } },
    ]);
    expect(world.accepted.ids("a")).toEqual([]);
  });

  it("does not ask whether a service was scaled to zero that has endpoints", () => {
    const world = serviceWorld({ maxServiceShrink: 0.5 });
    world.delta({ a: ["a0"] }, { scaledToZero: () => true });
    expect(world.held("a")).toHaveLength(9);
  });

  it.each(["update", "tick"])("lets go when it turns out with an %s that a service was scaled to zero", (how) => {
    const world = serviceWorld();
    world.delta({ a: [] });
    const evidence = { scaledToZero: () => true };
    const step = how === "tick" ? world.tick(0, evidence) : world.delta({ a: undefined }, evidence);
    expect(reasonsIn(step)).toEqual(["scaled-to-zero"]);
    expect(world.accepted.ids("a")).toEqual(how === "tick" ? [] : undefined);
  });
});

describe("evidence", () => {
  it("is asked for all that is held when a snapshot comes, also where it says nothing new", () => {
    const world = serviceWorld({ maxServiceShrink: 0.5 });
    const records = [record("a", ["a0"]), record("b", ids("b", 10))];
    world.take({ type: "snapshot", records });
    world.take({ type: "snapshot", records }, { confirmed: (_, { id }) => id === "a5" });
    expect(world.held("a")).toEqual(["a1", "a2", "a3", "a4", "a6", "a7", "a8", "a9"]);
  });

  it("has the guard wait for fewer endpoints", () => {
    const world = serviceWorld();
    world.delta({ a: [] }, { confirmed: (_, { id }) => id === "a9" });
    world.tick(1, { confirmed: (_, { id }) => id >= "a2" });
    expect(world.held("a")).toEqual(["a0", "a1"]);
    expect(world.guard.save().guards).toMatchObject([
      { baseline: 2, members: [[keyOf("a"), { baseline: 2, missing: 2 }]] },
    ]);
  });

  it("takes services out of the count of those that left", () => {
    const world = new World();
    world.snapshot({ ...many(20, 1), big: ids("big", 100) });
    world.delta(Object.fromEntries(ids("s", 7).map((name) => [name, []])));
    world.tick(0, { scaledToZero: () => true });
    expect(world.guard.status()).toEqual([]);
    world.delta({ s7: [], s8: [], s9: [] });
    expect(world.guard.status()).toEqual([]);
  });

  it("has what left a service before it was scaled to zero count no more", () => {
    const world = new World();
    world.snapshot({ a: ids("a", 10), b: ids("b", 20) });
    world.delta({ a: ids("a", 5) });
    world.delta({ a: [] }, { scaledToZero: () => true });
    world.delta({ b: ids("b", 16) });
    expect(world.guard.status()).toEqual([]);
  });
});

describe("while it holds", () => {
  it("applies what comes and what changes at once", () => {
    const world = sourceWorld();
    world.snapshot(many(10, 5));
    const changed = { ...record("s0", ids("s0-", 5)), service: { ...service("s0"), labels: { new: "yes" } } };
    const step = world.take({ type: "delta", records: { upserted: [changed, record("n", ["n0"])], removed: [] } });
    expect(step.accepted).toEqual({
      type: "delta",
      records: { upserted: [record("n", ["n0"]), changed], removed: [] },
    });
    expect(Object.keys(world.accepted.content())).toHaveLength(21);
  });

  it("holds what leaves after that too, until it is replaced", () => {
    const world = sourceWorld();
    world.snapshot(many(10, 5));
    world.delta({ s0: ids("s0-", 4) });
    expect(world.held("s0")).toEqual(["s0-4"]);
    expect(reasonsIn(world.delta({ s0: [...ids("s0-", 4), "x"] }))).toEqual(["replaced"]);
    expect(world.accepted.ids("s0")).toEqual([...ids("s0-", 4), "x"]);
  });

  it("does not count what was replaced while it was held", () => {
    const world = serviceWorld({ maxServiceShrink: 0.5 });
    world.delta({ a: ids("a", 4) });
    world.delta({ a: [...ids("a", 4), ...ids("x", 6)] });
    expect(world.guard.status()).toEqual([]);
    world.delta({ a: ids("x", 5) });
    expect(world.accepted.ids("a")).toEqual(ids("x", 5));
  });

  it("holds the endpoint that left, not one that changed its id in the same update", () => {
    const world = serviceWorld({ maxServiceShrink: 0.5 });
    const moved = { service: service("a"), instances: [{ ...instance("a9"), id: "z" }] };
    world.take({ type: "delta", records: { upserted: [moved], removed: [] } });
    expect(world.accepted.ids("a")).toEqual([...ids("a", 9), "z"]);
  });

  it("holds no more when a service that has no endpoints any more is gone as well", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    expect(world.delta({ a: undefined }).decisions).toEqual([]);
    expect(world.accepted.ids("a")).toEqual(ids("a", 10));
  });

  it("no longer holds what is back, whole or in part, also under another id at its old address", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    expect(reasonsIn(world.delta({ a: ["a0", "a1"] }))).toEqual(["returned"]);
    expect(world.held("a")).toEqual(ids("a", 10).slice(2));
    const moved = {
      service: service("a"),
      instances: [...record("a", ["a0", "a1"]).instances, { ...instance("a2"), id: "z" }],
    };
    const step = world.take({ type: "delta", records: { upserted: [moved], removed: [] } });
    expect(step.decisions).toMatchObject([{ reason: "returned", endpoints: [{ instances: ["a2"] }], remaining: 7 }]);
    expect(world.accepted.ids("a")).toEqual([...ids("a", 10).filter((id) => id !== "a2"), "z"]);
  });

  it("lets go when the service has no such port any more", () => {
    const world = new World({ source: never });
    const a = {
      service: service("a", "grpc"),
      instances: ids("g", 3).map((id) => instance(id, { servicePort: "grpc" })),
    };
    world.take({ type: "snapshot", records: [a] });
    world.take({ type: "delta", records: { upserted: [{ ...a, instances: [] }], removed: [] } });
    expect(world.held("a")).toHaveLength(3);
    expect(reasonsIn(world.delta({ a: [] }))).toEqual(["port-removed"]);
    expect(world.guard.status()).toEqual([]);
  });

  it("keeps the record of a service that is gone, as it was said last", () => {
    const world = serviceWorld();
    const last = { ...record("a", ids("a", 10)), service: { ...service("a"), labels: { last: "yes" } } };
    world.take({ type: "delta", records: { upserted: [last], removed: [] } });
    world.delta({ a: undefined });
    expect(world.accepted.records.get(keyOf("a"))).toEqual(last);
    expect(world.guard.heldOf(keyOf("a")).get("a3")).toEqual({
      guard: world.guard.status()[0]?.id,
      scope: "service",
      instance: instance("a3"),
      since: world.now,
    });
  });

  it("names the services of which other endpoints are held", () => {
    const world = serviceWorld();
    expect(world.delta({ a: [], b: ids("b", 9) }).heldChanged).toEqual([keyOf("a")]);
    expect(world.delta({ b: ids("b", 8) }).heldChanged).toEqual([]);
    expect(world.delta({ a: ["a0"] }).heldChanged).toEqual([keyOf("a")]);
  });

  it("has one guard for the source, and another for a service whose own rule holds otherwise", () => {
    const world = new World({ of: (name) => (name === "s1" ? { mode: "hold-until-operator" } : {}) });
    world.snapshot(many(4));
    world.snapshot(many(1));
    expect(world.guard.status()).toMatchObject([
      { scope: "source", held: { services: 2, endpoints: 4 }, holdUntil: world.now + 300_000, mode: "hold" },
      { scope: "service", service: keyOf("s1"), held: { services: 1, endpoints: 2 }, mode: "hold-until-operator" },
    ]);
    expect(world.guard.status()[1]).not.toHaveProperty("holdUntil");
  });
});

describe("what ends a hold", () => {
  it("is recovery: once nine tenths are back, the rest is let go at once", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    expect(reasonsIn(world.delta({ a: ids("a", 8) }))).toEqual(["returned"]);
    expect(world.held("a")).toEqual(["a8", "a9"]);
    const step = world.delta({ a: ids("a", 9) });
    expect(reasonsIn(step)).toEqual(["returned", "recovery"]);
    expect(world.accepted.ids("a")).toEqual(ids("a", 9));
    expect(world.guard.status()).toEqual([]);
  });

  it("is recovery of the source, for which other services that came do not count", () => {
    const world = sourceWorld();
    world.snapshot(many(10, 5));
    world.delta({ big: ids("big", 1000) });
    expect(world.guard.status()).toHaveLength(1);
    expect(reasonsIn(world.delta(many(17, 5)))).toEqual(["returned"]);
    expect(reasonsIn(world.delta(many(18, 5)))).toEqual(["returned", "recovery"]);
    expect(world.accepted.ids("s19")).toBeUndefined();
  });

  it("is not recovery while more is missing than may leave at once", () => {
    const world = sourceWorld({ maxSourceShrink: 0.05 });
    world.snapshot(many(18, 5));
    expect(world.guard.status()).toMatchObject([{ held: { endpoints: 10 } }]);
  });

  it("is not recovery right after a loss of which most was believed before", () => {
    const world = sourceWorld();
    world.delta(Object.fromEntries(ids("s", 6).map((name) => [name, []])));
    world.delta({ s6: ids("s6-", 3) });
    expect(world.held("s6")).toEqual(["s6-3", "s6-4"]);
  });

  it("is not recovery of a source that lacks services which left before it tripped", () => {
    const world = new World();
    world.snapshot(many(10, 0));
    world.delta({ s0: undefined, s1: undefined, s2: undefined });
    world.delta({ s3: undefined });
    expect(Object.keys(world.accepted.content())).toContain("s3");
  });

  it("is recovery of what the source had in its window, though that of a service is longer", () => {
    const world = new World({ of: () => ({ ...never, windowMs: 1e9 }) });
    world.snapshot({ ...many(10, 1), big: ids("big", 100) });
    world.delta({ big: ids("big", 80) });
    world.now += 60_001;
    world.delta(Object.fromEntries(ids("s", 4).map((name) => [name, undefined])));
    expect(world.guard.save().guards).toMatchObject([{ baseline: 90, services: 11 }]);
  });

  it("is not recovery of services that are back without their endpoints", () => {
    const world = new World();
    world.snapshot({ ...many(10, 1), big: ids("big", 100) });
    const four = ids("s", 4);
    world.delta(Object.fromEntries(four.map((name) => [name, undefined])));
    world.delta(Object.fromEntries(four.map((name) => [name, []])));
    expect(four.flatMap((name) => world.held(name))).toHaveLength(4);
  });

  it("is recovery at exactly the ratio, whatever floating point makes of it", () => {
    const world = new World({ source: never, of: () => ({ recoveryRatio: 0.07 }) });
    world.snapshot({ a: ids("a", 100) });
    world.delta({ a: [] });
    world.delta({ a: ids("a", 7) });
    expect(world.guard.status()).toEqual([]);
  });

  it("is time, in batches with a pause between them", () => {
    const world = sourceWorld({ releaseBatch: 20, releaseEveryMs: 500 });
    world.snapshot(many(10, 5));
    expect(world.guard.dueAt()).toBe(world.now + 300_000);
    expect(world.tick(299_999).decisions).toEqual([]);
    const first = world.tick(1);
    expect(first.decisions).toMatchObject([{ type: "released", reason: "time", remaining: 30 }]);
    expect(first.accepted.records).toMatchObject({ removed: ["s10", "s11", "s12", "s13"].map(keyOf), upserted: [] });
    expect(world.guard.status()).toMatchObject([
      { releasing: true, released: 20, held: { services: 6, endpoints: 30 } },
    ]);
    expect(world.guard.dueAt()).toBe(world.now + 500);
    expect(world.tick(499).decisions).toEqual([]);
    expect(world.tick(1).decisions).toMatchObject([{ remaining: 10 }]);
    // However late it is told, one step is one batch.
    world.tick(10_000);
    expect(world.guard.status()).toEqual([]);
    expect(world.guard.dueAt()).toBeUndefined();
    expect(Object.keys(world.accepted.content())).toHaveLength(10);
  });

  it("is never time where the rule says 0", () => {
    const world = serviceWorld({ holdForMs: 0 });
    world.delta({ a: [] });
    expect(world.guard.dueAt()).toBeUndefined();
    expect(world.tick(1e12).decisions).toEqual([]);
    expect(world.held("a")).toHaveLength(10);
  });

  it("is the same smaller set in enough different versions", () => {
    const world = serviceWorld();
    world.delta({ a: [] }, { version: "1" });
    for (const version of ["2", "3", "3", "2", undefined, "4"]) {
      world.take({ type: "delta" }, version === undefined ? {} : { version });
    }
    expect(world.guard.status()).toMatchObject([{ versions: { seen: 4, needed: 5 } }]);
    expect(reasonsIn(world.take({ type: "delta" }, { version: "5" }))).toEqual(["versions"]);
    expect(world.accepted.ids("a")).toEqual([]);
  });

  it("begins to count versions anew once the set is another", () => {
    const world = serviceWorld();
    for (const version of ["1", "2", "3", "4"]) world.delta({ a: [] }, { version });
    world.delta({ a: ["a0"] }, { version: "5" });
    expect(world.guard.status()).toMatchObject([{ versions: { seen: 1, needed: 5 } }]);
  });

  it("is the operator's word, for one guard", () => {
    const world = serviceWorld();
    world.delta({ a: [], b: [] });
    const step = world.decide({ type: "accept" });
    expect(step.decisions).toMatchObject([
      { type: "released", reason: "operator", author: "ann", service: keyOf("a") },
    ]);
    expect([world.accepted.ids("a"), world.accepted.ids("b")]).toEqual([[], ids("b", 10)]);
    // What was accepted is the baseline of what comes after.
    expect(world.guard.status()).toMatchObject([{ service: keyOf("b") }]);
  });

  it("comes later when the operator extends it, and not by versions before", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    const untilMs = world.now + 1e6;
    expect(world.decide({ type: "extend", untilMs }).decisions).toMatchObject([
      { type: "extended", until: untilMs, author: "ann" },
    ]);
    for (const version of ids("v", 10)) world.take({ type: "delta" }, { version });
    expect(world.tick(999_999).decisions).toEqual([]);
    expect(world.guard.status()).toMatchObject([{ holdUntil: untilMs, releasing: false }]);
    expect(world.guard.dueAt()).toBe(untilMs);
    expect(reasonsIn(world.tick(1))).toEqual(["time"]);
  });

  it("stops a release when the operator extends it then", () => {
    const world = serviceWorld({ releaseBatch: 4 });
    world.delta({ a: [] });
    world.tick(300_000);
    world.decide({ type: "extend", untilMs: world.now + 5000 });
    expect(world.tick(4999).decisions).toEqual([]);
    expect(world.held("a")).toHaveLength(6);
    world.tick(1);
    expect(world.held("a")).toHaveLength(2);
  });

  it.each([
    ["an id that no guard has", "x", { type: "accept" as const }, NoGuardError],
    ["a time that is none", "", { type: "extend" as const, untilMs: Number.NaN }, RangeError],
  ])("refuses %s and changes nothing", (_name, id, ruling, error) => {
    const world = serviceWorld();
    world.delta({ a: [] });
    const before = world.guard.save();
    expect(() => world.guard.decide(id || (world.guard.status()[0]?.id ?? ""), ruling, world.now, "ann")).toThrow(
      error,
    );
    expect(world.guard.save()).toEqual(before);
  });

  it("leaves no guard behind, whose id is then unknown", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    const id = world.guard.status()[0]?.id ?? "";
    world.decide({ type: "accept" });
    expect(() => world.guard.decide(id, { type: "accept" }, world.now, "ann")).toThrow(
      expect.objectContaining({ code: "SBX_NO_GUARD", id }) as Error,
    );
  });
});

describe("once it lets go by time", () => {
  it("judges what leaves anew: little passes, much is held with the rest", () => {
    const world = sourceWorld({ releaseBatch: 5, windowMs: 1e9 });
    world.snapshot(many(10, 5));
    world.tick(300_000);
    const id = world.guard.status()[0]?.id;
    world.delta({ s0: ids("s0-", 4) });
    expect(world.accepted.ids("s0")).toHaveLength(4);
    const step = world.delta(Object.fromEntries(ids("s", 5).map((name) => [name, undefined])));
    expect(kindsIn(step)).toEqual(["tripped", "held"]);
    expect(world.guard.status()).toMatchObject([
      { id, since: world.now, releasing: false, holdUntil: world.now + 300_000, held: { endpoints: 45 + 24 } },
    ]);
    expect(world.tick(299_999).decisions).toEqual([]);
  });
});

describe("a guard that trips again", () => {
  it("has forgotten how long the operator wanted it to hold", () => {
    const world = serviceWorld({ releaseBatch: 1, maxServiceShrink: 0.5 });
    world.delta({ a: ids("a", 4) });
    world.decide({ type: "extend", untilMs: world.now + 10 });
    world.tick(10);
    world.delta({ a: [] });
    expect(world.guard.status()).toMatchObject([{ holdUntil: world.now + 300_000, held: { endpoints: 9 } }]);
  });
});

describe("the modes", () => {
  it("hold-until-operator lets go neither by time nor by versions", () => {
    const world = serviceWorld({ mode: "hold-until-operator" });
    for (const version of ids("v", 20)) world.delta({ a: [] }, { version });
    world.tick(1e12);
    expect(world.guard.dueAt()).toBeUndefined();
    expect(world.held("a")).toHaveLength(10);
    expect(reasonsIn(world.delta({ a: ids("a", 9) }))).toEqual(["returned", "recovery"]);
  });

  it("hold-until-operator lets go in batches when the operator's time is over", () => {
    const world = serviceWorld({ mode: "hold-until-operator", releaseBatch: 6 });
    world.delta({ a: [] });
    world.decide({ type: "extend", untilMs: world.now + 10 });
    expect(reasonsIn(world.tick(10))).toEqual(["time"]);
    expect(world.tick(1).decisions).toEqual([]);
    world.tick(999);
    expect(world.guard.status()).toEqual([]);
  });

  it.each(["service", "source"])("accept of a %s holds nothing and says once that it would have", (scope) => {
    const world = scope === "service" ? serviceWorld({ mode: "accept" }) : sourceWorld({ mode: "accept" });
    const half = scope === "service" ? { a: [] } : Object.fromEntries(ids("s", 10).map((name) => [name, []]));
    expect(world.delta(half).decisions).toMatchObject([{ type: "passed", reason: "mode-accept", scope }]);
    expect(world.accepted.content()).toMatchObject(half);
    expect(world.delta(scope === "service" ? { a: undefined } : { s19: [] }).decisions).toEqual([]);
  });

  it("accept of a service keeps it out of what its source holds and counts", () => {
    const world = new World({ of: (name) => (name === "a" ? { mode: "accept" } : never) });
    world.snapshot({ a: ids("a", 50), b: ids("b", 10), c: ids("c", 50) });
    world.delta({ a: ["a0"] });
    world.delta({ b: ids("b", 9) });
    expect(world.guard.status()).toEqual([]);
    world.delta({ a: ["x", "y"] });
    world.delta({ c: [], a: [] });
    expect([world.held("a"), world.held("c").length]).toEqual([[], 50]);
  });

  it("accept of services keeps them out of the services that their source counts", () => {
    const free = ids("s", 5);
    const world = new World({ of: (name) => (free.includes(name) ? { mode: "accept" } : {}) });
    world.snapshot({ ...many(10, 1), big: ids("big", 100) });
    world.delta(Object.fromEntries(free.map((name) => [name, undefined])));
    world.delta({ s5: undefined });
    expect(world.decisions).toEqual([]);
  });

  it("lets go of what is held when the rule becomes accept", () => {
    const world = new World({ source: never });
    world.snapshot({ a: ids("a", 10) });
    world.delta({ a: [] });
    const options = {
      ...world.options,
      ruleOf: () => ({ ...world.options.ruleOf(keyOf("a")), mode: "accept" as const }),
    };
    world.guard = RegistryGuard.restore(options, [...world.accepted.records.values()], world.guard.save());
    expect(world.guard.dueAt()).toBeLessThanOrEqual(world.now);
    expect(reasonsIn(world.tick())).toEqual(["time"]);
  });
});

describe("costs", () => {
  it("hands on the very records that the source said, where nothing is held", () => {
    const world = new World();
    const records = [record("a", ["a0"]), record("b", ["b0"])];
    const step = world.take({ type: "snapshot", records });
    expect(step.accepted.type === "snapshot" && step.accepted.records.every((each, at) => each === records[at])).toBe(
      true,
    );
    const upserted = [record("a", ["a0", "a1"])];
    const { accepted } = world.take({ type: "delta", records: { upserted, removed: [] } });
    expect(accepted.type === "delta" && accepted.records.upserted[0]).toBe(upserted[0]);
  });

  it("asks for the rules of the services of an update only", () => {
    const asked: string[] = [];
    const world = new World({ of: (name) => (asked.push(name), {}) });
    world.snapshot(many(1000));
    world.delta({ s1: ["x", "y"], s2: ids("s2-", 1) });
    asked.length = 0;
    world.delta({ s500: ids("s500-", 3) });
    expect(new Set(asked).size).toBeLessThanOrEqual(2);
  });

  it("keeps nothing of what came and went once the window is over", () => {
    const world = sourceWorld();
    world.delta({ s0: [], s1: ids("x", 5) });
    world.now += 60_001;
    world.delta({ s2: ids("s2-", 6) });
    expect(world.guard.save().recent.map(({ service: key }) => key)).toEqual([keyOf("s2")]);
  });
});

describe("what peers got wrong", () => {
  it("holds all of a source that restarted with 60 % of its instances", () => {
    const world = new World();
    const full = many(50, 5);
    world.snapshot(full);
    // Each service lost two of five.
    const step = world.snapshot(Object.fromEntries(ids("s", 50).map((name) => [name, ids(`${name}-`, 3)])));
    expect(world.accepted.content()).toEqual(Object.fromEntries(Object.entries(full).sort()));
    expect(step.decisions[0]).toMatchObject({ type: "tripped", scope: "source", why: { removed: 100, baseline: 250 } });
    expect(reasonsIn(world.snapshot(full))).toEqual(["returned"]);
    expect(world.guard.status()).toEqual([]);
  });

  it("holds all instances of a service that are gone, then lets them go by time", () => {
    const world = new World();
    world.snapshot({ ...many(50), a: ids("a", 8) });
    world.delta({ a: [] });
    expect(world.accepted.ids("a")).toEqual(ids("a", 8));
    world.tick(300_000);
    expect(world.accepted.ids("a")).toEqual([]);
  });

  it("holds half of the services that a token may no longer read", () => {
    const world = new World();
    world.snapshot(many(20, 1));
    const step = world.snapshot(many(10, 1));
    expect(step.decisions[0]).toMatchObject({ type: "tripped", scope: "source" });
    expect(Object.keys(world.accepted.content())).toHaveLength(20);
  });

  it("lets a service leave that is more than 30 % of its source: after policy, not never, and not in the same tick", () => {
    const world = new World();
    world.snapshot({ a: ids("a", 5), b: ids("b", 5) });
    world.snapshot({ b: ids("b", 5) });
    world.tick();
    expect(world.accepted.ids("a")).toEqual(ids("a", 5));
    for (let due = world.guard.dueAt(); due !== undefined; due = world.guard.dueAt()) world.tick(due - world.now);
    expect(world.accepted.content()).toEqual({ b: ids("b", 5) });
  });

  it("lets a small service leave a large source at once", () => {
    const world = new World();
    world.snapshot({ ...many(20), a: ["a0"] });
    world.snapshot(many(20));
    expect(world.accepted.ids("a")).toBeUndefined();
  });
});

describe("a restart", () => {
  it("goes on with what was held", () => {
    const world = serviceWorld();
    world.delta({ a: undefined });
    const status = world.guard.status();
    world.restart();
    expect(world.guard.status()).toEqual(status);
    expect(world.held("a")).toEqual(ids("a", 10));
    world.snapshot({ b: ids("b", 10) });
    expect(world.accepted.ids("a")).toEqual(ids("a", 10));
    world.tick(300_000);
    expect(world.accepted.ids("a")).toBeUndefined();
  });

  it("forgets holds of endpoints that the kept records do not have", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    world.guard = RegistryGuard.restore(world.options, [record("b", ids("b", 10))], world.guard.save());
    expect(world.guard.status()).toEqual([]);
    expect(world.guard.heldOf(keyOf("a")).size).toBe(0);
  });

  it("refuses a state of another format", () => {
    const { options, guard } = new World();
    expect(() => RegistryGuard.restore(options, [], { ...guard.save(), format: 2 as 1 })).toThrow(TypeError);
  });

  it("names its guards by registry, service and number", () => {
    const world = serviceWorld();
    world.delta({ a: [] });
    expect(world.guard.status()).toMatchObject([{ registry, id: expect.stringMatching(/^[0-9a-f]{12}-1$/) as string }]);
  });
});

describe("what is suspected", () => {
  const services = { a: ["a0", "a1"], b: ["b0"], c: ["c0"], d: ["d0"] };

  it.each<[string, Record<string, readonly string[] | undefined>, "AUTH" | undefined]>([
    ["the right to read, where several services left as a whole", { a: undefined, b: undefined }, "AUTH"],
    ["the right to read, where they are listed without endpoints", { a: [], b: [] }, "AUTH"],
    ["nothing, where another one lost a part", { a: ["a1"], b: undefined, c: undefined }, undefined],
    ["nothing, where nothing is left", { a: undefined, b: undefined, c: undefined, d: undefined }, undefined],
  ])("is %s", (_name, change, suspected) => {
    const world = new World({ source: { minRemoved: 1, maxSourceShrink: 0.3 }, of: () => never });
    world.snapshot(services);
    world.delta(change);
    const [guard] = world.guard.status();
    expect(guard?.scope).toBe("source");
    expect(guard?.why.suspected).toBe(suspected);
  });
});
