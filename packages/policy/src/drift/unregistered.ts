import { byCodeUnit, canonicalIp, instanceKey } from "@signalbox/model";
import type { RegistryId, ServiceInstance, ServiceKey, WorkloadKey } from "@signalbox/model";
import type { DriftMembers } from "./members.ts";
import type { DriftTruth } from "./truth.ts";

/** A workload that serves a service and that a checked registry does not list. */
export interface Unregistered {
  /** The registry whose workload it is. */
  readonly cluster: RegistryId;
  readonly workload: WorkloadKey;
  /** The first of its addresses that its own registry lists, as `instanceKey` writes it. */
  readonly address: string;
}

/**
 * The ready workloads that serve a service by the word of their own registry, and of which a checked registry, which tells of that
 * service, lists no address in any of `instances`: all that it lists under the service. Pure. Sorted by workload.
 */
export function unregistered(
  service: ServiceKey,
  instances: readonly ServiceInstance[],
  { members, truth }: { readonly members: DriftMembers; readonly truth: DriftTruth },
): readonly Unregistered[] {
  const listed = new Set<string>();
  for (const address of instances.flatMap(({ addresses }) => addresses)) {
    if (address.type === "ip") listed.add(canonicalIp(address.ip)).add(instanceKey(address));
  }
  const found = new Map<string, Unregistered>();
  const known = new Set<string>();
  for (const { registry, ip, port } of members.of(service)) {
    const address = instanceKey({ type: "ip", ip, port });
    for (const { hostNetwork, key: workload, phase } of truth.workloadsAt(registry, ip, port)) {
      const id = `${registry}\0${workload}`;
      if (listed.has(hostNetwork ? address : ip)) known.add(id);
      const before = found.get(id);
      if (phase !== "READY" || (before !== undefined && before.address <= address)) continue;
      found.set(id, { cluster: registry, workload, address });
    }
  }
  return [...found]
    .filter(([id]) => !known.has(id))
    .sort(([a], [b]) => byCodeUnit(a, b))
    .map(([, one]) => one);
}
