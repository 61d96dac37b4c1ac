import type { ObjectFault, ObjectPath } from "@signalbox/istio-objects";
import { didYouMean } from "@signalbox/model";
import { ConfigError } from "@signalbox/registry";
import { z } from "zod";

/** Configuration of one static registry. */
export interface StaticConfig {
  /** Files, directories (with `.yaml`, `.yml` and `.json` files at any depth) and globs. */
  readonly paths: readonly string[];
  /** Namespace of short-form services that name none. */
  readonly namespace: string;
  /** What follows `<name>.<namespace>.svc.` in the host name of short-form services that name none. */
  readonly domain: string;
  /** First part of the keys of workloads. Absent: the name of the registry. */
  readonly cluster?: string | undefined;
  /** Larger files are not read. */
  readonly maxFileBytes: number;
}

const name = z.string().min(1);
const port = z.int().min(1).max(65535);
const listFromOne = (value: unknown) => (typeof value === "string" ? [value] : value);

const configShape = {
  paths: z.preprocess(listFromOne, z.array(name).min(1)),
  namespace: name.default("default"),
  domain: name.default("cluster.local"),
  cluster: name.optional(),
  maxFileBytes: z
    .int()
    .min(1)
    .default(16 * 1024 * 1024),
};

/** Checks the configuration of a static registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseStaticConfig(input: unknown): StaticConfig {
  const result = z.strictObject(configShape).safeParse(input);
  if (result.success) return result.data;
  throw new ConfigError(explain(result.error.issues, input, () => Object.keys(configShape)));
}

/** Labels as they are: zod's own record would lose a label named `__proto__`. */
const labels = z.unknown().transform((value, context): Readonly<Record<string, string>> => {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    context.addIssue({ code: "custom", message: `must be a map, not ${describe(value)}` });
    return {};
  }
  return Object.fromEntries(
    Object.entries(value).map(([key, text]) => {
      if (typeof text === "string") return [key, text];
      context.addIssue({ code: "custom", path: [key], message: `must be a text, not ${describe(text)}: quote it` });
      return [key, ""];
    }),
  );
});

const oneOf = <const T extends readonly string[]>(...names: T) =>
  z.preprocess((value) => (typeof value === "string" ? value.toUpperCase() : value), z.enum(names));

const portShape = {
  name: name.optional(),
  number: port,
  protocol: name.optional(),
  targetPort: port.optional(),
};

const localityShape = { region: z.string(), zone: z.string().default(""), subzone: z.string().default("") };

const endpointShape = {
  address: name,
  port: z
    .preprocess(
      (value) => (typeof value === "number" ? { "": value } : value),
      z.unknown().transform((value, context): ReadonlyMap<string, number> => {
        const ports = new Map<string, number>();
        const entries =
          typeof value === "object" && value !== null && !Array.isArray(value) ? Object.entries(value) : [];
        if (entries.length === 0) {
          context.addIssue({ code: "custom", message: "must be a port number, or a map from port names to numbers" });
        }
        for (const [key, number] of entries) {
          const parsed = port.safeParse(number);
          const message = `must be a port number in 1..65535, not ${describe(number)}`;
          if (parsed.success) ports.set(key, parsed.data);
          else context.addIssue({ code: "custom", path: key === "" ? [] : [key], message });
        }
        return ports;
      }),
    )
    .optional(),
  labels: labels.optional(),
  locality: z
    .preprocess((value) => {
      if (typeof value !== "string") return value;
      const [region = "", zone = "", ...subzone] = value.split("/");
      return { region, zone, subzone: subzone.join("/") };
    }, z.strictObject(localityShape))
    .optional(),
  weight: z.int().min(0).max(0xffffffff).optional(),
  health: oneOf("HEALTHY", "DEGRADED", "UNHEALTHY", "DRAINING", "UNKNOWN").optional(),
  network: z.string().optional(),
  serviceAccount: z.string().optional(),
  tls: z.enum(["disabled", "istio", "simple"]).optional(),
};

const serviceShape = {
  name,
  namespace: name.optional(),
  hostname: name.optional(),
  addresses: z.preprocess(listFromOne, z.array(name)).optional(),
  ports: z.array(z.preprocess(expandPort, z.strictObject(portShape))).min(1),
  resolution: oneOf("STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS", "NONE").optional(),
  labels: labels.optional(),
  external: z.boolean().optional(),
  exportTo: z.preprocess(listFromOne, z.array(name)).optional(),
  workloadSelector: labels.optional(),
  serviceAccounts: z.preprocess(listFromOne, z.array(name)).optional(),
  endpoints: z.array(z.preprocess(expandEndpoint, z.strictObject(endpointShape))).optional(),
};

