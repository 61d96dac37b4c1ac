import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { ServiceInstance, ServiceRecord } from "@signalbox/model";

const none: readonly ServiceInstance[] = [];

/** What a service lost and got between two records, each sorted by id. An endpoint that only changed its id did neither. */
export function compareRecords(
  before: ServiceRecord | undefined,
  after: ServiceRecord | undefined,
): { lost: readonly ServiceInstance[]; got: readonly ServiceInstance[] } {
  const old = before?.instances ?? none;
  const next = after?.instances ?? none;
  if (old === next) return { lost: none, got: none };
  const lost = without(old, idsOf(next));
  const got = without(next, idsOf(old));
  if (lost.length === 0 || got.length === 0) return { lost: lost.sort(byId), got: got.sort(byId) };
  const lostPlaces = new Set(lost.map(placeOf));
  const gotPlaces = new Set(got.map(placeOf));
  return {
    lost: lost.filter((instance) => !gotPlaces.has(placeOf(instance))).sort(byId),
    got: got.filter((instance) => !lostPlaces.has(placeOf(instance))).sort(byId),
  };
}

/** Where an endpoint is: the same for two ids of one endpoint. */
export function placeOf({ servicePort, addresses }: ServiceInstance): string {
  return `${servicePort} ${instanceKey(addresses[0])}`;
}

/** How many endpoints each port of a service has. */
export function countByPort(record: ServiceRecord | undefined): ReadonlyMap<string, number> {
  const counts = new Map<string, number>();
  for (const { servicePort } of record?.instances ?? none) counts.set(servicePort, (counts.get(servicePort) ?? 0) + 1);
  return counts;
}

/**
 * How many endpoints there are, where each serves every port: the count of the port that has most. One process with three ports is one
 * endpoint, not three.
 */
export function sizeOf(counts: ReadonlyMap<string, number>): number {
  let size = 0;
  for (const count of counts.values()) if (count > size) size = count;
  return size;
}

/** The size of a service that has `present` endpoints, and had `gone` more. */
export function sizeWith(present: ReadonlyMap<string, number>, gone: ReadonlyMap<string, number>): number {
  let size = sizeOf(present);
  for (const [port, count] of gone) size = Math.max(size, count + (present.get(port) ?? 0));
  return size;
}

function idsOf(instances: readonly ServiceInstance[]): ReadonlySet<string> {
  return new Set(instances.map(({ id }) => id));
}

function without(instances: readonly ServiceInstance[], ids: ReadonlySet<string>): ServiceInstance[] {
  return instances.filter(({ id }) => !ids.has(id));
}

function byId(a: ServiceInstance, b: ServiceInstance): number {
  return byCodeUnit(a.id, b.id);
}
