import type { ObjectFault } from "@signalbox/istio-objects";
import { describe, listOf, schemaFaults, text as name } from "@signalbox/registry/config";
import { z } from "zod";

const port = z.int().min(1).max(65535);

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
  addresses: listOf(name).optional(),
  ports: z.array(z.preprocess(expandPort, z.strictObject(portShape))).min(1),
  resolution: oneOf("STATIC", "DNS", "DNS_ROUND_ROBIN", "DYNAMIC_DNS", "NONE").optional(),
  labels: labels.optional(),
  external: z.boolean().optional(),
  exportTo: listOf(name).optional(),
  workloadSelector: labels.optional(),
  serviceAccounts: listOf(name).optional(),
  endpoints: z.array(z.preprocess(expandEndpoint, z.strictObject(endpointShape))).optional(),
};

const fileSchema = z.strictObject({ services: z.array(z.strictObject(serviceShape)) });

/** One service of the short form, as it was written, with shorthands written out. */
export type ShortService = z.output<typeof fileSchema>["services"][number];

/** One endpoint of the short form. Its `port` is a map; the key "" stands for the service's only port. */
export type ShortEndpoint = NonNullable<ShortService["endpoints"]>[number];

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
  const faults = schemaFaults(fileSchema, value, result.error.issues).map(
    ({ message, onKey = false, path }): ObjectFault => ({
      path,
      at: onKey ? "key" : "value",
      severity: "error",
      message,
    }),
  );
  const list: unknown = (Object(value) as { readonly services?: unknown }).services;
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
