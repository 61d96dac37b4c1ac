import { checkObject } from "@signalbox/istio-objects";
import { entryVersions, objectKey, registryId, serviceKey } from "@signalbox/model";
import type { Catalog, CatalogEntry, CatalogInstance, ConfigObject, Service } from "@signalbox/model";
import { provideEnvoy } from "@signalbox/test-servers";
import { parseNode, renderProxy, type RenderedProxy } from "@signalbox/xds";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { ruleSet } from "./rules/arbitrary-rules.ts";
import { refusal } from "./rules/envoy-validation.ts";

// Rules at random, as long as Istio takes them: Envoy must take all that becomes of them.

/** How many sets of rules are tried. */
const runs = Number(process.env["SIGNALBOX_RULE_RUNS"] ?? 100);
const seed = Number(process.env["SIGNALBOX_RULE_SEED"] ?? 20_240_615);
/** So many sets stand in one Envoy: it starts slowly and loads quickly. */
const together = 25;

const provenance = { registry: registryId("test", "one"), object: "test" };
const ports = [
  { name: "http", number: 80, protocol: "HTTP" },
  { name: "tls", number: 443, protocol: "TLS" },
  { name: "tcp", number: 3306, protocol: "TCP" },
  { name: "grpc", number: 7000, protocol: "GRPC" },
  { name: "auto", number: 8080, protocol: "UNSUPPORTED" },
] as const;

function entry(
  hostname: string,
  resolution: Service["resolution"],
  endpoints: readonly string[],
  more: Partial<Service> = {},
): CatalogEntry {
  const service: Service = {
    hostname,
    namespace: "shop",
    resolution,
    ports,
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance,
    ...more,
  };
  const instances = endpoints.flatMap((host, at) =>
    ports.map(({ name, number: port }): CatalogInstance => ({
      id: `${host} ${name}`,
      servicePort: name,
      addresses: [/^[\d.]+$/.test(host) ? { type: "ip", ip: host, port } : { type: "hostname", hostname: host, port }],
      labels: { version: at === 0 ? "v1" : "v2", app: "web" },
      locality: { region: at === 0 ? "north" : "south", zone: "a", subzone: "" },
      network: "",
      serviceAccount: "",
      tls: "disabled",
      healthStatus: "HEALTHY",
      weight: 1 + at,
      priority: 0,
      provenance: [provenance],
      findings: [],
    })),
  );
  const versions = entryVersions(service, instances);
  return { key: serviceKey(service), service, instances, registries: [provenance.registry], versions };
}

const entries = [
  entry("web.shop.svc.cluster.local", "STATIC", ["10.1.0.1", "10.1.0.2"], { addresses: ["10.0.0.1"] }),
  entry("store.other.svc.cluster.local", "NONE", ["10.2.0.1"], { namespace: "other" }),
  entry("static.example.com", "STATIC", ["192.0.2.1"], { meshExternal: true, addresses: ["240.0.0.1"] }),
  entry("dns.example.com", "DNS", ["a.example.net", "b.example.net"], { meshExternal: true }),
  entry("robin.example.com", "DNS_ROUND_ROBIN", ["c.example.net"], { meshExternal: true }),
  entry("none.example.com", "NONE", [], { meshExternal: true }),
  entry("*.wild.example.com", "DYNAMIC_DNS", [], { meshExternal: true }),
  entry("front.shop.svc.cluster.local", "STATIC", ["10.9.0.3"], { addresses: ["10.0.0.9"] }),
];

const locality = { region: "north", zone: "a" };
const nodes = [
  { id: "sidecar~10.1.0.1~web.shop~shop.svc.cluster.local", metadata: { LABELS: { app: "web" } }, locality },
  { id: "sidecar~10.9.0.2~x.other~other.svc.cluster.local", metadata: { INTERCEPTION_MODE: "NONE" } },
  { id: "router~10.9.0.3~edge.shop~shop.svc.cluster.local", metadata: { LABELS: { app: "edge" } }, locality },
  { id: "edge", metadata: { NAMESPACE: "shop", LISTENER_ADDRESS: "127.0.0.2", CLUSTER_ID: "one" } },
].map(parseNode);

