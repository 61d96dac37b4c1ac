import { registryId, serviceKey, type Workload } from "@signalbox/model";
import { defaultRules, type Override, type ServiceRules } from "@signalbox/policy";
import { afterEach, describe, expect, it } from "vitest";
import { defaultCatalogRules, type AggregateOptions, type CatalogRules } from "./options.ts";
import { FakeRegistry, instance, ipsOf, keyOf, record, service, workload, World } from "./testing/world.ts";

const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

async function started(options: Partial<AggregateOptions>): Promise<World> {
  const world = new World(options);
  opened.push(world);
  return world.start();
}

const [one, two] = [registryId("fake", "one"), registryId("fake", "two")];
const rules = (own: Partial<ServiceRules>, more: Partial<CatalogRules> = {}): CatalogRules => ({
  ...defaultCatalogRules,
  of: () => ({ ...defaultRules, ...own }),
  ...more,
});

/** A world with two registries that have said this much. */
async function twoRegistries(options: Partial<AggregateOptions>) {
  const [first, second] = [new FakeRegistry("one"), new FakeRegistry("two")];
  const world = await started({ registries: [first, second], ...options });
  return { first, second, world };
}

function weights(world: World, name: string) {
  return world.consumed.entries
    .get(keyOf(name))
    ?.instances.map(({ addresses: [at], priority, weight }) => [at.type === "ip" ? at.ip : "", weight, priority]);
}

describe("rules of identity", () => {
  const identity = [
    {
      registries: ["fake/two"],
      hostnames: ["*"],
      hostname: "{{name}}.test",
      namespace: "test",
      aliases: ["{{hostname}}"],
      gather: false,
    },
  ];
  const foreign = (hostname: string, ...ips: readonly string[]) => ({
    service: service(two, "x", { hostname, namespace: "default" }),
    instances: ips.map((ip) => instance(two, ip)),
  });

  it("make one service of what two registries call differently, and one endpoint of what both know", async () => {
    const { first, second, world } = await twoRegistries({ rules: rules({}, { identity }) });
    first.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    second.snapshot(foreign("ORDERS.elsewhere", "192.0.2.2", "192.0.2.3"));
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "192.0.2.2", "192.0.2.3"]);
    const both = world.consumed.entries.get(keyOf("orders"))?.instances[1]?.provenance.map(({ registry }) => registry);
    expect(both).toEqual([one, two]);
    const alias = [...world.consumed.entries.values()].find(({ key }) => key === "test/orders.elsewhere");
    expect(alias?.instances).toEqual(world.consumed.entries.get(keyOf("orders"))?.instances);
    expect(world.consumed.entries.size).toBe(2);
  });

  it("take the alias away with the service, and follow every change", async () => {
    const { first, second, world } = await twoRegistries({ rules: rules({}, { identity }) });
    first.snapshot();
    second.snapshot(foreign("orders.elsewhere", "192.0.2.3"));
    await world.calm();
    second.push({ type: "delta", records: { upserted: [foreign("orders.elsewhere", "192.0.2.4")], removed: [] } });
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.4"]);
    second.snapshot();
    await world.calm();
    expect([...world.consumed.entries.keys()]).toEqual([]);
  });

  it("give the second of two services of one registry another name, and show it", async () => {
    const { first, second, world } = await twoRegistries({ rules: rules({}, { identity }) });
    first.snapshot();
    second.snapshot(foreign("or-ders.elsewhere", "192.0.2.1"), foreign("or_ders.elsewhere", "192.0.2.2"));
    await world.calm();
    expect(ipsOf(world.consumed, "or-ders")).toEqual(["192.0.2.1"]);
    const [collision, ...more] = world.aggregate.decisions.collisions();
    expect(more).toEqual([]);
    expect(collision).toMatchObject({ registry: two, wanted: keyOf("or-ders") });
    const told = () => world.log.filter(({ event }) => event === "service-name-collision");
    expect(told()).toEqual([{ level: "warn", event: "service-name-collision", fields: collision }]);
    expect(world.consumed.entries.get(collision?.renamed ?? keyOf("none"))?.instances).toHaveLength(1);
    // A registry that is taken away and comes back has lost it again.
    await world.aggregate.removeRegistry(two);
    expect(world.aggregate.decisions.collisions()).toEqual([]);
    const back = new FakeRegistry("two");
    world.aggregate.addRegistry(back);
    await world.calm();
    back.snapshot(foreign("or-ders.elsewhere", "192.0.2.1"), foreign("or_ders.elsewhere", "192.0.2.2"));
    await world.calm();
    expect(told()).toHaveLength(2);
  });
});

