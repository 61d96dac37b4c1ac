import { Cluster_EdsClusterConfigSchema, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { Port, Protocol, Service } from "@signalbox/model";
import type { ClusterInit } from "./cluster-init.ts";
import { serviceCluster } from "./clusters.ts";
import { grpcCluster } from "./grpc.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { ReverseWriter } from "./reverse-writer.ts";

/** What clusters with endpoints from EDS share: all but their name, which stands in two places. */
interface Shared {
  /** Field 2, the type. */
  readonly type: Uint8Array;
  /** What stands in field 3 before the name. */
  readonly source: Uint8Array;
  /** All later fields. */
  readonly rest: Uint8Array;
}

const shared = new WeakMap<MeshSettings, Map<Protocol | "for gRPC clients", Shared>>();
/** Nothing that is written gives way to anybody else before it is finished, so one is enough. */
const writer = new ReverseWriter();

/** The bytes of `serviceCluster` for a port with endpoints from EDS. Most clusters are such, and few differ in more than the name. */
export function encodeEdsCluster(name: string, service: Service, port: Port, settings: MeshSettings): Uint8Array {
  return named(
    name,
    sharedParts(settings, port.protocol, () => serviceCluster(service, port, [], settings, "EDS")),
  );
}

/** The bytes of `grpcCluster` for a port with endpoints from EDS. */
export function encodeGrpcEdsCluster(name: string, service: Service, port: Port, settings: MeshSettings): Uint8Array {
  return named(
    name,
    sharedParts(settings, "for gRPC clients", () => grpcCluster(service, port, [], settings, "EDS")),
  );
}

function named(name: string, { rest, source, type }: Shared): Uint8Array {
  writer.begin();
  writer.raw(rest);
  const before = writer.length;
  writer.string(2, name);
  writer.raw(source);
  writer.nested(3, before);
  writer.raw(type);
  writer.string(1, name);
  return writer.finish();
}

function sharedParts(settings: MeshSettings, kind: Protocol | "for gRPC clients", make: () => ClusterInit): Shared {
  const byKind = shared.get(settings) ?? new Map<Protocol | "for gRPC clients", Shared>();
  shared.set(settings, byKind);
  let parts = byKind.get(kind);
  if (parts === undefined) {
    const { clusterDiscoveryType, edsClusterConfig, name: _, ...rest } = make();
    parts = {
      type: encoded(ClusterSchema, { ...(clusterDiscoveryType && { clusterDiscoveryType }) }),
      source: encoded(Cluster_EdsClusterConfigSchema, { ...edsClusterConfig, serviceName: "" }),
      rest: encoded(ClusterSchema, rest),
    };
    byKind.set(kind, parts);
  }
  return parts;
}
