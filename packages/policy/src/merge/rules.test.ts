import type { HealthStatus, RegistryId } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { exclude } from "../candidate.ts";
import type { CandidateRecord } from "../candidate.ts";
import type { MergeRule } from "../merge-rule.ts";
import { explainMerge } from "./explain-merge.ts";
import type { MergeExplanation } from "./explain-merge.ts";
import { candidate, key, many, one, record, three, two } from "./testing/candidates.ts";

function merge(
  rule: MergeRule,
  records: readonly CandidateRecord[],
  expired: ReadonlyMap<RegistryId, number> = new Map(),
): MergeExplanation {
  return explainMerge({ key, records, rule, expired });
}

/** The last byte of each endpoint's address, with what `more` tells of it. */
function endpoints({ entry }: MergeExplanation): readonly string[] {
  return (entry?.instances ?? []).map(({ addresses: [first], priority, weight }) => {
    const ip = first.type === "ip" ? first.ip.slice(first.ip.lastIndexOf(".")) : first.type;
    return `${ip} p${priority} w${weight}`;
  });
}

/** The outcome of each candidate, by registry and the last byte of the address. */
function outcomes({ outcomes: all }: MergeExplanation): Readonly<Record<string, string>> {
  return Object.fromEntries(
    [...all].map(([{ instance, registry }, { code }]) => {
      const [first] = instance.addresses;
      return [`${registry.slice(5)} ${first.type === "ip" ? first.ip.slice(first.ip.lastIndexOf(".")) : ""}`, code];
    }),
  );
}

const at = (registry: RegistryId, byte: number, healthStatus: HealthStatus = "HEALTHY", weight = 1) =>
  candidate(registry, `192.0.2.${byte}`, { healthStatus, weight });

describe("prefer", () => {
  const rule: MergeRule = { type: "prefer", order: ["fake/two", "fake/one"] };

  it.each([
    { name: "the first group, if it has an eligible endpoint", first: at(two, 1), then: at(one, 2), found: ".1" },
    { name: "the next one, if that is unhealthy", first: at(two, 1, "UNHEALTHY"), then: at(one, 2), found: ".2" },
    { name: "the next one, if that drains", first: at(two, 1, "DRAINING"), then: at(one, 2), found: ".2" },
    { name: "the next one, if that terminates", first: at(two, 1, "TERMINATING"), then: at(one, 2), found: ".2" },
    { name: "the next one, if that has weight 0", first: at(two, 1, "HEALTHY", 0), then: at(one, 2), found: ".2" },
    { name: "the first one, if its health is not known", first: at(two, 1, "UNKNOWN"), then: at(one, 2), found: ".1" },
    { name: "the next one, if that is degraded", first: at(two, 1, "DEGRADED"), then: at(one, 2), found: ".2" },
    {
      name: "a degraded one, if there is nothing else",
      first: at(two, 1, "DEGRADED"),
      then: at(one, 2, "UNHEALTHY"),
      found: ".1",
    },
    {
      name: "the first one, if none is eligible",
      first: at(two, 1, "UNHEALTHY"),
      then: at(one, 2, "UNHEALTHY"),
      found: ".1",
    },
    {
      name: "the next one, if that was taken out",
      first: exclude(at(two, 1), "drift", "GHOST", ""),
      then: at(one, 2),
      found: ".2",
    },
  ])("takes $name", ({ first, found, then }) => {
    const merged = merge(rule, [record(one, [then]), record(two, [first])]);
    expect(endpoints(merged).map((text) => text.slice(0, 2))).toEqual([found]);
  });

  it("says of the others that they are not preferred, also of those that no pattern names", () => {
    const merged = merge(rule, [record(one, [at(one, 1)]), record(two, [at(two, 2)]), record(three, [at(three, 3)])]);
    expect(outcomes(merged)).toEqual({ "one .1": "NOT_PREFERRED", "two .2": "SERVED", "three .3": "NOT_PREFERRED" });
    expect(merged.entry?.registries).toEqual([one, two, three]);
  });

  it("takes all registries together that no pattern names, if those that are named have nothing", () => {
    const merged = merge({ type: "prefer", order: ["fake/one"] }, [
      record(one, []),
      record(two, [at(two, 2)]),
      record(three, [at(three, 3)]),
    ]);
    expect(endpoints(merged)).toEqual([".2 p0 w1", ".3 p0 w1"]);
  });

  it("has the word of the preferred registry on an endpoint that others know too", () => {
    const merged = merge(rule, [record(one, [at(one, 1, "HEALTHY", 5)]), record(two, [at(two, 1, "HEALTHY", 7)])]);
    expect(merged.entry?.instances).toMatchObject([{ weight: 7, provenance: [{ registry: one }, { registry: two }] }]);
    expect(outcomes(merged)).toEqual({ "one .1": "MERGED", "two .1": "SERVED" });
  });

  it("serves by the next registry what the first one calls unhealthy, if all of the first one's are", () => {
    const merged = merge(rule, [
      record(one, [at(one, 1)]),
      record(two, [at(two, 1, "UNHEALTHY"), at(two, 2, "UNHEALTHY")]),
    ]);
    expect(merged.entry?.instances).toMatchObject([{ healthStatus: "HEALTHY" }]);
    expect(outcomes(merged)).toEqual({ "one .1": "SERVED", "two .1": "MERGED", "two .2": "NOT_PREFERRED" });
  });

  it("gives an expired registry up for one that is not", () => {
    const records = [record(one, [at(one, 1)]), record(two, [at(two, 2)])];
    expect(endpoints(merge(rule, records, new Map([[two, 5]])))).toEqual([".1 p0 w1"]);
    expect(
      endpoints(
        merge(
          rule,
          records,
          new Map([
            [one, 5],
            [two, 5],
          ]),
        ),
      ),
    ).toEqual([".2 p1 w1"]);
  });

  it("decides for each port", () => {
    const ports = [
      { name: "http", number: 80, protocol: "HTTP" },
      { name: "grpc", number: 90, protocol: "GRPC" },
    ] as const;
    const merged = merge(rule, [
      record(one, [at(one, 1), candidate(one, "192.0.2.1", { id: "g", servicePort: "grpc" })], { ports }),
      record(two, [at(two, 2)]),
    ]);
    expect(merged.entry?.instances.map(({ id }) => id)).toEqual(["g", "at 192.0.2.2"]);
  });
});

