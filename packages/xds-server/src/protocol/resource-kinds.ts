import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { MalformedRequestError } from "./wire.ts";

/** How the protocol treats one resource type. */
export interface ResourceKind {
  readonly type: TypeUrl;
  /** Place in the order of responses on an aggregated stream; lower goes first. */
  readonly order: number;
  /** A SotW response carries every subscribed resource, and what is missing in it is gone. */
  readonly wholeState: boolean;
  /** A first request without names subscribes to everything. */
  readonly legacyWildcard: boolean;
  /** Removals wait until the types that may refer to these resources are up to date at the client. */
  readonly removedLast: boolean;
  /** Changes wait until clusters and endpoints of the same change are up to date at the client. */
  readonly refersToClusters: boolean;
}

/** A streaming method: which type it carries (none: aggregated) and which variant of the protocol it speaks. */
export interface XdsMethod {
  readonly protocol: "sotw" | "delta";
  readonly type?: TypeUrl;
}

const plain = { wholeState: false, legacyWildcard: false, removedLast: false, refersToClusters: false };

/** The known types, in response order. Source: Envoy's xDS protocol documentation, "Eventual consistency considerations". */
const kinds: readonly ResourceKind[] = [
  { ...plain, type: typeUrls.cluster, order: 0, wholeState: true, legacyWildcard: true, removedLast: true },
  { ...plain, type: typeUrls.endpoint, order: 1, removedLast: true },
  { ...plain, type: typeUrls.listener, order: 2, wholeState: true, legacyWildcard: true, refersToClusters: true },
  { ...plain, type: typeUrls.scopedRoute, order: 3, legacyWildcard: true, refersToClusters: true },
  { ...plain, type: typeUrls.route, order: 4, refersToClusters: true },
  { ...plain, type: typeUrls.virtualHost, order: 5, legacyWildcard: true, refersToClusters: true },
  { ...plain, type: typeUrls.secret, order: 6 },
];
const kindOfType = new Map<TypeUrl, ResourceKind>(kinds.map((kind) => [kind.type, kind]));

/** The row of a type. A type without a row is served too, last and with the plain rules: a source may hold any type. */
export function resourceKind(type: TypeUrl): ResourceKind {
  return kindOfType.get(type) ?? { ...plain, type, order: kinds.length };
}

/** The protocol has rules of its own for this type. */
export function isKnownType(type: TypeUrl): boolean {
  return kindOfType.has(type);
}

const services: readonly (readonly [service: string, noun: string, type: TypeUrl | undefined])[] = [
  ["discovery.v3.AggregatedDiscoveryService", "AggregatedResources", undefined],
  ["cluster.v3.ClusterDiscoveryService", "Clusters", typeUrls.cluster],
  ["endpoint.v3.EndpointDiscoveryService", "Endpoints", typeUrls.endpoint],
  ["listener.v3.ListenerDiscoveryService", "Listeners", typeUrls.listener],
  ["route.v3.RouteDiscoveryService", "Routes", typeUrls.route],
  ["secret.v3.SecretDiscoveryService", "Secrets", typeUrls.secret],
];

/** Every method served, by full gRPC path. */
export const xdsMethods: ReadonlyMap<string, XdsMethod> = new Map(
  services.flatMap(([service, noun, type]): [string, XdsMethod][] => {
    const fixed = type === undefined ? {} : { type };
    return [
      [`/envoy.service.${service}/Stream${noun}`, { protocol: "sotw", ...fixed }],
      [`/envoy.service.${service}/Delta${noun}`, { protocol: "delta", ...fixed }],
    ];
  }),
);

/** The type that a request is about: the method's own, or what it names. Thrown when it names none or another: MalformedRequestError. */
export function typeOfRequest(method: XdsMethod, typeUrl: string): TypeUrl {
  if (method.type === undefined) {
    if (!isTypeUrl(typeUrl)) throw new MalformedRequestError(`type_url ${shown(typeUrl)} is no type of a resource`);
    return typeUrl;
  }
  if (typeUrl !== "" && typeUrl !== method.type) {
    throw new MalformedRequestError(`type_url ${shown(typeUrl)} on a stream of ${method.type}`);
  }
  return method.type;
}

function shown(text: string): string {
  return JSON.stringify(text.slice(0, 200));
}

function isTypeUrl(text: string): text is TypeUrl {
  return text.startsWith("type.googleapis.com/") && text.length <= 256;
}