describe("strict names", () => {
  it("leave the second of two services of one registry out, until the name is free", async () => {
    const identity = [
      {
        ...{ registries: ["fake/two"], hostnames: ["*"], hostname: "{{name}}.test", namespace: "test" },
        ...{ aliases: [], gather: false, strict: true },
      },
    ];
    const foreign = (hostname: string, ip: string) => ({
      service: service(two, "x", { hostname, namespace: "default" }),
      instances: [instance(two, ip)],
    });
    const { first, second, world } = await twoRegistries({ rules: rules({}, { identity }) });
    first.snapshot();
    second.snapshot(foreign("or_ders.elsewhere", "192.0.2.2"), foreign("or-ders.elsewhere", "192.0.2.1"));
    await world.calm();
    expect([...world.consumed.entries.keys()]).toEqual([keyOf("or-ders")]);
    expect(ipsOf(world.consumed, "or-ders")).toEqual(["192.0.2.1"]);
    const [collision] = world.aggregate.decisions.collisions();
    expect(collision).toMatchObject({ wanted: keyOf("or-ders"), loser: "default/or_ders.elsewhere" });
    expect(collision).not.toHaveProperty("renamed");
    second.push({
      type: "delta",
      records: { upserted: [], removed: [serviceKey({ namespace: "default", hostname: "or-ders.elsewhere" })] },
    });
    await world.calm();
    expect(ipsOf(world.consumed, "or-ders")).toEqual(["192.0.2.2"]);
    expect(world.aggregate.decisions.collisions()).toEqual([]);
  });
});

describe("rules of merging", () => {
  it("publish the part of the traffic that is to fail, and its end", async () => {
    const shares = [
      { registry: "fake/one", weight: 90 },
      { registry: "fake/two", weight: 10 },
    ];
    const { first, second, world } = await twoRegistries({
      rules: rules({ merge: { type: "split", shares, onEmpty: "blackhole" } }),
    });
    first.snapshot(record(one, "orders", "192.0.2.1"));
    second.snapshot(record(two, "orders"));
    await world.calm();
    const unserved = () => world.consumed.entries.get(keyOf("orders"))?.unserved;
    expect(unserved()).toEqual({ http: 100_000 });
    expect(world.aggregate.decisions.explain(keyOf("orders"))?.unserved).toEqual({ http: 100_000 });
    second.upsert(record(two, "orders", "192.0.2.2"));
    await world.calm();
    expect(unserved()).toBeUndefined();
  });

  it("can change while everything runs", async () => {
    const { first, second, world } = await twoRegistries({});
    first.snapshot(record(one, "orders", "192.0.2.1"));
    second.snapshot(record(two, "orders", "192.0.2.2"));
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "192.0.2.2"]);
    const split = (a: number, b: number): ServiceRules => ({
      ...defaultRules,
      merge: {
        type: "split",
        shares: [
          { registry: "fake/one", weight: a },
          { registry: "fake/two", weight: b },
        ],
        onEmpty: "spill",
      },
    });
    world.aggregate.setServiceRules(() => split(90, 10));
    await world.calm();
    const [[, large], [, small]] = weights(world, "orders") as [[string, number], [string, number]];
    expect(large / small).toBe(9);
    world.aggregate.setServiceRules(() => split(0, 100));
    await world.calm();
    expect(weights(world, "orders")?.map(([ip, weight]) => [ip, Number(weight) > 0])).toEqual([
      ["192.0.2.1", false],
      ["192.0.2.2", true],
    ]);
    world.aggregate.setServiceRules(() => ({ ...defaultRules, merge: { type: "failover", order: ["fake/two", "*"] } }));
    await world.calm();
    expect(weights(world, "orders")).toEqual([
      ["192.0.2.1", 1, 1],
      ["192.0.2.2", 1, 0],
    ]);
  });

  it("give every candidate exactly one reason", async () => {
    const { first, second, world } = await twoRegistries({
      rules: rules({ merge: { type: "authoritative", registry: "fake/two" } }),
    });
    first.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    second.snapshot(record(two, "orders", "192.0.2.2", "192.0.2.3"));
    await world.calm();
    second.upsert(record(two, "orders", "192.0.2.2"));
    await world.calm();
    const explained = world.aggregate.decisions.explain(keyOf("orders"));
    expect(explained?.candidates.map(({ address, outcome, registry }) => [registry, address, outcome.code])).toEqual([
      [one, "192.0.2.1:8080", "SHADOW"],
      [one, "192.0.2.2:8080", "MERGED"],
      [two, "192.0.2.2:8080", "SERVED"],
    ]);
    expect(explained?.departures).toMatchObject([{ registry: two, address: "192.0.2.3:8080" }]);
    expect(world.aggregate.decisions.explain(keyOf("nobody"))).toBeUndefined();
  });
});

