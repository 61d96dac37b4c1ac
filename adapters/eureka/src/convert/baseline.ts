import type { HealthStatus, Labels, ServiceInstance, ServiceRecord } from "@signalbox/model";
import { instanceKeyOf, type EurekaInstance } from "../client/answer.ts";
import { statuses, type EurekaConfig, type EurekaStatus } from "../config.ts";
import { isSelected } from "./names.ts";

/** Instances that records were made of, and what could not be traced back to one. */
export interface FormerInstances {
  /** By key. */
  readonly instances: ReadonlyMap<string, EurekaInstance>;
  /** Ids of endpoints whose place is not known, with the service in front. */
  readonly unplaced: readonly string[];
}

/**
 * The way back: the instances from which an earlier run made these records. Converted again they give the same endpoints, or, where
 * the configuration changed meanwhile, those that the same instances give now. Pure. What was made by other rules, so that the
 * instance or its services cannot be told, is left out and named; applications that are no longer selected just stay away. Of a port
 * that the conversion left out nothing is known, so the rest of its instance may look as if it had no such port.
 */
export function formerInstances(records: readonly ServiceRecord[], config: EurekaConfig): FormerInstances {
  const parts = new Map<string, Part[]>();
  const unplaced: string[] = [];
  for (const record of records) {
    for (const endpoint of record.instances) {
      const part = partOf(record, endpoint, config);
      if (part === undefined) unplaced.push(`${record.service.hostname} ${endpoint.id}`);
      else if (isSelected(part.app, config.apps)) {
        const key = instanceKeyOf(part);
        parts.set(key, [...(parts.get(key) ?? []), part]);
      }
    }
  }
  return {
    instances: new Map([...parts].map(([key, list]) => [key, instanceOf(list as [Part, ...Part[]], config)])),
    unplaced,
  };
}

/** One endpoint, and what its ids say. */
interface Part {
  readonly app: string;
  readonly id: string;
  /** `port`, `securePort`, or a metadata key. */
  readonly role: string;
  /** The name of the service, where services go by virtual addresses. */
  readonly vip: string | undefined;
  readonly endpoint: ServiceInstance;
}

const object = /^APP (?<app>.+?), instance (?<id>.+)$/s;
const serviceObject = /^(?<by>app|vip) (?<name>.+)$/s;

/** Which instance an endpoint is, by its provenance; undefined where that is not of Eureka. */
export function placeIn(provenance: string): { readonly app: string; readonly id: string } | undefined {
  const { app, id } = object.exec(provenance)?.groups ?? {};
  return app === undefined || id === undefined ? undefined : { app, id };
}

/** Provenance names the instance; the id must agree with it, because only the id is sure to be what it seems. */
function partOf({ service }: ServiceRecord, endpoint: ServiceInstance, config: EurekaConfig): Part | undefined {
  const { app, id } = object.exec(endpoint.provenance.object)?.groups ?? {};
  const { by, name } = serviceObject.exec(service.provenance.object)?.groups ?? {};
  if (app === undefined || id === undefined || by === undefined) return undefined;
  // An application's record does not say which virtual addresses its instances have.
  if (by === "app" && config.serviceBy === "vip") return undefined;
  const front = by === "app" ? `${id}/` : `${app}/${id}/`;
  const role = endpoint.id.startsWith(front) ? endpoint.id.slice(front.length) : "";
  const isOwn = role === "port" || role === "securePort" || Object.hasOwn(endpoint.labels, role);
  return isOwn ? { app, id, role, vip: by === "vip" ? name : undefined, endpoint } : undefined;
}

function instanceOf(parts: readonly [Part, ...Part[]], config: EurekaConfig): EurekaInstance {
  const [{ app, id, endpoint }] = parts;
  const [address] = endpoint.addresses;
  const status = statusOf(endpoint.healthStatus, config);
  // A port that metadata names hides an equal plain one; that there is a plain one decides which virtual addresses count.
  const named = parts.find(({ role }) => role !== "port" && role !== "securePort")?.role;
  const port = portOf(parts, "port") ?? (named === undefined ? undefined : portOf(parts, named));
  const securePort = portOf(parts, "securePort");
  const vipsOf = (secure: boolean): readonly string[] => [
    ...new Set(
      parts.flatMap(({ role, vip }) => (vip !== undefined && secure === (role === "securePort") ? [vip] : [])),
    ),
  ];
  return {
    app,
    id,
    hostName: address.type === "hostname" ? address.hostname : "",
    ipAddr: address.type === "ip" ? address.ip : "",
    status,
    effectiveStatus: status,
    ...(port !== undefined && { port }),
    ...(securePort !== undefined && { securePort }),
    vips: vipsOf(false),
    secureVips: vipsOf(true),
    metadata: endpoint.labels,
    availabilityZone: zoneOf(endpoint, config),
    ...(endpoint.registeredAt !== undefined && { registeredAt: endpoint.registeredAt }),
  };
}

function portOf(parts: readonly Part[], wanted: string): number | undefined {
  const [address] = parts.find(({ role }) => role === wanted)?.endpoint.addresses ?? [];
  return address === undefined || address.type === "unix" ? undefined : address.port;
}

/** A status that gives this health; by default there is one for each that an instance can have. */
function statusOf(health: HealthStatus, { status }: EurekaConfig): EurekaStatus {
  return statuses.find((one) => status[one] === health) ?? usual[health];
}

const usual: Readonly<Record<HealthStatus, EurekaStatus>> = {
  HEALTHY: "UP",
  DEGRADED: "UP",
  UNHEALTHY: "DOWN",
  DRAINING: "OUT_OF_SERVICE",
  TERMINATING: "OUT_OF_SERVICE",
  UNKNOWN: "UNKNOWN",
};

/** The availability zone behind what metadata does not say of the locality. */
function zoneOf({ labels, locality: { region, zone } }: ServiceInstance, { localityKeys }: EurekaConfig): string {
  if (!says(labels, localityKeys.zone)) return zone;
  if (says(labels, localityKeys.region)) return "";
  // Any letter at the end is cut off when the region is taken from it.
  return /[a-z]$/.test(region) ? `${region}a` : region;
}

function says(labels: Labels, keys: readonly string[]): boolean {
  return keys.some((key) => Object.hasOwn(labels, key));
}