function clientsOf(rules: readonly ConfigObject[]): readonly RenderedProxy[] {
  const catalog: Catalog = {
    revision: { epoch: "1", sequence: 1 },
    entries: new Map(entries.map((one) => [one.key, one])),
    workloads: new Map(),
    objects: new Map(rules.map((rule) => [objectKey(rule), rule])),
  };
  return nodes.map((node) => renderProxy(catalog, node));
}

interface Spec {
  readonly hosts?: readonly string[];
  readonly http?: readonly { readonly delegate?: { readonly name: string; readonly namespace?: string } }[];
  readonly servers?: readonly { readonly port: { readonly number: number } }[];
  readonly subsets?: readonly { readonly trafficPolicy?: Policy }[];
  readonly trafficPolicy?: Policy;
}
interface Policy {
  readonly loadBalancer?: { readonly consistentHash?: object };
}

/** In how many of the sets rules have to do with each other, or with themselves, in ways that seldom come by chance. */
function meetings(worlds: readonly (readonly ConfigObject[])[]) {
  const count = (holds: (rules: readonly (ConfigObject & { readonly spec: Spec })[]) => boolean) =>
    worlds.filter((rules) => holds(rules as readonly (ConfigObject & { readonly spec: Spec })[])).length;
  return {
    delegates: count((rules) =>
      rules.some(({ namespace, spec }) =>
        (spec.http ?? []).some(({ delegate }) =>
          rules.some(
            (one) =>
              one.kind === "VirtualService" &&
              one.spec.hosts === undefined &&
              one.name === delegate?.name &&
              one.namespace === (delegate.namespace ?? namespace),
          ),
        ),
      ),
    ),
    gatewaysAtOnePort: count((rules) => {
      const ports = rules.flatMap(({ spec }) => [...new Set((spec.servers ?? []).map(({ port }) => port.number))]);
      return new Set(ports).size < ports.length;
    }),
    subsetsThatHash: count((rules) =>
      rules.some(({ spec }) =>
        (spec.subsets ?? []).some(({ trafficPolicy }) => trafficPolicy?.loadBalancer?.consistentHash !== undefined),
      ),
    ),
    subsetsBelowHashes: count((rules) =>
      rules.some(
        ({ spec }) => spec.trafficPolicy?.loadBalancer?.consistentHash !== undefined && (spec.subsets ?? []).length > 0,
      ),
    ),
  };
}

describe("Envoy", () => {
  let envoy = "";
  beforeAll(async () => {
    envoy = await provideEnvoy();
  });

  /** The sets of rules of which Envoy takes no part, with what it says. */
  async function refused(worlds: readonly (readonly ConfigObject[])[]): Promise<readonly object[]> {
    const all = await refusal(envoy, worlds.flatMap(clientsOf));
    if (all === "") return [];
    const [only] = worlds;
    if (worlds.length === 1 && only !== undefined)
      return [{ says: all, rules: only.map(({ kind, name, namespace, spec }) => ({ kind, namespace, name, spec })) }];
    const half = Math.ceil(worlds.length / 2);
    return [...(await refused(worlds.slice(0, half))), ...(await refused(worlds.slice(half)))];
  }

  it(
    `takes what ${String(runs)} sets of rules give to clients of every kind`,
    async () => {
      const worlds = fc.sample(ruleSet, { numRuns: runs, seed });
      const kinds = new Set(worlds.flat().map(({ kind }) => kind));
      expect([...kinds].sort()).toEqual(["DestinationRule", "EnvoyFilter", "Gateway", "Sidecar", "VirtualService"]);
      expect(
        worlds
          .flat()
          .flatMap((rule) => checkObject(rule))
          .filter(({ severity }) => severity === "error"),
      ).toEqual([]);
      const counted = meetings(worlds);
      for (const [meeting, count] of Object.entries(counted))
        expect([meeting, count > runs / 100]).toEqual([meeting, true]);
      const found: object[] = [];
      for (let at = 0; at < worlds.length; at += together)
        found.push(...(await refused(worlds.slice(at, at + together))));
      expect(found).toEqual([]);
    },
    60_000 + runs * 2000,
  );
});