const fileShape = { services: z.array(z.strictObject(serviceShape)) };
const fileSchema = z.strictObject(fileShape);

/** One service of the short form, as it was written, with shorthands written out. */
export type ShortService = z.output<typeof fileSchema>["services"][number];

/** One endpoint of the short form. Its `port` is a map; the key "" stands for the service's only port. */
export type ShortEndpoint = NonNullable<ShortService["endpoints"]>[number];

const shapes = new Map<string, object>([
  ["services", serviceShape],
  ["ports", portShape],
  ["endpoints", endpointShape],
  ["locality", localityShape],
]);

/** Reads a short-form document. Every service is read for itself: a broken one does not hide the others. Indexes are those of the list. */
export function parseShortForm(value: unknown): {
  readonly services: ReadonlyMap<number, ShortService>;
  readonly faults: readonly ObjectFault[];
} {
  const result = fileSchema.safeParse(value);
  const services = new Map<number, ShortService>();
  if (result.success) {
    for (const [index, service] of result.data.services.entries()) services.set(index, service);
    return { services, faults: [] };
  }
  const knownAt = (path: ObjectPath) => {
    const last = path.findLast((part) => typeof part === "string");
    return Object.keys((last === undefined ? fileShape : shapes.get(last)) ?? {});
  };
  const faults = explain(result.error.issues, value, knownAt);
  const list = valueAt(value, ["services"]);
  for (const [index, item] of (Array.isArray(list) ? list : []).entries()) {
    const one = fileSchema.shape.services.element.safeParse(item);
    if (one.success) services.set(index, one.data);
  }
  return { services, faults };
}

/** `8080` and `8080/http` are ports. */
function expandPort(value: unknown): unknown {
  if (typeof value === "number") return { number: value };
  const [, number, protocol] = (typeof value === "string" && /^([0-9]+)(?:\/([A-Za-z0-9-]+))?$/.exec(value)) || [];
  if (number === undefined) return value;
  return { number: Number(number), ...(protocol === undefined ? {} : { protocol }) };
}

/** `10.0.0.1`, `10.0.0.1:8080`, `[::1]:8080`, `example.com:443` and `unix:///run/app.sock` are endpoints. */
function expandEndpoint(value: unknown): unknown {
  if (typeof value !== "string") return value;
  const [, inBrackets, plain, port] = /^(?:\[([^\]]+)\]|([^:]+)):([0-9]+)$/.exec(value) ?? [];
  const address = inBrackets ?? plain;
  return address === undefined ? { address: value } : { address, port: Number(port) };
}

/** Says in plain words what a schema found wrong, one fault for each key or value. */
function explain(
  issues: readonly z.core.$ZodIssue[],
  input: unknown,
  knownAt: (path: ObjectPath) => readonly string[],
): ObjectFault[] {
  return issues.flatMap((issue): ObjectFault[] => {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    if (issue.code === "unrecognized_keys") {
      return issue.keys.map((key) => {
        const known = knownAt(path);
        const near = didYouMean(key, known);
        const hint = near === undefined ? `known here: ${known.join(", ")}` : `did you mean "${near}"?`;
        return { path: [...path, key], at: "key", severity: "error", message: `unknown key; ${hint}` };
      });
    }
    return [{ path, at: "value", severity: "error", message: messageOf(issue, valueAt(input, path)) }];
  });
}

function messageOf(issue: z.core.$ZodIssue, value: unknown): string {
  if (issue.code === "custom") return issue.message;
  if (value === undefined) return "is required";
  switch (issue.code) {
    case "invalid_type":
      return `must be ${issue.expected === "object" ? "a map" : `of type ${issue.expected}`}, not ${describe(value)}`;
    case "invalid_value":
      return `must be one of ${issue.values.map(String).join(", ")}, not ${describe(value)}`;
    case "too_small":
      return typeof value === "number" ? `must be at least ${issue.minimum}, not ${value}` : "must not be empty";
    case "too_big":
      return `must be at most ${issue.maximum}, not ${describe(value)}`;
    default:
      return issue.message;
  }
}

function valueAt(value: unknown, path: ObjectPath): unknown {
  let at = value;
  for (const part of path) {
    if (typeof at !== "object" || at === null || !Object.hasOwn(at, part)) return undefined;
    at = (at as Record<string | number, unknown>)[part];
  }
  return at;
}

function describe(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (typeof value === "string") return `"${value}"`;
  return typeof value === "number" || typeof value === "boolean" ? String(value) : value === null ? "null" : "a map";
}
