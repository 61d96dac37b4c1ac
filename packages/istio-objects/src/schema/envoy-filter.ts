import { enumOf, int32, json, listOf, mapOf, message, optional, text, uint32, type ValueOf } from "../proto-json.ts";
import { readTargetReference, readWorkloadSelector } from "./common.ts";

const readListenerMatch = message({
  portNumber: uint32,
  portName: text,
  filterChain: optional(
    message({
      name: text,
      sni: text,
      transportProtocol: text,
      applicationProtocols: text,
      filter: optional(message({ name: text, subFilter: optional(message({ name: text })) })),
      destinationPort: uint32,
    }),
  ),
  listenerFilter: text,
  name: text,
});
const readRouteConfigurationMatch = message({
  portNumber: uint32,
  portName: text,
  gateway: text,
  vhost: optional(
    message({
      name: text,
      domainName: text,
      route: optional(message({ name: text, action: enumOf("ANY", "ROUTE", "REDIRECT", "DIRECT_RESPONSE") })),
    }),
  ),
  name: text,
});
const readClusterMatch = message({ portNumber: uint32, service: text, subset: text, name: text });
const readWaypointMatch = message({
  portNumber: uint32,
  route: optional(message({ name: text })),
  filter: optional(message({ name: text, subFilter: optional(message({ name: text })) })),
});

const readConfigPatch = message({
  applyTo: enumOf(
    "INVALID",
    "LISTENER",
    "FILTER_CHAIN",
    "NETWORK_FILTER",
    "HTTP_FILTER",
    "ROUTE_CONFIGURATION",
    "VIRTUAL_HOST",
    "HTTP_ROUTE",
    "CLUSTER",
    "EXTENSION_CONFIG",
    "BOOTSTRAP",
    "LISTENER_FILTER",
  ),
  match: optional(
    message(
      {
        context: enumOf("ANY", "SIDECAR_INBOUND", "SIDECAR_OUTBOUND", "GATEWAY", "WAYPOINT"),
        proxy: optional(message({ proxyVersion: text, metadata: mapOf(text) })),
        listener: optional(readListenerMatch),
        routeConfiguration: optional(readRouteConfigurationMatch),
        cluster: optional(readClusterMatch),
        waypoint: optional(readWaypointMatch),
      },
      ["listener", "routeConfiguration", "cluster", "waypoint"],
    ),
  ),
  patch: optional(
    message({
      operation: enumOf(
        "INVALID",
        "MERGE",
        "ADD",
        "REMOVE",
        "INSERT_BEFORE",
        "INSERT_AFTER",
        "INSERT_FIRST",
        "REPLACE",
        "MERGE_AND_REPLACE_LIST",
      ),
      value: optional(json),
      filterClass: enumOf("UNSPECIFIED", "AUTHN", "AUTHZ", "STATS"),
    }),
  ),
});

/** Reads the fields of an EnvoyFilter. */
export const readEnvoyFilter = message({
  workloadSelector: optional(readWorkloadSelector),
  targetRefs: listOf(readTargetReference),
  configPatches: listOf(readConfigPatch),
  priority: int32,
});

/** `spec` of an EnvoyFilter. */
export type EnvoyFilter = ValueOf<typeof readEnvoyFilter>;
/** One patch of an EnvoyFilter. */
export type ConfigPatch = ValueOf<typeof readConfigPatch>;