describe("drift", () => {
  const excluding: ServiceRules = {
    ...defaultRules,
    drift: { ...defaultRules.drift, GHOST: "exclude", IMPOSTOR: "exclude", TERMINATING: "exclude" },
  };
  const drift = { clusters: [{ registry: two, podCidrs: ["192.0.2.0/24"] }], checked: ["fake/one"] };
  const pod = (name: string, ip: string, more: Partial<Workload> = {}) =>
    workload(two, name, { app: "orders" }, { addresses: [ip], ...more });

  /** `one` lists three endpoints, two of which have a ready pod in the cluster of `two`. */
  async function drifting() {
    const { first, second, world } = await twoRegistries({
      rules: rules({}, { drift, of: () => excluding, guarded: ["fake/one"] }),
    });
    second.push({ type: "snapshot", records: [], workloads: [pod("a", "192.0.2.1"), pod("b", "192.0.2.2")] });
    first.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2", "198.51.100.1"));
    await world.calm();
    return { first, second, world };
  }

  it("takes an endpoint out as soon as its pod is gone, and never touches what is no pod's address", async () => {
    const { second, world } = await drifting();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "192.0.2.2", "198.51.100.1"]);
    second.push({ type: "delta", workloads: { upserted: [], removed: [pod("b", "192.0.2.2").key] } });
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "198.51.100.1"]);
    expect(world.aggregate.decisions.explain(keyOf("orders"))?.candidates.map(({ outcome }) => outcome.code)).toEqual([
      "SERVED",
      "GHOST",
      "SERVED",
    ]);
    const { counts, rows } = world.aggregate.decisions.drift();
    expect(counts.map(({ count, verdict }) => [verdict, count])).toEqual([
      ["CONFIRMED", 1],
      ["GHOST", 1],
      ["UNVERIFIABLE", 1],
    ]);
    expect(rows.find(({ verdict }) => verdict === "GHOST")).toMatchObject({
      address: "192.0.2.2:8080",
      action: "exclude",
    });
  });

  it("sends nothing to a pod of another service that got the address", async () => {
    const { second, world } = await drifting();
    second.push({
      type: "delta",
      records: { upserted: [record(two, "orders", "192.0.2.1"), record(two, "other", "192.0.2.2")], removed: [] },
      workloads: {
        upserted: [workload(two, "c", { app: "other" }, { addresses: ["192.0.2.2"] })],
        removed: [pod("b", "192.0.2.2").key],
      },
    });
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "198.51.100.1"]);
    expect(ipsOf(world.consumed, "other")).toEqual(["192.0.2.2"]);
    const verdicts = world.aggregate.decisions.drift().rows.map(({ address, verdict }) => [address, verdict]);
    expect(verdicts).toContainEqual(["192.0.2.2:8080", "IMPOSTOR"]);
  });

  it("stands back when the cluster has not been read for too long, and acts again when it is", async () => {
    const first = new FakeRegistry("one");
    const second = new FakeRegistry("two");
    const world = await started({
      registries: [first],
      rules: rules({}, { drift, of: () => excluding }),
    });
    world.aggregate.addRegistry(second, { freshness: { staleAfterMs: 30_000 } });
    await world.calm();
    second.push({ type: "snapshot", records: [], workloads: [pod("a", "192.0.2.1"), pod("b", "192.0.2.2")] });
    first.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await world.calm();
    second.push({ type: "delta", workloads: { upserted: [], removed: [pod("b", "192.0.2.2").key] } });
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1"]);
    await world.clock.advance(30_000);
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "192.0.2.2"]);
    second.sink.alive();
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1"]);
  });

  it("finds an address that was never a pod's after its time and two reads, not before", async () => {
    const { first, second, world } = await drifting();
    first.upsert(record(one, "orders", "192.0.2.1", "192.0.2.2", "192.0.2.77"));
    await world.calm();
    second.sink.alive();
    second.sink.alive();
    await world.clock.advance(10_000);
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toContain("192.0.2.77");
    await world.clock.advance(5000);
    await world.calm();
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1", "192.0.2.2"]);
  });

  it("lets a guard believe removals that the cluster confirms", async () => {
    const { first, second, world } = await drifting();
    const gone = [pod("a", "192.0.2.1").key, pod("b", "192.0.2.2").key];
    second.push({ type: "delta", workloads: { upserted: [], removed: gone } });
    await world.calm();
    first.upsert(record(one, "orders", "198.51.100.1"));
    await world.calm();
    expect(world.aggregate.decisions.guards()).toEqual([]);
    expect(ipsOf(world.consumed, "orders")).toEqual(["198.51.100.1"]);
  });
});

