import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { Labels, RegistryId, ServiceInstance, Workload } from "@signalbox/model";
import type { DriftMembers } from "./members.ts";

/** A service of the catalog whose endpoints are checked. */
export interface DriftService {
  readonly namespace: string;
  readonly hostname: string;
  /** Its short name, `orders`; case does not matter. */
  readonly name: string;
}

/** What is asked: whether the workload at this address is one of the service. */
export interface Claim {
  readonly instance: ServiceInstance;
  /** Which registry lists the instance. */
  readonly registry: RegistryId;
  readonly service: DriftService;
  /** The canonical address and the port of the instance that are the workload's. */
  readonly ip: string;
  readonly port: number;
}

/** By what it is known to which service a workload belongs. */
export interface BelongingRules {
  readonly serviceLabels: readonly string[];
  readonly workloadNameLabels: readonly string[];
  readonly skewMs: number;
}

/**
 * Why a workload is one of another service than the claimed one, for people; `undefined` where it belongs to it or nothing
 * tells. The first that tells decides:
 *
 * 1. The instance names its workload.
 * 2. The workload's own registry tells of the service, and lists the address under it, or only under others. A registry
 *    that does not know the service may simply have another name for it.
 * 3. A label names the workload's service: the claimed one, or another that the instance's registry tells of, too.
 * 4. The workload is younger than the registration, so the address is not the registered one's any more.
 */
export function foreign(
  claim: Claim,
  cluster: RegistryId,
  workload: Workload,
  members: DriftMembers,
  rules: BelongingRules,
): string | undefined {
  return (
    byName(claim, workload, rules) ??
    byMembership(claim, cluster, workload, members) ??
    byLabel(claim, workload, members, rules) ??
    byAge(claim, workload, rules) ??
    belongs
  ).other;
}

/** That something told. `other`: why it is another service's. */
interface Told {
  readonly other: string | undefined;
}

const belongs: Told = { other: undefined };

function byName({ instance }: Claim, { key }: Workload, { workloadNameLabels }: BelongingRules): Told | undefined {
  const claimed = workloadNameLabels.map((label) => labelOf(instance.labels, label)).find((name) => name !== "");
  if (claimed === undefined) return undefined;
  // Of `<cluster>/<namespace>/<name>` the end: the name alone, or with the namespace.
  if (key === claimed || key.endsWith(`/${claimed}`)) return belongs;
  return { other: `the endpoint is of ${claimed}` };
}

function byMembership(
  { service, ip, port }: Claim,
  cluster: RegistryId,
  { hostNetwork }: Workload,
  members: DriftMembers,
): Told | undefined {
  const own = serviceKey(service);
  // The services of a workload that has its address for itself are those of all its ports.
  const listed = members
    .at(ip)
    .filter((member) => member.registry === cluster && (!hostNetwork || member.port === port))
    .map((member) => member.service);
  if (listed.includes(own)) return belongs;
  if (listed.length === 0 || !members.tells(cluster, own)) return undefined;
  return { other: `${cluster} lists it under ${[...new Set(listed)].sort(byCodeUnit).join(", ")}` };
}

function byLabel(
  { registry, service }: Claim,
  { labels }: Workload,
  members: DriftMembers,
  { serviceLabels }: BelongingRules,
): Told | undefined {
  const own = service.name.toLowerCase();
  const named = serviceLabels.map((label) => [label, labelOf(labels, label).toLowerCase()] as const);
  if (named.some(([, name]) => name === own)) return belongs;
  const other = named.find(([, name]) => name !== "" && members.named(registry, name));
  return other === undefined ? undefined : { other: `its label ${other[0]} is ${other[1]}` };
}

function byAge({ instance }: Claim, { startedAt }: Workload, { skewMs }: BelongingRules): Told | undefined {
  if (startedAt === undefined || instance.registeredAt === undefined) return undefined;
  const later = startedAt - instance.registeredAt;
  return later > skewMs ? { other: `it started ${later} ms after the endpoint was registered` } : undefined;
}

function labelOf(labels: Labels, key: string): string {
  return Object.hasOwn(labels, key) ? (labels[key] ?? "") : "";
}
