import { BinaryWriter, WireType } from "@bufbuild/protobuf/wire";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import {
  VirtualHostSchema,
  type RouteActionSchema,
  type RouteSchema,
} from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import type { Service } from "@signalbox/model";
import { atOnce, each, type Steps } from "@signalbox/slices";
import { serviceAddresses } from "./addresses.ts";
import type { MeshSettings } from "./mesh.ts";
import { duration, encoded, type Init } from "./messages.ts";
import { authorityOf, passthroughCluster, requestNames } from "./names.ts";
import { ReverseWriter } from "./reverse-writer.ts";
import type { HashPolicyInit } from "./routing/hash-policy.ts";
import { retryPolicy } from "./routing/retries.ts";

/** A virtual host before it is encoded; rules put their routes here. */
export type VirtualHostInit = Init<typeof VirtualHostSchema>;
/** A route before it is encoded. */
export type RouteInit = Init<typeof RouteSchema>;
/** A route table before it is encoded. */
export type RouteConfigurationInit = Init<typeof RouteConfigurationSchema>;

/** What happens to a request for a host that no service has: on to where it was going, 502, or 404. */
export type Fallback = "passthrough" | "block" | "not-found";

/** A direct response is never longer than this (Istio's bound), and Envoy refuses a longer one. */
const maximumDirectResponse = 1_048_576;

/**
 * The routes of a service without rules: everything to its cluster, no timeout, Istio's default retries. `hashPolicy` is what of a request
 * chooses the endpoint.
 */
export function defaultRoutes(
  cluster: string,
  settings: MeshSettings,
  hashPolicy: readonly HashPolicyInit[] = [],
): readonly RouteInit[] {
  const hashed = hashPolicy.length > 0 ? { hashPolicy: [...hashPolicy] } : {};
  return [
    {
      name: "default",
      match: { pathSpecifier: { case: "prefix", value: "/" } },
      action: { case: "route", value: { ...outboundAction(cluster), ...retries(settings), ...hashed } },
    },
  ];
}

/**
 * Sends to a cluster with no timeout of the route's own: the client's deadline, gRPC's included, is the deadline. This is the form for proxies
 * in front of an application and for gRPC libraries, which read `max_stream_duration` alone.
 */
export function clusterAction(cluster: string): Init<typeof RouteActionSchema> {
  return {
    ...clusterTo(cluster),
    timeout: duration(0),
    maxStreamDuration: { maxStreamDuration: duration(0), grpcTimeoutHeaderMax: duration(0) },
  };
}

/** The same for calls that a proxy sends out, in the form that Istio has for these, with and without rules: the deprecated field ends calls as timeouts do. */
function outboundAction(cluster: string): Init<typeof RouteActionSchema> {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- Istio sends it; its successor would switch off `timeout`.
  return { ...clusterTo(cluster), timeout: duration(0), maxGrpcTimeout: duration(0) };
}

/** A virtual host with these domains and routes. */
export function virtualHost(name: string, domains: readonly string[], routes: readonly RouteInit[]): VirtualHostInit {
  return { name, domains: [...domains], routes: [...routes], includeRequestAttemptCount: true };
}

/** The virtual host of every other host. Names and answers of the first two are Istio's. */
export function fallbackHost(fallback: Fallback): VirtualHostInit {
  const match = { pathSpecifier: { case: "prefix", value: "/" } } as const;
  switch (fallback) {
    case "passthrough":
      return virtualHost(
        "allow_any",
        ["*"],
        [{ name: "allow_any", match, action: { case: "route", value: outboundAction(passthroughCluster) } }],
      );
    case "block":
      return virtualHost(
        "block_all",
        ["*"],
        [{ name: "block_all", match, action: { case: "directResponse", value: { status: 502 } } }],
      );
    case "not-found":
      return virtualHost(
        "not_found",
        ["*"],
        [{ name: "not_found", match, action: { case: "directResponse", value: { status: 404 } } }],
      );
  }
}

/**
 * Domains of a service in the table of one port, the full names first: each name as clients with this DNS domain write it, the absolute
 * form (`host.`), and the virtual addresses. Names of pods behind a headless cluster service come as `*.host`. Ports are not
 * listed: the table ignores the port of a request's host.
 */
