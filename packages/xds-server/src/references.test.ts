import { create, toBinary, type MessageInitShape } from "@bufbuild/protobuf";
import { anyPack } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import type { TypeUrl } from "@signalbox/envoy-api";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { HttpConnectionManagerSchema } from "@signalbox/envoy-api/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager";
import { endpointNameOf, inconsistencies, routeNamesOf } from "./references.ts";
import { resourceOf, type Resource } from "./resource.ts";
import { CDS, EDS, LDS, RDS } from "./testing/fake-stream.ts";

function cluster(init: MessageInitShape<typeof ClusterSchema>): Resource {
  return resourceOf("the-cluster", toBinary(ClusterSchema, create(ClusterSchema, { name: "the-cluster", ...init })));
}
const eds = { case: "type", value: Cluster_DiscoveryType.EDS } as const;
const dns = { case: "type", value: Cluster_DiscoveryType.STRICT_DNS } as const;

function listener(name: string, place: "chain" | "default" | "api", routeConfigName: string): Resource {
  const manager = create(HttpConnectionManagerSchema, { routeSpecifier: { case: "rds", value: { routeConfigName } } });
  const typedConfig = anyPack(HttpConnectionManagerSchema, manager);
  const chain = { filters: [{ name: "http", configType: { case: "typedConfig", value: typedConfig } as const }] };
  const message = create(ListenerSchema, {
    name,
    ...(place === "chain" ? { filterChains: [chain] } : {}),
    ...(place === "default" ? { defaultFilterChain: chain } : {}),
    ...(place === "api" ? { apiListener: { apiListener: typedConfig } } : {}),
  });
  return resourceOf(name, toBinary(ListenerSchema, message));
}

describe("endpointNameOf", () => {
  it.each([
    { what: "an EDS cluster's own name", given: cluster({ clusterDiscoveryType: eds }), name: "the-cluster" },
    {
      what: "its service name",
      given: cluster({ clusterDiscoveryType: eds, edsClusterConfig: { serviceName: "service" } }),
      name: "service",
    },
    { what: "nothing for DNS", given: cluster({ clusterDiscoveryType: dns }), name: undefined },
    { what: "nothing for STATIC, the default", given: cluster({}), name: undefined },
    { what: "nothing for junk", given: resourceOf("junk", Buffer.from("junk")), name: undefined },
  ])("is $what", ({ given, name }) => {
    expect(endpointNameOf(given)).toBe(name);
    expect(endpointNameOf(given)).toBe(name);
  });
});

describe("routeNamesOf", () => {
  it.each(["chain", "default", "api"] as const)("finds the route named in %s", (place) => {
    expect(routeNamesOf(listener("l", place, "r"))).toEqual(["r"]);
  });

  it("finds none in junk", () => {
    expect(routeNamesOf(resourceOf("l", Buffer.from([0xff])))).toEqual([]);
  });
});

describe("inconsistencies", () => {
  const view = (resources: [TypeUrl, Resource[]][]): Parameters<typeof inconsistencies>[0] => {
    const types = new Map(resources.map(([type, list]) => [type, new Map(list.map((one) => [one.name, one]))]));
    return { resources: (type) => types.get(type) ?? new Map() };
  };
  const referring: [TypeUrl, Resource[]][] = [
    [CDS, [cluster({ clusterDiscoveryType: eds }), resourceOf("plain", new Uint8Array(0))]],
    [LDS, [listener("z", "chain", "r"), listener("a", "api", "s")]],
  ];

  it("are what clusters and listeners name and nobody has", () => {
    expect(inconsistencies(view(referring))).toEqual([
      { from: { type: CDS, name: "the-cluster" }, missing: { type: EDS, name: "the-cluster" } },
      { from: { type: LDS, name: "a" }, missing: { type: RDS, name: "s" } },
      { from: { type: LDS, name: "z" }, missing: { type: RDS, name: "r" } },
    ]);
  });

  it("are none when everything named is there, whatever else is", () => {
    const there = (...names: string[]): Resource[] => names.map((name) => resourceOf(name, new Uint8Array(0)));
    const whole = view([...referring, [EDS, there("the-cluster", "unused")], [RDS, there("r", "s")]]);
    expect(inconsistencies(whole)).toEqual([]);
  });
});
