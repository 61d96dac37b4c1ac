import { Cluster_EdsClusterConfigSchema, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { Port, Protocol, Service } from "@signalbox/model";
import { serviceCluster } from "./clusters.ts";
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

const shared = new WeakMap<MeshSettings, Map<Protocol, Shared>>();
/** Nothing that is written gives way to anybody else before it is finished, so one is enough. */
const writer = new ReverseWriter();

/** The bytes of `serviceCluster` for a port with endpoints from EDS. Most clusters are such, and few differ in more than the name. */
export function encodeEdsCluster(name: string, service: Service, port: Port, settings: MeshSettings): Uint8Array {
  const { rest, source, type } = sharedParts(service, port, settings);
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

function sharedParts(service: Service, port: Port, settings: MeshSettings): Shared {
  const byProtocol = shared.get(settings) ?? new Map<Protocol, Shared>();
  shared.set(settings, byProtocol);
  let parts = byProtocol.get(port.protocol);
  if (parts === undefined) {
    const cluster = serviceCluster(service, port, [], settings, "EDS");
    const { clusterDiscoveryType, edsClusterConfig, name: _, ...rest } = cluster;
    parts = {
      type: encoded(ClusterSchema, { ...(clusterDiscoveryType && { clusterDiscoveryType }) }),
      source: encoded(Cluster_EdsClusterConfigSchema, { ...edsClusterConfig, serviceName: "" }),
      rest: encoded(ClusterSchema, rest),
    };
    byProtocol.set(port.protocol, parts);
  }
  return parts;
}
