import { FaultList, readDestinationRule, type ClientTls, type Gateway } from "@signalbox/istio-objects";
import type { ConfigObject } from "@signalbox/model";
import { isExportedTo, type Rule } from "@signalbox/traffic";
import { SecretError, secretNames } from "../gateway/secrets.ts";
import { clientSecretNames } from "../traffic-policy/tls.ts";

/** Where a secret is. */
export interface SecretPlace {
  readonly namespace: string;
  readonly name: string;
}

const own = "kubernetes://";
const verified = "kubernetes-gateway://";

/**
 * Where the secret of a resource's name is, for a router of this namespace. Routers get secrets of their own namespace only; a
 * `kubernetes-gateway://` one moreover only if a Gateway of that namespace (`owner`) names it. Throws a SecretError for all others.
 */
export function placeOf(resource: string, namespace: string, owner?: string): SecretPlace {
  if (resource.startsWith(own)) {
    const [first = "", second] = resource.slice(own.length).split("/");
    const place = second === undefined ? { namespace, name: first } : { namespace: first, name: second };
    return checked(resource, place, namespace);
  }
  if (resource.startsWith(verified)) {
    const [first = "", name = ""] = resource.slice(verified.length).split("/");
    if (owner !== namespace) throw new SecretError(resource, "is named by a Gateway of another namespace");
    return checked(resource, { namespace: first, name }, namespace);
  }
  throw new SecretError(resource, "is of a kind that is not served");
}

function checked(resource: string, place: SecretPlace, namespace: string): SecretPlace {
  if (place.namespace !== namespace) throw new SecretError(resource, "is not in the namespace of the router");
  if (place.name === "") throw new SecretError(resource, "has no name");
  return place;
}

/** Secrets that are named, with the namespace of who names them. */
export type NamedSecrets = readonly { readonly resource: string; readonly owner?: string }[];

/** What Gateways name. */
export function namedByGateways(gateways: readonly Rule<Gateway>[]): NamedSecrets {
  return gateways.flatMap((gateway) =>
    secretNames([gateway]).map((resource) => ({ resource, owner: gateway.object.namespace })),
  );
}

/** What a DestinationRule names, and for whom. */
export interface CredentialRule {
  readonly resources: readonly string[];
  isSeenIn(namespace: string): boolean;
}

/** What a DestinationRule names; undefined for one that names nothing, and for objects of other kinds. */
export function credentialRule({ kind, namespace: owner, spec }: ConfigObject): CredentialRule | undefined {
  if (kind !== "DestinationRule") return undefined;
  const { exportTo, subsets, trafficPolicy, workloadSelector } = readDestinationRule(spec, [], new FaultList());
  const policies = [trafficPolicy, ...subsets.map((subset) => subset.trafficPolicy)];
  const settings = policies.flatMap((policy) => [
    policy?.tls,
    ...(policy?.portLevelSettings ?? []).map(({ tls }) => tls),
  ]);
  const resources = [...new Set(settings.flatMap((tls: ClientTls | undefined) => (tls ? clientSecretNames(tls) : [])))];
  // A rule for some workloads is never exported.
  const reach = workloadSelector === undefined ? exportTo : ["."];
  return resources.length === 0
    ? undefined
    : { resources, isSeenIn: (namespace) => isExportedTo(reach, owner, namespace) };
}
