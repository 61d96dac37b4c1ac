import { formatPath } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { checkConfig, parseConfig } from "./check.ts";
import { catalogRules } from "./catalog-rules.ts";
import { planRegistries } from "./registries.ts";

const withdraw = { mode: "delete", registries: ["eureka/main"], services: ["*"] };
const one = { registry: "kubernetes/one", podCidrs: ["10.40.0.0/16"] };
const drift = { clusters: [one], withdraw };
const cluster = (name: string, more: object = {}) => ({
  provider: "kubernetes",
  name,
  url: "http://api.test",
  ...more,
});

/** What is wrong with a configuration, by all who look at it. */
async function faultsOf(data: unknown): Promise<readonly string[]> {
  const { config, faults } = checkConfig(data);
  const found = config === undefined ? faults : (await planRegistries(config)).faults;
  return found.map(({ message, path }) => `${formatPath(path)}: ${message}`);
}

describe("the configuration of withdrawals", () => {
  it("has careful defaults", () => {
    expect(catalogRules(parseConfig({ drift })).withdrawal).toEqual({
      ...{ dryRun: false, registries: ["eureka/main"], services: ["*"], ghostForMs: 900_000, everyMs: 10_000 },
      ...{ maxShare: 0.34, keep: 2, maxPerHour: 20 },
    });
    expect(catalogRules(parseConfig({ drift: { clusters: [one] } })).withdrawal).toBeUndefined();
  });

  it.each<{ readonly name: string; readonly data: object; readonly faults: readonly string[] }>([
    {
      name: "nothing, where the whole of one cluster is read",
      data: { drift, registries: [cluster("one")] },
      faults: [],
    },
    { name: "nothing of a registry that a program brings", data: { drift }, faults: [] },
    {
      name: "ghosts that are none for long enough",
      data: { drift: { clusters: [one], withdraw: { ...withdraw, ghostFor: "59s", every: "999ms" } } },
      faults: ["drift.withdraw.ghostFor: must be at least 1m", "drift.withdraw.every: must be at least 1s"],
    },
    {
      name: "several processes without a bus, each of which would do it",
      data: { drift, api: { replicas: 2 } },
      faults: [
        "drift.withdraw: needs a bus where api.replicas is more than 1: each of the 2 processes would withdraw for itself",
      ],
    },
    {
      name: "nothing of several processes with a bus",
      data: { drift, api: { replicas: 2 }, bus: { type: "redis" } },
      faults: [],
    },
    {
      name: "ranges of two clusters that overlap, however they are written",
      data: {
        drift: {
          withdraw,
          clusters: [
            { ...one, podCidrs: ["10.40.7.0/24", "2001:db8::/64"] },
            { registry: "kubernetes/two", podCidrs: ["192.168.0.0/16", "10.40.0.0/16", "2001:db8::5/128"] },
          ],
        },
      },
      faults: [
        "drift.clusters[1].podCidrs[1]: overlaps 10.40.7.0/24 of kubernetes/one: with drift.withdraw an address must be of one cluster",
        "drift.clusters[1].podCidrs[2]: overlaps 2001:db8::/64 of kubernetes/one: with drift.withdraw an address must be of one cluster",
      ],
    },
    {
      name: "nothing of ranges of one cluster that overlap",
      data: { drift: { withdraw, clusters: [one, { ...one, podCidrs: ["10.0.0.0/8"] }] } },
      faults: [],
    },
    {
      name: "nothing of ranges that overlap where nothing is withdrawn",
      data: { drift: { clusters: [one, { ...one, registry: "kubernetes/two" }] } },
      faults: [],
    },
    ...(
      [
        ["pods", { pods: false }],
        ["namespaces.include", { namespaces: { include: ["shop"] } }],
        ["namespaces.exclude", { namespaces: { exclude: ["shop"] } }],
        ["namespaces.selector", { namespaces: { selector: { team: "a" } } }],
        ["manifests", { url: undefined, manifests: ["x"] }],
      ] as const
    ).map(([field, more]) => ({
      name: `a cluster whose pods are not all seen, by ${field}`,
      data: { drift, registries: [cluster("other", more), cluster("one", more)] },
      faults: [
        `registries[1].${field}: hides pods of kubernetes/one, and drift.withdraw would take their registrations for ghosts`,
      ],
    })),
    {
      name: "a cluster that is none",
      data: {
        drift: { withdraw, clusters: [{ ...one, registry: "static/one" }] },
        registries: [{ provider: "static", name: "one", paths: ["x"] }],
      },
      faults: ["registries[0].provider: knows no pods, and drift.withdraw would take all registrations for ghosts"],
    },
    {
      name: "nothing of a cluster whose pods are not all seen where nothing is withdrawn",
      data: { drift: { clusters: [one] }, registries: [cluster("one", { pods: false })] },
      faults: [],
    },
  ])("is refused: $name", async ({ data, faults }) => {
    expect(await faultsOf(data)).toEqual(faults);
  });
});
