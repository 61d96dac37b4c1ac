import { didYouMean, parseProtocol, type Protocol } from "@signalbox/model";
import { ConfigError, type ConfigFault } from "@signalbox/registry";
import { z } from "zod";

/** The statuses that an instance has in Eureka. */
export const statuses = ["UP", "DOWN", "STARTING", "OUT_OF_SERVICE", "UNKNOWN"] as const;

/** Status of an instance. A word that Eureka does not know counts as `UNKNOWN`, as in its own clients. */
export type EurekaStatus = (typeof statuses)[number];

const text = z.string().min(1);
const listFromOne = (value: unknown) => (typeof value === "string" ? [value] : value);
const texts = z.preprocess(listFromOne, z.array(text));
const seconds = (least: number, most: number) => z.number().min(least).max(most);
const protocol = text.transform((name, context): Protocol => {
  const parsed = parseProtocol(name);
  // The model's own word means "detect it from the traffic"; any other text that parses to it is a mistake.
  if (parsed === "UNSUPPORTED" && name.toLowerCase() !== "auto" && name.toUpperCase() !== "UNSUPPORTED") {
    context.addIssue({ code: "custom", message: `${JSON.stringify(name)} is not a protocol` });
  }
  return parsed;
});
const source = (keys: "file or value" | "file or pem") => {
  const [, member = ""] = keys.split(" or ");
  const error = `must be a map with either \`file\` or \`${member}\``;
  return { error };
};
const pem = z.union([z.strictObject({ file: text }), z.strictObject({ pem: text })], source("file or pem"));
const password = z.preprocess(
  (value) => (typeof value === "string" ? { value } : value),
  z.union([z.strictObject({ file: text }), z.strictObject({ value: text })], source("file or value")),
);
const policy = z.preprocess(
  (value) => (typeof value === "string" && value !== "omit" ? value.toUpperCase() : value),
  z.enum(["HEALTHY", "DEGRADED", "UNHEALTHY", "DRAINING", "UNKNOWN", "omit"]),
);

/** One service URL as users write it. A base path that is missing is Eureka's own. */
const url = text
  .refine((value) => /^https?:$/.test(parsedUrl(value)?.protocol ?? ""), "must be an http:// or https:// URL")
  .refine((value) => !/^https?:\/\/[^/]*@/.test(value), "must hold no credentials; use `auth`")
  .refine((value) => !/[?#]/.test(value), "must have no query and no fragment")
  .transform((value) => {
    const trimmed = value.replace(/\/+$/, "");
    return parsedUrl(trimmed)?.pathname === "/" ? `${trimmed}/eureka` : trimmed;
  });
const urls = z.preprocess(
  (value) => (typeof value === "string" ? value.split(",").map((one) => one.trim()) : value),
  z
    .array(url)
    .min(1)
    .refine((list) => new Set(list).size === list.length, "names one URL twice"),
);

const authShape = { username: text, password };
const tlsShape = {
  ca: pem.optional(),
  cert: pem.optional(),
  key: pem.optional(),
  serverName: text.optional(),
  insecureSkipVerify: z.boolean().default(false),
};
const appsShape = { include: texts.default([]), exclude: texts.default([]) };
const lossesShape = {
  confirmReads: z.int().min(1).max(1000).default(2),
  maxShrink: z.number().min(0).max(1).default(0.3),
  holdSeconds: seconds(0, 86_400).default(90),
};
const statusShape = {
  UP: policy.default("HEALTHY"),
  DOWN: policy.default("UNHEALTHY"),
  STARTING: policy.default("UNHEALTHY"),
  OUT_OF_SERVICE: policy.default("DRAINING"),
  UNKNOWN: policy.default("UNHEALTHY"),
};
const localityShape = {
  region: texts.default(["region"]),
  zone: texts.default(["zone"]),
  subzone: texts.default(["subzone"]),
};

const configShape = {
  urls,
  auth: z.strictObject(authShape).optional(),
  tls: z.strictObject(tlsShape).optional(),
  pollSeconds: seconds(0.1, 3600).default(5),
  fullSeconds: seconds(1, 86_400).default(300),
  delta: z.boolean().default(true),
  timeoutSeconds: seconds(0.1, 300).default(10),
  maxAnswerBytes: z
    .int()
    .min(1)
    .default(256 * 1024 * 1024),
  losses: z.strictObject(lossesShape).prefault({}),
  apps: z.strictObject(appsShape).prefault({}),
  serviceBy: z.enum(["app", "vip"]).default("app"),
  domain: text.default("eureka"),
  namespace: text.refine((value) => !value.includes("/"), "must not contain a slash").default("default"),
  servicePort: z.int().min(1).max(65535).optional(),
  status: z.strictObject(statusShape).prefault({}),
  hostnames: z.enum(["dns", "omit"]).default("dns"),
  protocol: protocol.prefault("HTTP"),
  secureProtocol: protocol.prefault("HTTPS"),
  protocolKeys: texts.default(["istio.protocol", "protocol"]),
  portKeys: z
    .record(text, protocol)
    .transform((record): ReadonlyMap<string, Protocol> => new Map(Object.entries(record)))
    .prefault({ gRPC_port: "GRPC", "gRPC.port": "GRPC", "grpc.port": "GRPC" }),
  weightKeys: texts.default(["weight"]),
  versionKeys: texts.default(["version"]),
  localityKeys: z.strictObject(localityShape).prefault({}),
};
const schema = z.strictObject(configShape);

/** Configuration of one Eureka registry. What each member means is in the README. */
export type EurekaConfig = z.output<typeof schema>;

const nested = new Map<string, object>([
  ["auth", authShape],
  ["tls", tlsShape],
  ["losses", lossesShape],
  ["apps", appsShape],
  ["status", statusShape],
  ["localityKeys", localityShape],
]);

/** Keys whose values may be secret: faults never show them. */
const secretKeys: ReadonlySet<string> = new Set(["auth", "tls", "urls"]);

/** Checks the configuration of a Eureka registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseEurekaConfig(input: unknown): EurekaConfig {
  const result = schema.safeParse(input);
  if (!result.success) throw new ConfigError(result.error.issues.flatMap((issue) => explain(issue, input)));
  const faults = [...conflicts(result.data)];
  if (faults.length > 0) throw new ConfigError(faults);
  return result.data;
}

/** What no single field can see. */
function* conflicts({ tls, urls: list }: EurekaConfig): Iterable<ConfigFault> {
  if (tls === undefined) return;
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    yield { path: ["tls", tls.cert === undefined ? "cert" : "key"], message: "is required: cert and key go together" };
  }
  const plain = list.findIndex((one) => !one.startsWith("https:"));
  if (plain >= 0) yield { path: ["urls", plain], message: "must begin with https:// where `tls` is given" };
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

function parsedUrl(value: string): URL | undefined {
  return URL.canParse(value) ? new URL(value) : undefined;
}
