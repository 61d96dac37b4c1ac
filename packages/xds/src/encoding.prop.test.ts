import { create, toBinary } from "@bufbuild/protobuf";
import { UInt32ValueSchema } from "@bufbuild/protobuf/wkt";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { LocalitySchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { LbEndpointSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint_components";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { VirtualHostSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { FractionalPercent_DenominatorType } from "@signalbox/envoy-api/envoy/type/v3/percent";
import type { Address, CatalogInstance, Protocol } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { lbEndpoint, serviceCluster } from "./clusters.ts";
import { encodeEdsCluster, encodeGrpcEdsCluster } from "./eds-cluster.ts";
import { encodeDefaultVirtualHost } from "./default-virtual-host.ts";
import { dropCategory, encodeAssignment, encodeEndpoint, localityGroups, localityWeight } from "./endpoints.ts";
import { encodeGrpcListener, encodeGrpcRoutes } from "./grpc-encoding.ts";
import { grpcCluster, grpcListener, grpcRoutes } from "./grpc.ts";
import { meshSettings } from "./mesh.ts";
import { outboundCluster } from "./names.ts";
import { ReverseWriter } from "./reverse-writer.ts";
import {
  defaultRoutes,
  encodeRouteConfiguration,
  encodeVirtualHost,
  routeConfiguration,
  virtualHost,
} from "./routes.ts";
import { entryOf } from "./testing/catalog.ts";

const protocols: readonly Protocol[] = [
  "HTTP",
  "HTTP2",
  "GRPC",
  "GRPC-WEB",
  "HTTPS",
  "TLS",
  "TCP",
  "MONGO",
  "UNSUPPORTED",
];
const port = fc.integer({ min: 0, max: 65_535 });
const text = fc.string({ maxLength: 12, unit: "grapheme" });
const ip = fc.oneof(fc.ipV4(), fc.ipV6()).map((value) => value);
const address: fc.Arbitrary<Address> = fc.oneof(
  fc.record({ type: fc.constant("ip" as const), ip, port }),
  fc.record({ type: fc.constant("hostname" as const), hostname: fc.domain(), port }),
  fc.record({ type: fc.constant("unix" as const), path: text }),
);
const instance: fc.Arbitrary<CatalogInstance> = fc.record({
  id: text,
  servicePort: fc.constantFrom("http", "other"),
  addresses: fc
    .tuple(address, fc.array(address, { maxLength: 2 }))
    .map(([first, rest]): [Address, ...Address[]] => [first, ...rest]),
  labels: fc.constant({}),
  locality: fc.record({
    region: fc.constantFrom("", "r1", "ré"),
    zone: fc.constantFrom("", "z1"),
    subzone: fc.constantFrom("", "s"),
  }),
  network: fc.constant(""),
  serviceAccount: fc.constant(""),
  tls: fc.constant("disabled"),
  healthStatus: fc.constantFrom("HEALTHY", "DEGRADED", "UNHEALTHY", "DRAINING", "TERMINATING", "UNKNOWN"),
  weight: fc.oneof(fc.nat(3), fc.nat()),
  priority: fc.nat(5),
  provenance: fc.constant([{ registry: "test/one", object: "x" }] as unknown as CatalogInstance["provenance"]),
  findings: fc.constant([]),
});

const parts = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 1_000_000 }));
const overload = (numerator: number) => ({
  category: dropCategory,
  dropPercentage: { numerator, denominator: FractionalPercent_DenominatorType.MILLION },
});