describe("failover", () => {
  const rule: MergeRule = { type: "failover", order: ["fake/two", "fake/one"] };

  it("gives each group its priority, and those that no pattern names the last", () => {
    const merged = merge(rule, [record(one, [at(one, 1)]), record(two, [at(two, 2)]), record(three, [at(three, 3)])]);
    expect(endpoints(merged)).toEqual([".1 p1 w1", ".2 p0 w1", ".3 p2 w1"]);
    expect(outcomes(merged)).toEqual({ "one .1": "STANDBY", "two .2": "SERVED", "three .3": "STANDBY" });
  });

  it("puts what stages put behind after all groups", () => {
    const late = candidate(two, "192.0.2.4", {}, { priority: 1 });
    const merged = merge(rule, [
      record(one, [at(one, 1)]),
      record(two, [at(two, 2), late]),
      record(three, [at(three, 3)]),
    ]);
    expect(endpoints(merged)).toEqual([".1 p1 w1", ".2 p0 w1", ".3 p2 w1", ".4 p3 w1"]);
  });

  it("puts an expired group last", () => {
    const merged = merge(rule, [record(one, [at(one, 1)]), record(two, [at(two, 2)])], new Map([[two, 5]]));
    expect(endpoints(merged)).toEqual([".1 p1 w1", ".2 p2 w1"]);
    expect(outcomes(merged)).toEqual({ "one .1": "SERVED", "two .2": "STANDBY" });
  });

  it("has an endpoint of two groups once, in the first", () => {
    const merged = merge(rule, [record(one, [at(one, 1)]), record(two, [at(two, 1)])]);
    expect(endpoints(merged)).toEqual([".1 p0 w1"]);
  });

  it("serves the next group, if all of the first are unhealthy", () => {
    const merged = merge(rule, [record(one, [at(one, 1)]), record(two, [at(two, 2, "UNHEALTHY")])]);
    expect(outcomes(merged)).toEqual({ "one .1": "SERVED", "two .2": "STANDBY" });
  });
});

