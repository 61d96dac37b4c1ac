import { enumOf, listOf, message, optional, text, uint32, type ValueOf } from "../proto-json.ts";
import { readConnectionPool, readDestination, readServerTls, readWorkloadSelector } from "./common.ts";

const readSidecarPort = message({ number: uint32, protocol: text, name: text, targetPort: uint32 });
const readCaptureMode = enumOf("DEFAULT", "IPTABLES", "NONE");
const readIngress = message({
  port: optional(readSidecarPort),
  bind: text,
  captureMode: readCaptureMode,
  defaultEndpoint: text,
  tls: optional(readServerTls),
  connectionPool: optional(readConnectionPool),
});
const readEgress = message({
  port: optional(readSidecarPort),
  bind: text,
  captureMode: readCaptureMode,
  hosts: listOf(text),
});

/** Reads the fields of a Sidecar. */
export const readSidecar = message({
  workloadSelector: optional(readWorkloadSelector),
  ingress: listOf(readIngress),
  egress: listOf(readEgress),
  inboundConnectionPool: optional(readConnectionPool),
  outboundTrafficPolicy: optional(
    message({ mode: enumOf("REGISTRY_ONLY", "ALLOW_ANY"), egressProxy: optional(readDestination) }),
  ),
});

/** `spec` of a Sidecar. */
export type Sidecar = ValueOf<typeof readSidecar>;
/** One inbound listener of a Sidecar. */
export type IngressListener = ValueOf<typeof readIngress>;
/** One outbound listener of a Sidecar and the hosts that it knows, as `namespace/host`. */
export type EgressListener = ValueOf<typeof readEgress>;
