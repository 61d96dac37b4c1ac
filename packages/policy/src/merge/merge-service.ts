import { byCodeUnit, entryVersions } from "@signalbox/model";
import type { CatalogEntry, CatalogInstance, Port, RegistryId, Service, ServiceKey } from "@signalbox/model";
import type { CandidateRecord } from "../candidate.ts";
import { gather } from "./gather.ts";
import type { Endpoint, Gathered, MergeInput } from "./gather.ts";
import { splitEndpoints } from "./split-endpoints.ts";
import { standings } from "./standing.ts";
import type { Standing } from "./standing.ts";

/** One service with what all registries say of it. */
export interface MergeServiceInput extends MergeInput {
  readonly key: ServiceKey;
}

/** What a merge makes. */
export interface MergeResult {
  /** Undefined where no registry has the service. */
  readonly entry: CatalogEntry | undefined;
  /**
   * The part of the traffic that must fail, 0..1, by name of the service port: the shares of groups without eligible endpoints, where
   * the rule says `blackhole`. The entry has it in parts of a million. The weights of endpoints cannot say it, as proxies give all traffic
   * to those that there are; whoever publishes the entry must, as a drop rate beside the endpoints (Envoy's and gRPC's `drop_overloads`).
   * Without that a `blackhole` is a `spill`.
   */
  readonly unserved: ReadonlyMap<string, number>;
}

/**
 * Makes one catalog entry of what the registries say about a service. Pure; the order of candidates within a record does not
 * matter, that of the records does. Candidates that a stage took out are not in the entry; the service with its ports is, even if
 * all are out.
 *
 * The service's attributes are those of the registry with the highest precedence, except `serviceAccounts`, which is the
 * union, because the endpoints of all of them must be able to prove who they are, and `ports`, which are joined as `addPorts` says. Under
 * `authoritative` only registries that fit the rule have a say; if none of them knows the service, it stays, as the others
 * describe it, without endpoints, so that clients are answered.
 *
 * Two endpoints of one port with the same primary address are one. It has all attributes, its weight too, from one registry: the first
 * of the group that it belongs to, or, if that is expired, the first that is not. It has the provenance and the findings of all. The rule
 * is applied to each service port for itself, because each is a cluster of its own to proxies:
 *
 * - `union`: every endpoint that any registry knows.
 * - `prefer`: those of the first group that has an eligible one (see `eligibility`). A group that can only fall back, degraded or expired,
 *   gives way to one that need not; where none is eligible, those of the first that knows any.
 * - `failover`: an endpoint of the first group has priority 0, of the second 1, and so on. Endpoints that stages put behind others
 *   come after all groups, in the same order: what is mistrusted comes after what is not.
 * - `split`: see `splitWeights`. Only endpoints that stand equally far behind share traffic, so each priority is split for itself. An
 *   endpoint that several groups know counts for the last one in the list of shares only. Endpoints of registries without a share are
 *   not in the entry, those of a share of 0 are, with weight 0. The shares hold for clients that choose among all endpoints by weight, and
 *   for those that choose a locality by the sum of its weights first, there as long as all its endpoints are eligible. Clients that
 *   pay no heed to the weights of endpoints, as proxyless gRPC with round robin, only follow the sums of localities.
 * - `authoritative`: those of the registries that fit.
 */
export function mergeService(input: MergeServiceInput): MergeResult {
  const merged = mergeGathered(input, gather(input));
  return { entry: merged?.entry, unserved: merged?.unserved ?? nothing };
}

/** A merge with what it was made of. */
export interface Merged {
  readonly entry: CatalogEntry;
  readonly unserved: ReadonlyMap<string, number>;
  /** The entry's instances by identity. */
  readonly found: readonly (readonly [identity: string, endpoint: Endpoint])[];
}

const nothing: ReadonlyMap<string, number> = new Map();

/** Makes the entry of what was gathered. Undefined where no registry has the service. */
export function mergeGathered(input: MergeServiceInput, gathered: Gathered): Merged | undefined {
  const { expired, key, rule } = input;
  const { contributing, ports } = gathered;
  const service = joinServices(contributing, ports);
  if (service === undefined) return undefined;
  const found = [...gathered.endpoints].sort(([a], [b]) => byCodeUnit(a, b));
  const endpoints = found.map(([, endpoint]) => endpoint);
  const standing = standings(endpoints, rule, expired);
  const split =
    rule.type === "split"
      ? splitEndpoints(
          rule,
          ports.map((port) => port.name),
          endpoints,
          standing,
        )
      : undefined;
  const instances = endpoints.map((endpoint, at) =>
    toCatalogInstance(
      endpoint,
      split === undefined ? wholeWeight(endpoint.speaker.instance.weight) : (split.weights[at] ?? 0),
      standing[at] ?? { priority: 0 },
    ),
  );
  const unserved = split === undefined ? undefined : inMillionths(split.unserved);
  return {
    entry: {
      key,
      service,
      instances,
      ...(unserved && { unserved }),
      registries: registriesOf(contributing, instances),
      versions: entryVersions(service, instances, unserved),
    },
    unserved: split?.unserved ?? nothing,
    found,
  };
}

/** Undefined where there is nothing. What is above 0 and below 1 stays so. */
function inMillionths(unserved: ReadonlyMap<string, number>): CatalogEntry["unserved"] {
  if (unserved.size === 0) return undefined;
  const whole = (part: number): number => Math.min(999_999, Math.max(1, Math.round(part * 1_000_000)));
  return Object.fromEntries(
    [...unserved].sort(([a], [b]) => byCodeUnit(a, b)).map(([port, part]): [string, number] => [port, whole(part)]),
  );
}

function joinServices(contributing: readonly CandidateRecord[], ports: readonly Port[]): Service | undefined {
  const first = contributing[0]?.service;
  if (first === undefined) return undefined;
  return {
    ...first,
    ports,
    serviceAccounts:
      contributing.length === 1
        ? first.serviceAccounts
        : [...new Set(contributing.flatMap(({ service }) => service.serviceAccounts))].sort(byCodeUnit),
  };
}

/** Proxies know integers only. What is above 0 stays above 0. */
function wholeWeight(weight: number): number {
  return Number.isInteger(weight) || !(weight > 0) ? weight : Math.max(1, Math.round(weight));
}

// Member by member: a copy by a spread that goes on is slow to make and takes twice the memory, for each endpoint of the catalog.
function toCatalogInstance(
  { findings, provenance, servicePort, speaker: { instance } }: Endpoint,
  weight: number,
  { expiredSince, priority }: Standing,
): CatalogInstance {
  const { registeredAt } = instance;
  return {
    id: instance.id,
    servicePort,
    addresses: instance.addresses,
    labels: instance.labels,
    locality: instance.locality,
    network: instance.network,
    serviceAccount: instance.serviceAccount,
    tls: instance.tls,
    healthStatus: instance.healthStatus,
    weight,
    provenance,
    priority,
    findings:
      expiredSince === undefined
        ? findings
        : [...findings, { stage: "freshness", code: "EXPIRED", since: expiredSince }],
    ...(registeredAt !== undefined && { registeredAt }),
  };
}

/** The registries of the records that describe the service, by precedence, and then all others that know an endpoint. */
function registriesOf(
  contributing: readonly CandidateRecord[],
  instances: readonly CatalogInstance[],
): readonly RegistryId[] {
  const registries = new Set(contributing.map((record) => record.registry));
  const others = new Set<RegistryId>();
  for (const instance of instances) for (const source of instance.provenance) others.add(source.registry);
  for (const registry of [...others].sort(byCodeUnit)) registries.add(registry);
  return [...registries];
}