describe("split", () => {
  const split = (from: number, to: number, onEmpty: "spill" | "blackhole" = "spill"): MergeRule => ({
    type: "split",
    shares: [
      { registry: "fake/one", weight: from },
      { registry: "fake/two", weight: to },
    ],
    onEmpty,
  });

  it("counts a pod that both know for the migration's target only", () => {
    const both = many(one, 10, "10.9");
    const merged = merge(split(90, 10), [record(one, [...both, ...many(one, 10)]), record(two, many(two, 10, "10.9"))]);
    const sums = { one: 0, two: 0 };
    for (const { provenance, weight } of merged.entry?.instances ?? [])
      sums[provenance.some(({ registry }) => registry === two) ? "two" : "one"] += weight;
    expect(sums.one).toBe(9 * sums.two);
    expect(merged.entry?.instances).toHaveLength(20);
    expect(new Set(both.map((each) => merged.outcomes.get(each)?.code))).toEqual(new Set(["MERGED"]));
  });

  it("has the word of the target on an endpoint that both know", () => {
    const merged = merge(split(90, 10), [
      record(one, [at(one, 1), at(one, 2)]),
      record(two, [at(two, 1, "UNHEALTHY"), at(two, 3)]),
    ]);
    expect(merged.entry?.instances).toMatchObject([
      { healthStatus: "UNHEALTHY", weight: 1 },
      { healthStatus: "HEALTHY", weight: 9 },
      { healthStatus: "HEALTHY", weight: 1 },
    ]);
    expect(outcomes(merged)).toMatchObject({ "two .1": "STANDBY", "one .1": "MERGED" });
  });

  it("has no endpoint of a registry without a share, and those of a share of 0 without weight", () => {
    const merged = merge(split(100, 0), [
      record(one, [at(one, 1)]),
      record(two, [at(two, 2)]),
      record(three, [at(three, 2), at(three, 3)]),
    ]);
    expect(endpoints(merged)).toEqual([".1 p0 w1", ".2 p0 w0"]);
    expect(outcomes(merged)).toEqual({
      "one .1": "SERVED",
      "two .2": "WEIGHT_ZERO",
      "three .2": "MERGED",
      "three .3": "NO_SHARE",
    });
  });

  it("splits each priority for itself", () => {
    const late = (registry: RegistryId, byte: number) => candidate(registry, `192.0.2.${byte}`, {}, { priority: 1 });
    const merged = merge(split(90, 10), [
      record(one, [at(one, 1), at(one, 2), late(one, 3)]),
      record(two, [at(two, 4), late(two, 5)]),
    ]);
    expect(endpoints(merged)).toEqual([".1 p0 w9", ".2 p0 w9", ".3 p1 w9", ".4 p0 w2", ".5 p1 w1"]);
  });

  it("spills the share of an expired group", () => {
    const records = [record(one, [at(one, 1)]), record(two, [at(two, 2), at(two, 3)])];
    const merged = merge(split(90, 10, "blackhole"), records, new Map([[one, 5]]));
    expect(endpoints(merged)).toEqual([".1 p1 w1", ".2 p0 w1", ".3 p0 w1"]);
    expect(merged.unserved).toEqual(new Map([["http", 0.9]]));
  });

  it.each<{ name: string; first: HealthStatus; then: HealthStatus; missing: number | undefined }>([
    { name: "nothing, if both groups are healthy", first: "HEALTHY", then: "UNKNOWN", missing: undefined },
    { name: "the share of an unhealthy group", first: "UNHEALTHY", then: "HEALTHY", missing: 0.75 },
    { name: "the share of a degraded group beside a healthy one", first: "HEALTHY", then: "DEGRADED", missing: 0.25 },
    { name: "nothing, if both are degraded", first: "DEGRADED", then: "DEGRADED", missing: undefined },
    { name: "nothing, if nothing can be served anyway", first: "UNHEALTHY", then: "UNHEALTHY", missing: undefined },
  ])("fails, if it is to blackhole, $name", ({ first, missing, then }) => {
    const records = [record(one, [at(one, 1, first)]), record(two, [at(two, 2, then)])];
    const failing = merge(split(3, 1, "blackhole"), records);
    expect(failing.unserved.get("http")).toBe(missing);
    expect(failing.entry?.unserved).toEqual(missing === undefined ? undefined : { http: Math.round(missing * 1e6) });
    const spilling = merge(split(3, 1, "spill"), records);
    expect(spilling.entry).not.toHaveProperty("unserved");
    // Who only looks at what endpoints are must see that something changed.
    expect(failing.entry?.versions.instances === spilling.entry?.versions.instances).toBe(missing === undefined);
    expect(merge(split(3, 1, "spill"), records).unserved.size).toBe(0);
  });

  it("fails the share of a group that is not there at all", () => {
    expect(merge(split(3, 1, "blackhole"), [record(one, [at(one, 1)])]).unserved.get("http")).toBe(0.25);
  });
});

