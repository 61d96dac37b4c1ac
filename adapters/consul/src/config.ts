import {
  maxBytes,
  namespace,
  parseWith,
  portKeys,
  protocol,
  schemeOf,
  secret,
  text,
  texts,
  tls,
} from "@signalbox/registry/config";
import { z } from "zod";

/** Kinds of instances that Consul knows; `typical` is a service that clients call. */
export const serviceKinds = [
  "typical",
  "connect-proxy",
  "mesh-gateway",
  "terminating-gateway",
  "ingress-gateway",
  "api-gateway",
] as const;

const selection = z.strictObject({ names: texts.default([]), tags: texts.default([]) });
const consistency = z.strictObject({
  mode: z.enum(["default", "stale"]).default("default"),
  maxStaleSeconds: z.number().min(0).default(10),
});
const health = z.strictObject({
  warning: z.enum(["healthy", "degraded", "unhealthy", "omit"]).default("healthy"),
  critical: z.enum(["unhealthy", "omit"]).default("unhealthy"),
});
const localityKeys = z.strictObject({
  region: texts.default(["region"]),
  zone: texts.default(["zone", "availability-zone", "availability_zone"]),
  subzone: texts.default(["subzone", "rack"]),
});

const schema = z.strictObject({
  url: text
    .refine((value) => /^https?:$/.test(schemeOf(value)), "must be an http:// or https:// URL")
    .refine((value) => !/^https?:\/\/[^/]*@/.test(value), "must hold no credentials; use `token`"),
  datacenters: texts.default([]),
  namespaces: texts.default([]),
  partitions: texts.default([]),
  token: secret.optional(),
  tls: tls.optional(),
  include: selection.prefault({}),
  exclude: selection.extend({ names: texts.default(["consul"]) }).prefault({}),
  kinds: z.array(z.enum(serviceKinds)).min(1).default(["typical"]),
  concurrency: z.int().min(1).max(10_000).default(150),
  waitSeconds: z.int().min(1).max(60).default(30),
  timeoutSeconds: z.number().min(0.1).max(300).default(10),
  rotationSeconds: z.number().min(1).max(600).default(30),
  auditSeconds: z.number().min(1).default(300),
  restartGraceSeconds: z.number().min(0).default(300),
  consistency: consistency.prefault({}),
  health: health.prefault({}),
  protocolKeys: texts.default(["protocol"]),
  portKeys: portKeys.prefault({ gRPC_port: "GRPC", "gRPC.port": "GRPC" }),
  defaultProtocol: protocol.default("UNSUPPORTED"),
  servicePort: z.int().min(1).max(65535).optional(),
  tagSeparators: texts.default(["=", "|"]),
  localityKeys: localityKeys.prefault({}),
  domain: text.default("consul"),
  namespace: namespace.default("default"),
  maxAnswerBytes: maxBytes.default(64 * 1024 * 1024),
});

/** Configuration of one Consul registry. What each member means is in the README. */
export type ConsulConfig = z.output<typeof schema>;

/** Checks the configuration of a Consul registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseConsulConfig(input: unknown): ConsulConfig {
  return parseWith(schema, input, ["token", "tls", "url"]);
}