describe("guards", () => {
  const guarded = rules({}, { guarded: ["fake/*"] });
  const fleet = (count: number) => Array.from({ length: count }, (_, at) => record(one, `s${at}`, `192.0.2.${at + 1}`));

  it("hold what left a source that lost much, serve what came, and let go when the time is over", async () => {
    const registry = new FakeRegistry("one");
    const world = await started({ registries: [registry], rules: guarded });
    registry.snapshot(...fleet(10));
    await world.calm();
    registry.snapshot(...fleet(4), record(one, "new", "192.0.2.99"));
    await world.calm();
    expect(world.consumed.entries.size).toBe(11);
    expect(world.aggregate.decisions.guards()).toMatchObject([
      { registry: one, scope: "source", held: { endpoints: 6 } },
    ]);
    expect(world.consumed.entries.get(keyOf("s9"))?.instances[0]?.findings).toMatchObject([
      { stage: "guard", code: "HELD" },
    ]);
    expect(world.aggregate.decisions.explain(keyOf("s9"))?.candidates[0]?.outcome.code).toBe("SERVED");
    await world.clock.advance(defaultRules.guard.holdForMs);
    await world.calm();
    expect([...world.consumed.entries.keys()].sort()).toEqual(
      [keyOf("new"), ...["s0", "s1", "s2", "s3"].map(keyOf)].sort(),
    );
    expect(world.aggregate.decisions.guards()).toEqual([]);
  });

  it("believe an operator at once, and take the mark away when an endpoint is back", async () => {
    const registry = new FakeRegistry("one");
    const inputs: string[] = [];
    const world = await started({ registries: [registry], rules: guarded, onInput: ({ type }) => inputs.push(type) });
    registry.snapshot(...fleet(10));
    await world.calm();
    registry.snapshot(...fleet(4));
    await world.calm();
    registry.snapshot(...fleet(5));
    await world.calm();
    expect(world.consumed.entries.get(keyOf("s4"))?.instances[0]?.findings).toEqual([]);
    const [guard] = world.aggregate.decisions.guards();
    world.aggregate.decisions.decideGuard(guard?.id ?? "", { type: "accept" }, "ann");
    await world.calm();
    expect(world.consumed.entries.size).toBe(5);
    expect(inputs).toContain("guard");
    expect(() => world.aggregate.decisions.decideGuard("none", { type: "accept" }, "ann")).toThrow("no guard none");
  });
});

describe("overrides", () => {
  it("hold at once and end by themselves", async () => {
    const registry = new FakeRegistry("one");
    const world = await started({ registries: [registry] });
    registry.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await world.calm();
    const since = world.clock.now();
    const override: Override = {
      id: "o1",
      service: keyOf("orders"),
      address: "192.0.2.1:8080",
      action: { type: "drain" },
      author: "ann",
      reason: "a test",
      since,
      until: since + 60_000,
    };
    world.aggregate.decisions.addOverride(override);
    await world.calm();
    const health = () => world.consumed.entries.get(keyOf("orders"))?.instances.map(({ healthStatus }) => healthStatus);
    expect(health()).toEqual(["DRAINING", "HEALTHY"]);
    await world.clock.advance(60_000);
    await world.calm();
    expect(health()).toEqual(["HEALTHY", "HEALTHY"]);
    expect(world.aggregate.decisions.overrides()).toEqual([]);
  });
});

describe("drain", () => {
  it("keeps an endpoint that left as draining for its time", async () => {
    const registry = new FakeRegistry("one");
    const world = await started({
      registries: [registry],
      rules: rules({ health: { ...defaultRules.health, drainForMs: 10_000 } }),
    });
    registry.snapshot(record(one, "orders", "192.0.2.1", "192.0.2.2"));
    await world.calm();
    registry.upsert(record(one, "orders", "192.0.2.1"));
    await world.calm();
    const health = () => world.consumed.entries.get(keyOf("orders"))?.instances.map(({ healthStatus }) => healthStatus);
    expect(health()).toEqual(["HEALTHY", "DRAINING"]);
    await world.clock.advance(10_000);
    await world.calm();
    expect(health()).toEqual(["HEALTHY"]);
  });
});

describe("the start policy", () => {
  it.each([
    ["proceed-partial", true],
    ["block", false],
    ["proceed-with-restored", false],
  ] as const)("%s: whether publishing begins without a registry is %s", async (startPolicy, begins) => {
    const registry = new FakeRegistry("one");
    const world = new World({ syncDeadlineMs: 1000 });
    opened.push(world);
    world.aggregate.addRegistry(registry, { startPolicy });
    await world.start();
    let synced = false;
    void world.aggregate.synced(new AbortController().signal).then(() => (synced = true));
    await world.clock.advance(5000);
    expect(synced).toBe(begins);
    registry.snapshot(record(one, "orders", "192.0.2.1"));
    await world.calm();
    expect(synced).toBe(true);
    expect(ipsOf(world.consumed, "orders")).toEqual(["192.0.2.1"]);
  });
});