describe("authoritative", () => {
  const rule: MergeRule = { type: "authoritative", registry: "fake/two" };

  it("has only what the one registry says, of the service too", () => {
    const merged = merge(rule, [
      record(one, [at(one, 1), at(one, 2), candidate(one, "192.0.2.2", { id: "t", servicePort: "tcp" })], {
        ports: [
          { name: "http", number: 80, protocol: "TCP" },
          { name: "tcp", number: 90, protocol: "TCP" },
        ],
        labels: { from: "one" },
        serviceAccounts: ["a"],
      }),
      record(two, [at(two, 2)], { labels: { from: "two" }, serviceAccounts: ["b"] }),
    ]);
    expect(merged.entry).toMatchObject({
      service: {
        labels: { from: "two" },
        ports: [{ name: "http", number: 80, protocol: "HTTP" }],
        serviceAccounts: ["b"],
        provenance: { registry: two },
      },
      registries: [two, one],
    });
    expect(endpoints(merged)).toEqual([".2 p0 w1"]);
    expect([...merged.outcomes].map(([{ instance }, { code }]) => `${instance.id} ${code}`)).toEqual([
      "at 192.0.2.1 SHADOW",
      "at 192.0.2.2 MERGED",
      "t SHADOW",
      "at 192.0.2.2 SERVED",
    ]);
  });

  it("keeps a service that the registry does not have, without endpoints", () => {
    const merged = merge(rule, [record(one, [at(one, 1)]), record(three, [at(three, 3)])]);
    expect(merged.entry).toMatchObject({
      service: { ports: [{ number: 80 }] },
      instances: [],
      registries: [one, three],
    });
    expect(outcomes(merged)).toEqual({ "one .1": "SHADOW", "three .3": "SHADOW" });
  });

  it("takes several registries that fit together", () => {
    const merged = merge({ type: "authoritative", registry: "fake/t*" }, [
      record(one, [at(one, 1)]),
      record(two, [at(two, 2)]),
      record(three, [at(three, 3)]),
    ]);
    expect(endpoints(merged)).toEqual([".2 p0 w1", ".3 p0 w1"]);
  });
});

describe("outcomes", () => {
  it.each<{ name: string; of: ReturnType<typeof at>; stage: string; code: string }>([
    {
      name: "its stage, if one took it out",
      of: exclude(at(one, 1), "manual", "DRAINED", ""),
      stage: "manual",
      code: "DRAINED",
    },
    { name: "that it is served", of: at(one, 1), stage: "merge", code: "SERVED" },
    { name: "that its own weight is 0", of: at(one, 1, "HEALTHY", 0), stage: "weights", code: "WEIGHT_ZERO" },
    { name: "that it waits for its health", of: at(one, 1, "DRAINING"), stage: "merge", code: "STANDBY" },
    {
      name: "that it has no port",
      of: candidate(one, "192.0.2.1", { servicePort: "x" }),
      stage: "merge",
      code: "NO_PORT",
    },
  ])("say of a candidate $name", ({ code, of, stage }) => {
    expect(merge({ type: "union" }, [record(one, [of])]).outcomes.get(of)).toMatchObject({ stage, code });
  });

  it("say that a degraded endpoint stands by beside a healthy one, and else is served", () => {
    const [healthy, degraded] = [at(one, 1), at(one, 2, "DEGRADED")];
    const code = (all: (typeof healthy)[]) => merge({ type: "union" }, [record(one, all)]).outcomes.get(degraded)?.code;
    expect(code([healthy, degraded])).toBe("STANDBY");
    expect(code([degraded])).toBe("SERVED");
  });

  it("say that a port was contradicted", () => {
    const of = candidate(two, "192.0.2.1", { servicePort: "web" });
    const merged = merge({ type: "union" }, [
      record(one, []),
      record(two, [of], {
        ports: [
          { name: "web", number: 80, protocol: "HTTP" },
          { name: "http", number: 81, protocol: "HTTP" },
        ],
      }),
    ]);
    expect(merged.outcomes.get(of)?.code).toBe("PORT_CONFLICT");
    expect(merged.conflicts.map(({ dropped, field, kept }) => [field, kept.value, dropped.value])).toEqual([
      ["ports[http].name", "http", "web"],
      ["ports[http].number", 80, 81],
    ]);
  });
});