describe("the written bytes are those of protobuf-es", () => {
  it("for an endpoint", () => {
    fc.assert(
      fc.property(instance, (one) => {
        expect(Buffer.from(encodeEndpoint(one))).toEqual(
          Buffer.from(toBinary(LbEndpointSchema, create(LbEndpointSchema, lbEndpoint(one)))),
        );
      }),
      { numRuns: 200 },
    );
  });

  it.each(["ip", "ip-and-unix", "ip-and-hostname"] as const)("for an assignment of %s endpoints", (addresses) => {
    fc.assert(
      fc.property(fc.array(instance, { maxLength: 12 }), text, parts, (instances, clusterName, dropped) => {
        const groups = localityGroups(instances, "http", addresses);
        const message = create(ClusterLoadAssignmentSchema, {
          clusterName,
          endpoints: groups.map((group) => ({
            locality: { region: group.locality.region, zone: group.locality.zone, subZone: group.locality.subzone },
            priority: group.priority,
            loadBalancingWeight: localityWeight(group.instances),
            lbEndpoints: group.instances.map(lbEndpoint),
          })),
          ...(dropped > 0 && { policy: { dropOverloads: [overload(dropped)] } }),
        });
        fc.pre(clusterName !== "");
        expect(Buffer.from(encodeAssignment(clusterName, groups, dropped))).toEqual(
          Buffer.from(toBinary(ClusterLoadAssignmentSchema, message)),
        );
      }),
      { numRuns: 100 },
    );
  });

  it("for a route table", () => {
    const settings = meshSettings({});
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.array(fc.tuple(text, fc.array(fc.domain(), { maxLength: 3 })), { maxLength: 5 }),
        fc.boolean(),
        (name, hosts, ignorePort) => {
          const virtualHosts = hosts.map(([host, domains]) =>
            virtualHost(host, domains, defaultRoutes(host, settings)),
          );
          const message = create(RouteConfigurationSchema, {
            ...routeConfiguration(name, ignorePort),
            virtualHosts: virtualHosts.map((host) => create(VirtualHostSchema, host)),
          });
          expect(Buffer.from(encodeRouteConfiguration(name, virtualHosts.map(encodeVirtualHost), ignorePort))).toEqual(
            Buffer.from(toBinary(RouteConfigurationSchema, message)),
          );
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("the written cluster is that of protobuf-es", () => {
  it("for any name and protocol, with settings of any mesh, again and again", () => {
    const meshes = [meshSettings({}), meshSettings({ connectTimeout: "3s" })];
    fc.assert(
      fc.property(
        fc.oneof(fc.domain(), text, fc.string({ minLength: 130, maxLength: 300 })),
        fc.constantFrom(...protocols),
        fc.integer({ min: 1, max: 65_535 }),
        fc.constantFrom(...meshes),
        (hostname, protocol, number, settings) => {
          const port = { name: "p", number, protocol };
          const { service } = entryOf({ hostname: "web.test", ports: [port] });
          const other = { ...service, hostname };
          const bytes = encodeEdsCluster(outboundCluster(number, hostname), other, port, settings);
          const message = create(ClusterSchema, serviceCluster(other, port, [], settings, "EDS"));
          expect(Buffer.from(bytes)).toEqual(Buffer.from(toBinary(ClusterSchema, message)));
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe("what is written for gRPC clients is that of protobuf-es", () => {
  const named = fc.oneof(fc.domain(), text, fc.string({ minLength: 130, maxLength: 300 }));
  const numbered = fc.integer({ min: 1, max: 65_535 });
  const at = (hostname: string, number: number) => {
    const one = { name: "p", number, protocol: "GRPC" as const };
    return { port: one, service: { ...entryOf({ hostname: "web.test", ports: [one] }).service, hostname } };
  };

  it("for listeners of any name, with faults and without", () => {
    const nonEmpty = named.filter((name) => name !== "");
    fc.assert(
      fc.property(nonEmpty, nonEmpty, fc.boolean(), (name, table, faults) => {
        const message = create(ListenerSchema, grpcListener(name, table, faults));
        expect(Buffer.from(encodeGrpcListener(name, table, faults))).toEqual(
          Buffer.from(toBinary(ListenerSchema, message)),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("for routes of any port without rules", () => {
    fc.assert(
      fc.property(named, numbered, (hostname, number) => {
        const { port, service } = at(hostname, number);
        const message = create(RouteConfigurationSchema, grpcRoutes(service, port));
        expect(Buffer.from(encodeGrpcRoutes(service, port))).toEqual(
          Buffer.from(toBinary(RouteConfigurationSchema, message)),
        );
      }),
      { numRuns: 200 },
    );
  });

  it("for clusters with endpoints from EDS, with settings of any mesh", () => {
    const meshes = [meshSettings({}), meshSettings({ connectTimeout: "3s" })];
    fc.assert(
      fc.property(named, numbered, fc.constantFrom(...meshes), (hostname, number, settings) => {
        const { port, service } = at(hostname, number);
        const name = outboundCluster(number, hostname);
        const message = create(ClusterSchema, grpcCluster(service, port, [], settings, "EDS"));
        expect(Buffer.from(encodeGrpcEdsCluster(name, service, port, settings))).toEqual(
          Buffer.from(toBinary(ClusterSchema, message)),
        );
      }),
      { numRuns: 200 },
    );
  });
});

describe("a writer from the end", () => {
  it("grows, and begins anew after what it could not write", () => {
    const writer = new ReverseWriter();
    const long = "ä".repeat(100_000);
    writer.begin();
    writer.string(2, long);
    writer.string(1, "a".repeat(70_000));
    const message = create(LocalitySchema, { region: "a".repeat(70_000), zone: long });
    expect(Buffer.from(writer.finish()).equals(toBinary(LocalitySchema, message))).toBe(true);
    for (const wrong of [-1, 1.5, 2 ** 32, Number.NaN]) expect(() => writer.uint32(1, wrong)).toThrow(RangeError);
    writer.begin();
    expect(writer.finish()).toHaveLength(0);
    writer.uint32(1, 2 ** 32 - 1);
    const largest = toBinary(UInt32ValueSchema, create(UInt32ValueSchema, { value: 2 ** 32 - 1 }));
    expect(Buffer.from(writer.finish()).equals(largest)).toBe(true);
  });
});

describe("endpoints of an assignment", () => {
  it("come out the same in any order, with priorities from 0 without a gap and no locality twice in one", () => {
    fc.assert(
      fc.property(fc.array(instance, { maxLength: 12 }), (instances) => {
        fc.pre(
          new Set(instances.map(({ id, addresses }) => JSON.stringify([id, addresses[0]]))).size === instances.length,
        );
        const groups = localityGroups(instances, "http", "ip");
        expect(groups).toEqual(localityGroups([...instances].reverse(), "http", "ip"));
        const priorities = [...new Set(groups.map(({ priority }) => priority))];
        expect(priorities).toEqual(priorities.map((_, index) => index));
        expect(new Set(groups.map(({ locality, priority }) => JSON.stringify([locality, priority]))).size).toBe(
          groups.length,
        );
        for (const group of groups) expect(localityWeight(group.instances)).toBeGreaterThan(0);
      }),
      { numRuns: 100 },
    );
  });
});

describe("the virtual host of a service without rules", () => {
  it("has the bytes of its message", () => {
    fc.assert(
      fc.property(
        fc.string({ minLength: 1 }),
        fc.array(text, { maxLength: 5 }),
        fc.string({ minLength: 1 }),
        fc.constantFrom(
          {},
          { defaultHttpRetryPolicy: { attempts: 0 } },
          { defaultHttpRetryPolicy: { perTryTimeout: "1s" } },
        ),
        (name, domains, cluster, mesh) => {
          const settings = meshSettings(mesh);
          const message = encodeVirtualHost(virtualHost(name, domains, defaultRoutes(cluster, settings)));
          expect(encodeDefaultVirtualHost(name, domains, cluster, settings)).toEqual(new Uint8Array(message));
        },
      ),
    );
  });
});
