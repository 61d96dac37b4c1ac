import { isIP } from "node:net";
import { canonicalIp } from "@signalbox/model";
import type {
  Address,
  Labels,
  Port,
  Resolution,
  Service,
  ServiceInstance,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";

/**
 * Adds the instances that a service's `workloadSelector` picks among the workloads, wherever these come from. As Istio
 * does it for a ServiceEntry: only workloads of the service's namespace whose labels have all of the selector's; an empty
 * selector picks none; a workload that is known by a hostname serves only services that are resolved by DNS. The port is
 * the workload's own port of that name, else the service port's `targetPort`, else its number; a Unix socket has none.
 * A workload that is not ready is unhealthy; one that is pending, failed or terminating is no instance.
 *
 * Pure. The record comes back as it is where nothing is picked.
 */
export function selectWorkloads(record: ServiceRecord, workloads: Iterable<Workload>): ServiceRecord {
  const { service } = record;
  const selected: ServiceInstance[] = [];
  for (const workload of workloads) {
    if (selects(service, workload))
      for (const port of service.ports) selected.push(...instanceOf(service, port, workload));
  }
  return selected.length === 0 ? record : { service, instances: [...record.instances, ...selected] };
}

/** Whether a service's selector picks a workload. Phase and address do not matter here. */
export function selects(service: Service, workload: Workload): boolean {
  const { workloadSelector } = service;
  if (workloadSelector === undefined || workloadNamespace(workload.key) !== service.namespace) return false;
  return matches(workloadSelector, workload.labels);
}

/** The namespace in a workload's key. Only the part before it, the cluster, may contain slashes. */
export function workloadNamespace(key: WorkloadKey): string {
  return key.split("/").at(-2) ?? "";
}

function matches(selector: Labels, labels: Labels): boolean {
  const wanted = Object.entries(selector);
  return wanted.length > 0 && wanted.every(([name, value]) => Object.hasOwn(labels, name) && labels[name] === value);
}

function instanceOf(service: Service, port: Port, workload: Workload): readonly ServiceInstance[] {
  const healthStatus =
    workload.phase === "READY" ? "HEALTHY" : workload.phase === "NOT_READY" ? "UNHEALTHY" : undefined;
  const addresses = addressesOf(workload, portOf(workload, port), service.resolution);
  const [first, ...rest] = addresses;
  if (healthStatus === undefined || first === undefined) return [];
  return [
    {
      id: `${workload.key}:${port.name}`,
      servicePort: port.name,
      addresses: [first, ...rest],
      labels: workload.labels,
      locality: workload.locality,
      network: workload.network,
      serviceAccount: workload.serviceAccount,
      tls: workload.tls ?? "disabled",
      healthStatus,
      weight: workload.weight ?? 1,
      ...(workload.startedAt !== undefined && { registeredAt: workload.startedAt }),
      provenance: workload.provenance,
    },
  ];
}

function portOf(workload: Workload, port: Port): number {
  const { namedPorts } = workload;
  const own = namedPorts && Object.hasOwn(namedPorts, port.name) ? (namedPorts[port.name] ?? 0) : 0;
  return own > 0 ? own : (port.targetPort ?? port.number);
}

function addressesOf(workload: Workload, port: number, resolution: Resolution): readonly Address[] {
  const addresses: Address[] = [];
  const byDns = resolution === "DNS" || resolution === "DNS_ROUND_ROBIN";
  for (const address of workload.addresses) {
    if (address.startsWith("unix://")) addresses.push({ type: "unix", path: address.slice("unix://".length) });
    else if (isIP(address) !== 0) addresses.push({ type: "ip", ip: canonicalIp(address), port });
    else if (byDns) addresses.push({ type: "hostname", hostname: address, port });
  }
  return addresses;
}