describe("conflicts", () => {
  it("are one port number with two protocols, also under another name", () => {
    const merged = merge({ type: "union" }, [
      record(one, []),
      record(two, [], { ports: [{ name: "web", number: 80, protocol: "GRPC" }] }),
      record(three, [], { ports: [{ name: "http", number: 80, protocol: "HTTP", targetPort: 8080 }] }),
    ]);
    expect(merged.entry?.service.ports).toEqual([{ name: "http", number: 80, protocol: "HTTP" }]);
    expect(merged.conflicts).toEqual([
      {
        field: "ports[http].protocol",
        kept: { registry: one, value: "HTTP" },
        dropped: { registry: two, value: "GRPC" },
      },
      {
        field: "ports[http].targetPort",
        kept: { registry: one, value: 80 },
        dropped: { registry: three, value: 8080 },
      },
    ]);
  });

  it("are fields of an endpoint about which two registries say different things, not those of which one says nothing", () => {
    const more = {
      locality: { region: "eu", zone: "1", subzone: "" },
      labels: { version: "1", app: "a" },
      tls: "istio",
      weight: 4,
      network: "n",
      serviceAccount: "x",
    } as const;
    const less = { labels: { version: "2", pod: "p" }, healthStatus: "UNHEALTHY" } as const;
    const merged = merge({ type: "union" }, [
      record(one, [candidate(one, "192.0.2.1", more)]),
      record(two, [candidate(two, "192.0.2.1", less)]),
    ]);
    expect(merged.conflicts.map(({ dropped, field, kept }) => [field, kept.value, dropped.value])).toEqual([
      ["192.0.2.1:8080 healthStatus", "HEALTHY", "UNHEALTHY"],
      ["192.0.2.1:8080 labels[version]", "1", "2"],
      ["192.0.2.1:8080 tls", "istio", "disabled"],
      ["192.0.2.1:8080 weight", 4, 1],
    ]);
  });

  it("are none where a registry does not know the health of an endpoint", () => {
    const say = (first: HealthStatus, then: HealthStatus) =>
      merge({ type: "union" }, [record(one, [at(one, 1, first)]), record(two, [at(two, 1, then)])]).conflicts;
    expect(say("UNKNOWN", "HEALTHY")).toEqual([]);
    expect(say("HEALTHY", "UNKNOWN")).toEqual([]);
    expect(say("HEALTHY", "DRAINING")).toHaveLength(1);
  });

  it("name the registry that speaks as the one whose word is kept", () => {
    const merged = merge({ type: "prefer", order: ["fake/two"] }, [
      record(one, [at(one, 1, "HEALTHY", 5)]),
      record(two, [at(two, 1, "HEALTHY", 7)]),
    ]);
    expect(merged.conflicts).toEqual([
      { field: "192.0.2.1:8080 weight", kept: { registry: two, value: 7 }, dropped: { registry: one, value: 5 } },
    ]);
  });

  it("are attributes of the service", () => {
    const merged = merge({ type: "union" }, [
      record(one, [], { resolution: "DNS", exportTo: ["a"], addresses: ["10.0.0.1"], meshExternal: true }),
      record(two, [], { exportTo: ["b"], addresses: [] }),
    ]);
    expect(merged.conflicts.map(({ field }) => field)).toEqual(["exportTo", "meshExternal", "resolution"]);
  });

  it("are shown for shadows, too", () => {
    const merged = merge({ type: "authoritative", registry: "fake/two" }, [
      record(one, [at(one, 1, "HEALTHY", 5)], { ports: [{ name: "http", number: 80, protocol: "TCP" }] }),
      record(two, [at(two, 1)]),
    ]);
    expect(merged.conflicts.map(({ field, kept }) => [field, kept.registry])).toEqual([
      ["192.0.2.1:8080 weight", two],
      ["ports[http].protocol", two],
    ]);
  });
});