export function serviceDomains(
  service: Service,
  aliases: readonly string[],
  dnsDomain: string,
): { readonly full: readonly string[]; readonly derived: readonly string[] } {
  const full: string[] = [];
  const derived: string[] = [];
  for (const hostname of [service.hostname, ...aliases]) {
    const [name = hostname, ...shorter] = requestNames(hostname, dnsDomain);
    full.push(name, `${name}.`);
    derived.push(...shorter);
  }
  const headless = service.resolution === "NONE" && service.addresses.length === 0 && derived.length > 0;
  if (headless) derived.push(...[...full, ...derived].map((name) => `*.${name}`));
  derived.push(...serviceAddresses(service).addresses.map(authorityOf));
  return { full, derived };
}

/** The bytes of a virtual host. */
export function encodeVirtualHost(host: VirtualHostInit): Uint8Array {
  return encoded(VirtualHostSchema, host);
}

/** A route table without its virtual hosts. Clusters may come later than the routes that name them. */
export function routeConfiguration(name: string, ignorePort: boolean): RouteConfigurationInit {
  return {
    name,
    validateClusters: false,
    maxDirectResponseBodySizeBytes: maximumDirectResponse,
    ignorePortInHostMatching: ignorePort,
  };
}

const tails = new Map<boolean, Uint8Array>();

/** The bytes of a route table: its name, stored virtual hosts, and the settings of `routeConfiguration`. */
export function encodeRouteConfiguration(name: string, hosts: Iterable<Uint8Array>, ignorePort: boolean): Uint8Array {
  return joined(atOnce(routeConfigurationChunks(name, [...hosts].map(frameVirtualHost), ignorePort)));
}

/** Nothing that is written gives way to anybody else before it is finished, so one is enough. */
const writer = new ReverseWriter();

/** A stored virtual host as a route table holds it. */
export function frameVirtualHost(host: Uint8Array): Uint8Array {
  writer.begin();
  writer.raw(host);
  writer.nested(2, 0);
  return writer.finish();
}

/** Smaller pieces are joined, to about so many bytes. */
const chunkBytes = 240 * 1024;
/** Pieces from this size on stay what they are. */
const ownPieceBytes = 32 * 1024;

/** The bytes of a route table, in chunks, from pieces that hold framed virtual hosts, any number each. */
export function* routeConfigurationChunks(
  name: string,
  pieces: readonly Uint8Array[],
  ignorePort: boolean,
): Steps<readonly Uint8Array[]> {
  let tail = tails.get(ignorePort);
  if (tail === undefined) {
    tail = encoded(RouteConfigurationSchema, routeConfiguration("", ignorePort));
    tails.set(ignorePort, tail);
  }
  const head = new BinaryWriter().tag(1, WireType.LengthDelimited).string(name).finish();
  const chunks: Uint8Array[] = [];
  let together: Uint8Array[] = [];
  let length = 0;
  const close = (): void => {
    if (together.length > 0) chunks.push(joined(together));
    together = [];
    length = 0;
  };
  for (const piece of [head, ...pieces, tail]) {
    if (piece.length >= ownPieceBytes) {
      close();
      chunks.push(piece);
    } else {
      together.push(piece);
      length += piece.length;
    }
    if (length < chunkBytes) continue;
    close();
    yield;
  }
  close();
  return chunks;
}

/** The pieces one after the other. */
export function joined(pieces: readonly Uint8Array[]): Uint8Array {
  return atOnce(joining(pieces));
}

/** As `joined`, in steps. */
export function* joining(pieces: readonly Uint8Array[]): Steps<Uint8Array> {
  const bytes = new Uint8Array(pieces.reduce((length, piece) => length + piece.length, 0));
  let at = 0;
  yield* each(pieces, (piece) => {
    bytes.set(piece, at);
    at += piece.length;
  });
  return bytes;
}

function clusterTo(cluster: string): Pick<Init<typeof RouteActionSchema>, "clusterSpecifier"> {
  return { clusterSpecifier: { case: "cluster", value: cluster } };
}

function retries(settings: MeshSettings): Init<typeof RouteActionSchema> {
  const policy = retryPolicy(undefined, settings, false);
  return policy === undefined ? {} : { retryPolicy: policy };
}
