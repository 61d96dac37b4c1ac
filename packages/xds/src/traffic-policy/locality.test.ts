import type { Locality } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { localityGroups } from "../endpoints.ts";
import { meshSettings, type LocalityLbSetting } from "../mesh.ts";
import { entryOf, type InstanceSketch } from "../testing/catalog.ts";
import { policyOf } from "../testing/policy.ts";
import { localityConfig, localityRule, placed } from "./locality.ts";
import { portPolicy } from "@signalbox/traffic";

const at = (path: string): Locality => {
  const [region = "", zone = "", subzone = ""] = path.split("/");
  return { region, zone, subzone };
};
const endpoint = (path: string, last: number, rest: Partial<InstanceSketch> = {}): InstanceSketch => ({
  address: `10.0.0.${String(last)}:80`,
  locality: at(path),
  ...rest,
});
const ruleFor = (trafficPolicy: object, mesh: LocalityLbSetting = {}) =>
  localityRule(portPolicy(policyOf({ trafficPolicy }), 80, ""), meshSettings({ localityLbSetting: mesh }).localityLb);
const outlierDetection = {};

/** Each priority with the last parts of its endpoints' addresses, and the weight of each group. */
function result(
  sketches: readonly InstanceSketch[],
  trafficPolicy: object,
  client: { readonly path?: string; readonly labels?: Record<string, string>; readonly mesh?: LocalityLbSetting } = {},
) {
  const { instances } = entryOf({
    hostname: "web.test",
    ports: [{ number: 80, protocol: "HTTP" }],
    instances: sketches,
  });
  const place = { locality: at(client.path ?? ""), labels: client.labels ?? {} };
  return placed(localityGroups(instances, "p80", "ip"), ruleFor(trafficPolicy, client.mesh), place).map(
    (group) =>
      `${String(group.priority)}: ${group.instances.map(({ id }) => id.replace(/^10\.0\.0\.|:80$/g, "")).join(" ")}` +
      (group.weight === undefined ? "" : ` (${String(group.weight)})`),
  );
}

describe("failover", () => {
  const around = [
    endpoint("r1/z1/s1", 1),
    endpoint("r1/z1/s2", 2),
    endpoint("r1/z2/s1", 3),
    endpoint("r2/z1/s1", 4),
    endpoint("r3/z1/s1", 5),
  ];

  it("prefers the same place, then the zone, then the region, then all others, where endpoints can be ejected", () => {
    expect(result(around, { outlierDetection }, { path: "r1/z1/s1" })).toEqual([
      "0: 1",
      "1: 2",
      "2: 3",
      "3: 4",
      "3: 5",
    ]);
    expect(result(around, { outlierDetection }, { path: "r1/z2/s1" })).toEqual([
      "0: 3",
      "1: 1",
      "1: 2",
      "2: 4",
      "2: 5",
    ]);
    expect(result(around, { outlierDetection }, { path: "r9" })).toHaveLength(5);
  });

  it("does nothing without outlier detection, or where it is off", () => {
    const flat = ["0: 1", "0: 2", "0: 3", "0: 4", "0: 5"];
    expect(result(around, {}, { path: "r1/z1/s1" })).toEqual(flat);
    expect(result(around, { outlierDetection }, { path: "r1/z1/s1", mesh: { enabled: false } })).toEqual(flat);
    const loadBalancer = { localityLbSetting: { enabled: false } };
    expect(result(around, { outlierDetection, loadBalancer }, { path: "r1/z1/s1" })).toEqual(flat);
  });

  it("goes to the region that the rule names before all others", () => {
    const loadBalancer = { localityLbSetting: { failover: [{ from: "r1", to: "r3" }] } };
    expect(result(around, { outlierDetection, loadBalancer }, { path: "r1/z1/s1" })).toEqual([
      "0: 1",
      "1: 2",
      "2: 3",
      "3: 5",
      "4: 4",
    ]);
    expect(result(around, { outlierDetection, loadBalancer }, { path: "r2/z1/s1" }).slice(1)).toEqual([
      "1: 1",
      "1: 2",
      "1: 3",
      "1: 5",
    ]);
  });

  it("keeps endpoints that were second choice behind all others", () => {
    const sketches = [endpoint("r1/z1", 1, { priority: 1 }), endpoint("r2/z1", 2)];
    expect(result(sketches, { outlierDetection }, { path: "r1/z1" })).toEqual(["0: 2", "1: 1"]);
  });

  const labelled = [
    endpoint("r1/z1", 1, { labels: { rack: "a", disk: "x" } }),
    endpoint("r1/z1", 2, { labels: { rack: "a", disk: "y" } }),
    endpoint("r1/z1", 3, { labels: { rack: "b", disk: "x" } }),
  ];
  it.each([
    ["the client's labels", ["rack", "disk"], ["0: 1", "1: 2", "2: 3"]],
    ["labels with a value", ["rack=b"], ["0: 3", "1: 1 2"]],
    ["labels that nobody has", ["color"], ["0: 1 2 3"]],
    ["another network after all others", ["topology.istio.io/network", "rack"], ["0: 1 2", "1: 3"]],
  ])("orders by %s", (_, failoverPriority, expected) => {
    const loadBalancer = { localityLbSetting: { failoverPriority } };
    const labels = { rack: "a", disk: "x" };
    expect(result(labelled, { outlierDetection, loadBalancer }, { path: "r1/z1", labels })).toEqual(expected);
  });

  it("orders by where workloads are as by labels, and by regions below that", () => {
    const setting = { failoverPriority: ["topology.kubernetes.io/region"], failover: [{ from: "r1", to: "r3" }] };
    expect(
      result(around, { outlierDetection, loadBalancer: { localityLbSetting: setting } }, { path: "r1/z1/s1" }),
    ).toEqual(["0: 1", "1: 2", "2: 3", "3: 5", "4: 4"]);
  });
});

