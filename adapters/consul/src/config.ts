import { didYouMean, parseProtocol, type Protocol } from "@signalbox/model";
import { ConfigError, type ConfigFault } from "@signalbox/registry";
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

const text = z.string().min(1);
const listFromOne = (value: unknown) => (typeof value === "string" ? [value] : value);
const texts = z.preprocess(listFromOne, z.array(text));
const protocol = text.transform((name, context): Protocol => {
  const parsed = parseProtocol(name);
  // The model's own word means "detect it from the traffic"; any other text that parses to it is a mistake.
  if (parsed === "UNSUPPORTED" && name.toLowerCase() !== "auto" && name.toUpperCase() !== "UNSUPPORTED") {
    context.addIssue({ code: "custom", message: `${JSON.stringify(name)} is not a protocol` });
  }
  return parsed;
});
const pem = z.union([z.strictObject({ file: text }), z.strictObject({ pem: text })], {
  error: "must be a map with either `file` or `pem`",
});

const tlsShape = {
  ca: pem.optional(),
  cert: pem.optional(),
  key: pem.optional(),
  serverName: text.optional(),
  insecureSkipVerify: z.boolean().default(false),
};
const selectionShape = { names: texts.default([]), tags: texts.default([]) };
const consistencyShape = {
  mode: z.enum(["default", "stale"]).default("default"),
  maxStaleSeconds: z.number().min(0).default(10),
};
const healthShape = {
  warning: z.enum(["healthy", "degraded", "unhealthy", "omit"]).default("healthy"),
  critical: z.enum(["unhealthy", "omit"]).default("unhealthy"),
};
const localityShape = {
  region: texts.default(["region"]),
  zone: texts.default(["zone", "availability-zone", "availability_zone"]),
  subzone: texts.default(["subzone", "rack"]),
};
const tokenMessage = "must be the token, or a map with one of `file`, `value` and `env`";

const configShape = {
  url: text
    .refine((value) => /^https?:$/.test(protocolOf(value)), "must be an http:// or https:// URL")
    .refine((value) => !/^https?:\/\/[^/]*@/.test(value), "must hold no credentials; use `token`"),
  datacenters: texts.default([]),
  namespaces: texts.default([]),
  partitions: texts.default([]),
  token: z
    .preprocess(
      (value) => (typeof value === "string" ? { value } : value),
      z.union([z.strictObject({ file: text }), z.strictObject({ value: text }), z.strictObject({ env: text })], {
        error: tokenMessage,
      }),
    )
    .optional(),
  tls: z.strictObject(tlsShape).optional(),
  include: z.strictObject(selectionShape).prefault({}),
  exclude: z.strictObject({ ...selectionShape, names: texts.default(["consul"]) }).prefault({}),
  kinds: z.array(z.enum(serviceKinds)).min(1).default(["typical"]),
  concurrency: z.int().min(1).max(10_000).default(150),
  waitSeconds: z.int().min(1).max(60).default(30),
  timeoutSeconds: z.number().min(0.1).max(300).default(10),
  rotationSeconds: z.number().min(1).max(600).default(30),
  auditSeconds: z.number().min(1).default(300),
  restartGraceSeconds: z.number().min(0).default(300),
  consistency: z.strictObject(consistencyShape).prefault({}),
  health: z.strictObject(healthShape).prefault({}),
  protocolKeys: texts.default(["protocol"]),
  portKeys: z
    .record(text, protocol)
    .transform((record): ReadonlyMap<string, Protocol> => new Map(Object.entries(record)))
    .prefault({ gRPC_port: "GRPC", "gRPC.port": "GRPC" }),
  defaultProtocol: protocol.default("UNSUPPORTED"),
  servicePort: z.int().min(1).max(65535).optional(),
  tagSeparators: texts.default(["=", "|"]),
  localityKeys: z.strictObject(localityShape).prefault({}),
  domain: text.default("consul"),
  namespace: text.refine((value) => !value.includes("/"), "must not contain a slash").default("default"),
  maxAnswerBytes: z
    .int()
    .min(1)
    .default(64 * 1024 * 1024),
};
const schema = z.strictObject(configShape);

/** Configuration of one Consul registry. What each member means is in the README. */
export type ConsulConfig = z.output<typeof schema>;

/** Where the ACL token is. */
export type ConsulToken = NonNullable<ConsulConfig["token"]>;

const nested = new Map<string, object>([
  ["tls", tlsShape],
  ["include", selectionShape],
  ["exclude", selectionShape],
  ["consistency", consistencyShape],
  ["health", healthShape],
  ["localityKeys", localityShape],
]);

/** Keys whose values may be secret: faults never show them. */
const secretKeys: ReadonlySet<string> = new Set(["token", "tls", "url"]);

/** Checks the configuration of a Consul registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseConsulConfig(input: unknown): ConsulConfig {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  throw new ConfigError(result.error.issues.flatMap((issue) => explain(issue, input)));
}

/** Says in plain words what the schema found wrong, one fault for each key or value. */
function explain(issue: z.core.$ZodIssue, input: unknown): readonly ConfigFault[] {
  const path = issue.path.filter((part) => typeof part !== "symbol");
  if (issue.code === "unrecognized_keys") {
    const known = Object.keys(path.length === 0 ? configShape : (nested.get(String(path[0])) ?? {}));
    return issue.keys.map((key) => {
      const close = didYouMean(key, known);
      const hint = close === undefined ? `known here: ${known.join(", ")}` : `did you mean "${close}"?`;
      return { path: [...path, key], message: `unknown key; ${hint}` };
    });
  }
  return [{ path, message: messageOf(issue, valueAt(input, path), secretKeys.has(String(path[0]))) }];
}

function messageOf(issue: z.core.$ZodIssue, value: unknown, secret: boolean): string {
  if (value === undefined && issue.code !== "custom") return "is required";
  const shown = secret ? "" : `, not ${describe(value)}`;
  switch (issue.code) {
    case "invalid_type":
      return `must be ${issue.expected === "object" ? "a map" : `of type ${issue.expected}`}${shown}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}${shown}`;
    case "too_small":
      return typeof value === "number" ? `must be at least ${issue.minimum}${shown}` : "must not be empty";
    case "too_big":
      return `must be at most ${issue.maximum}${shown}`;
    default:
      return issue.message;
  }
}

function valueAt(value: unknown, path: readonly (string | number)[]): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return JSON.stringify(value);
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value === null ? "null" : "a map";
}

function protocolOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
