import { byCodeUnit, canonicalJson, instanceKey } from "@signalbox/model";
import type { CatalogEntry, CatalogInstance, Service, ServiceKey } from "@signalbox/model";

/** One field that differs. A side that does not have it has no such member. */
export interface FieldChange {
  /** For example `health`, `weight`, `priority`, `ports`. */
  readonly field: string;
  readonly before?: unknown;
  readonly after?: unknown;
}

/** What happened to one endpoint. */
export interface EndpointDiff {
  readonly change: "added" | "removed" | "changed";
  readonly servicePort: string;
  /** As `instanceKey` writes it. */
  readonly address: string;
  /** The endpoint as it is, or was where it is removed. */
  readonly endpoint: CatalogInstance;
  /** Sorted by field; empty but for `changed`. */
  readonly fields: readonly FieldChange[];
}

/** What happened to one service. */
export interface ServiceDiff {
  readonly change: "added" | "removed" | "changed";
  readonly service: ServiceKey;
  /** What changed of the service itself, sorted by field; empty but for `changed`. */
  readonly fields: readonly FieldChange[];
  /** Those that are not the same on both sides, sorted by service port and address. */
  readonly endpoints: readonly EndpointDiff[];
}

/** The difference between two contents of a catalog. Provenance and findings are no part of it, as in content hashes. */
export interface ContentDiff {
  /** Services that are not the same on both sides, sorted by key. */
  readonly services: readonly ServiceDiff[];
}

/** What is different in `b` from `a`. */
export function diffContent(
  a: ReadonlyMap<ServiceKey, CatalogEntry>,
  b: ReadonlyMap<ServiceKey, CatalogEntry>,
): ContentDiff {
  const keys = [...new Set([...a.keys(), ...b.keys()])].sort(byCodeUnit);
  const services: ServiceDiff[] = [];
  for (const service of keys) {
    const before = a.get(service);
    const after = b.get(service);
    if (before === after) continue;
    const endpoints = diffEndpoints(before?.instances ?? [], after?.instances ?? []);
    const fields = before && after ? diffFields(entryFields(before), entryFields(after)) : [];
    if (before && after && fields.length === 0 && endpoints.length === 0) continue;
    services.push({ change: !before ? "added" : !after ? "removed" : "changed", service, fields, endpoints });
  }
  return { services };
}

/** The service itself, and the part of its traffic that is to fail. */
function entryFields({ service, unserved }: CatalogEntry): Readonly<Record<string, unknown>> {
  return { ...serviceFields(service), ...(unserved && { unserved }) };
}

function diffEndpoints(a: readonly CatalogInstance[], b: readonly CatalogInstance[]): EndpointDiff[] {
  const before = byPlace(a);
  const after = byPlace(b);
  const diffs: EndpointDiff[] = [];
  for (const place of [...new Set([...before.keys(), ...after.keys()])].sort(byCodeUnit)) {
    const old = before.get(place);
    const now = after.get(place);
    const endpoint = now ?? old;
    if (endpoint === undefined) continue;
    const fields = old && now ? diffFields(endpointFields(old), endpointFields(now)) : [];
    if (old && now && fields.length === 0) continue;
    diffs.push({
      change: !old ? "added" : !now ? "removed" : "changed",
      servicePort: endpoint.servicePort,
      address: instanceKey(endpoint.addresses[0]),
      endpoint,
      fields,
    });
  }
  return diffs;
}

/** Endpoints by service port and address. Where several share both, each further one has a place of its own, in the order of ids. */
function byPlace(instances: readonly CatalogInstance[]): Map<string, CatalogInstance> {
  const places = new Map<string, CatalogInstance>();
  for (const instance of [...instances].sort((x, y) => byCodeUnit(x.id, y.id))) {
    const base = `${instance.servicePort}\0${instanceKey(instance.addresses[0])}`;
    let place = base;
    for (let nth = 2; places.has(place); nth++) place = `${base}\0${nth}`;
    places.set(place, instance);
  }
  return places;
}

function serviceFields(service: Service): Readonly<Record<string, unknown>> {
  const { provenance: _, ...fields } = service;
  return fields;
}

/** The id is left out: an endpoint that another registry speaks for now is still the same to clients. */
function endpointFields(instance: CatalogInstance): Readonly<Record<string, unknown>> {
  const { id: _, provenance: __, findings: ___, healthStatus, ...fields } = instance;
  return { ...fields, health: healthStatus };
}

function diffFields(a: Readonly<Record<string, unknown>>, b: Readonly<Record<string, unknown>>): FieldChange[] {
  const changes: FieldChange[] = [];
  for (const field of [...new Set([...Object.keys(a), ...Object.keys(b)])].sort(byCodeUnit)) {
    const before = a[field];
    const after = b[field];
    // In a list, a side that has nothing is unlike one that has `null`.
    if (canonicalJson([before ?? null, before === undefined]) === canonicalJson([after ?? null, after === undefined])) {
      continue;
    }
    changes.push({ field, ...(before !== undefined && { before }), ...(after !== undefined && { after }) });
  }
  return changes;
}