describe("shares by locality", () => {
  const sketches = [endpoint("r1/z1/s1", 1, { weight: 3 }), endpoint("r1/z2/s1", 2), endpoint("r2/z1/s1", 3)];
  const distribute = [
    { from: "r9/*", to: { "r2/*": 100 } },
    { from: "r1/z1/*", to: { "r1/z1/*": 80, "r2/*": 20 } },
    { from: "r1/*", to: { "r1/*": 100 } },
  ];
  const loadBalancer = { localityLbSetting: { distribute } };

  it("are those of the first rule for where the client is, and leave out what has none", () => {
    expect(result(sketches, { loadBalancer }, { path: "r1/z1/s1" })).toEqual(["0: 1 (80)", "0: 3 (20)"]);
  });

  it("are parted among localities by the weights that they had, rounded up", () => {
    expect(result(sketches, { loadBalancer }, { path: "r1/z2" })).toEqual(["0: 1 (75)", "0: 2 (25)"]);
  });

  it("are no matter of clients elsewhere", () => {
    expect(result(sketches, { loadBalancer }, { path: "r7" })).toEqual(["0: 1", "0: 2", "0: 3"]);
  });
});

it("zone-aware load balancing keeps a client's region first, then the one to fail over to", () => {
  const sketches = [endpoint("r1/z1", 1), endpoint("r1/z2", 2), endpoint("r2/z1", 3), endpoint("r3/z1", 4)];
  const zoneAwareLbSetting = { failover: [{ from: "r1", to: "r3" }] };
  expect(result(sketches, { loadBalancer: { zoneAwareLbSetting } }, { path: "r1/z1" })).toEqual([
    "0: 1",
    "0: 2",
    "1: 4",
    "2: 3",
  ]);
});

describe("what a cluster says of localities", () => {
  const weighted = { localityConfigSpecifier: { case: "localityWeightedLbConfig", value: {} } };
  const failover = [{ from: "a", to: "b" }];
  it.each([
    ["nothing by default", {}, {}, {}],
    ["nothing for outlier detection alone", { outlierDetection }, {}, {}],
    [
      "that weights count, with shares",
      { loadBalancer: { localityLbSetting: { distribute: [{ from: "*", to: { a: 100 } }] } } },
      {},
      weighted,
    ],
    [
      "that weights count, with failover and outlier detection",
      { outlierDetection, loadBalancer: { localityLbSetting: { failover } } },
      {},
      weighted,
    ],
    ["nothing, with failover alone", { loadBalancer: { localityLbSetting: { failover } } }, {}, {}],
    ["that weights count, with the mesh's failover", { outlierDetection }, { failover }, weighted],
    [
      "zones",
      { loadBalancer: { zoneAwareLbSetting: { minClusterSize: 3 } } },
      {},
      { localityConfigSpecifier: { case: "zoneAwareLbConfig", value: { minClusterSize: 3n } } },
    ],
    [
      "no zones where they are off",
      { loadBalancer: { zoneAwareLbSetting: { enabled: false } } },
      {},
      { localityConfigSpecifier: { case: "zoneAwareLbConfig", value: { routingEnabled: { value: 0 } } } },
    ],
  ])("is %s", (_, trafficPolicy, mesh, expected) => {
    expect(localityConfig(ruleFor(trafficPolicy, mesh))).toEqual(expected);
  });
});
