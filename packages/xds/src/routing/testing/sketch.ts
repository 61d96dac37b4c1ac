import { create, toJson, type JsonValue } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { RouteSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { FaultList, readDestinationRule, readVirtualService } from "@signalbox/istio-objects";
import type { Service } from "@signalbox/model";
import type { PortPolicy, Routing } from "@signalbox/traffic";
import { meshSettings } from "../../mesh.ts";
import type { RouteInit } from "../../routes.ts";
import { entryOf } from "../../testing/catalog.ts";
import type { Destinations, RouteContext } from "../context.ts";

/** The routing that a VirtualService's `spec` gives, as JSON writes it. Throws for one that cannot be read. */
export function routingOf(spec: Readonly<Record<string, unknown>>): Routing {
  const faults = new FaultList();
  const { hosts, http, tls, tcp } = readVirtualService(spec, [], faults);
  if (faults.faults.length > 0) throw new Error(JSON.stringify(faults.faults));
  return { namespace: "shop", name: "web", hosts, http, tls, tcp, destinations: [], version: "1" };
}

/** The traffic policy that JSON such as `{ loadBalancer: … }` writes. */
export function policyOf(trafficPolicy: Readonly<Record<string, unknown>>): PortPolicy {
  const faults = new FaultList();
  const { trafficPolicy: policy } = readDestinationRule({ host: "any.test", trafficPolicy }, [], faults);
  if (policy === undefined || faults.faults.length > 0) throw new Error(JSON.stringify(faults.faults));
  return policy;
}

/** Destinations: a service for each host with its ports, and policies by `<host>`, `<host>:<port>` or `<host>/<subset>`. */
export function destinationsOf(
  services: Readonly<Record<string, readonly number[]>> = {},
  policies: Readonly<Record<string, PortPolicy>> = {},
): Destinations {
  const known = new Map(Object.entries(services).map(([hostname, ports]) => [hostname, serviceOf(hostname, ports)]));
  return {
    service: (host) => known.get(host),
    policy: (host, port, subset) =>
      policies[`${host}/${subset}`] ?? policies[`${host}:${String(port)}`] ?? policies[host],
  };
}

/** A mesh client's listener at port 80 that knows no services. */
export const client: RouteContext = { port: 80, destinations: destinationsOf(), settings: meshSettings({}) };

/** Routes as JSON, without what all of them have: their origin, and the default of retries and deadlines. */
export function shown(routes: readonly RouteInit[]): readonly JsonValue[] {
  return routes.map((route) => {
    const { metadata: _, ...json } = toJson(RouteSchema, create(RouteSchema, route), { registry: anyRegistry }) as Json;
    const action = json["route"] as Json | undefined;
    if (action === undefined) return json;
    const isUsual = ([field, value]: [string, JsonValue]) => JSON.stringify(value) === JSON.stringify(usual[field]);
    return { ...json, route: Object.fromEntries(Object.entries(action).filter((field) => !isUsual(field))) };
  });
}

type Json = Record<string, JsonValue>;

const usual: Json = {
  timeout: "0s",
  maxGrpcTimeout: "0s",
  retryPolicy: {
    retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
    numRetries: 2,
    retryHostPredicate: [
      {
        name: "envoy.retry_host_predicates.previous_hosts",
        typedConfig: {
          "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate",
        },
      },
    ],
    hostSelectionRetryMaxAttempts: "5",
  },
};

function serviceOf(hostname: string, ports: readonly number[]): Service {
  return entryOf({ hostname, ports: ports.map((number) => ({ number, protocol: "HTTP" as const })) }).service;
}
