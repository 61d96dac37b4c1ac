import { isHttp } from "@signalbox/model";
import { ConfigError } from "@signalbox/registry";
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

/** The statuses that an instance has in Eureka. */
export const statuses = ["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"] as const;

/** Status of an instance. A word that Eureka does not know counts as `UNKNOWN`, as in its own clients. */
export type EurekaStatus = (typeof statuses)[number];

const seconds = (least: number, most: number) => z.number().min(least).max(most);
const policy = z.preprocess(
  (value) => (typeof value === "string" && value !== "omit" ? value.toUpperCase() : value),
  z.enum(["HEALTHY", "DEGRADED", "UNHEALTHY", "DRAINING", "UNKNOWN", "omit"]),
);

/** One service URL as users write it. A base path that is missing is Eureka's own. */
const url = text
  .refine((value) => /^https?:$/.test(schemeOf(value)), "must be an http:// or https:// URL")
  .refine((value) => !/^https?:\/\/[^/]*@/.test(value), "must hold no credentials; use `auth`")
  .refine((value) => !/[?#]/.test(value), "must have no query and no fragment")
  .transform((value) => {
    const trimmed = value.replace(/\/+$/, "");
    return new URL(trimmed).pathname === "/" ? `${trimmed}/eureka` : trimmed;
  });
const urls = z.preprocess(
  (value) => (typeof value === "string" ? value.split(",").map((one) => one.trim()) : value),
  z
    .array(url)
    .min(1)
    .refine((list) => new Set(list).size === list.length, "names one URL twice"),
);

const auth = z.strictObject({ username: text, password: secret });
const apps = z.strictObject({ include: texts.default([]), exclude: texts.default([]) });
const losses = z.strictObject({
  confirmReads: z.int().min(1).max(1000).default(2),
  maxShrink: z.number().min(0).max(1).default(0.3),
  holdSeconds: seconds(0, 86_400).default(90),
});
const status = z.strictObject({
  UP: policy.default("HEALTHY"),
  DOWN: policy.default("UNHEALTHY"),
  STARTING: policy.default("UNHEALTHY"),
  OUT_OF_SERVICE: policy.default("DRAINING"),
  UNKNOWN: policy.default("UNHEALTHY"),
});
const localityKeys = z.strictObject({
  region: texts.default(["region"]),
  zone: texts.default(["zone"]),
  subzone: texts.default(["subzone"]),
});

const schema = z.strictObject({
  urls,
  auth: auth.optional(),
  tls: tls.optional(),
  pollSeconds: seconds(0.1, 3600).default(5),
  fullSeconds: seconds(1, 86_400).default(300),
  delta: z.boolean().default(true),
  timeoutSeconds: seconds(0.1, 300).default(10),
  maxAnswerBytes: maxBytes.default(256 * 1024 * 1024),
  losses: losses.prefault({}),
  apps: apps.prefault({}),
  serviceBy: z.enum(["app", "vip"]).default("app"),
  domain: text.default("eureka"),
  namespace: namespace.default("default"),
  servicePort: z.int().min(1).max(65535).optional(),
  status: status.prefault({}),
  hostnames: z.enum(["dns", "omit"]).default("dns"),
  protocol: protocol.prefault("HTTP"),
  secureProtocol: protocol
    .refine((name) => !isHttp(name), "cannot be read by proxies on secure ports, where callers speak TLS; use HTTPS")
    .prefault("HTTPS"),
  protocolKeys: texts.default(["istio.protocol", "protocol"]),
  portKeys: portKeys.prefault({ gRPC_port: "GRPC", "gRPC.port": "GRPC", "grpc.port": "GRPC" }),
  weightKeys: texts.default(["weight"]),
  versionKeys: texts.default(["version"]),
  localityKeys: localityKeys.prefault({}),
});

/** Configuration of one Eureka registry. What each member means is in the README. */
export type EurekaConfig = z.output<typeof schema>;

/** Checks the configuration of a Eureka registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseEurekaConfig(input: unknown): EurekaConfig {
  const config = parseWith(schema, input, ["auth", "tls", "urls"]);
  const plain = config.tls === undefined ? -1 : config.urls.findIndex((one) => !one.startsWith("https:"));
  if (plain >= 0)
    throw new ConfigError([{ path: ["urls", plain], message: "must begin with https:// where `tls` is given" }]);
  return config;
}
