import { parseProtocol, type Protocol } from "@signalbox/model";
import { z } from "zod";

/** Text that is not empty. */
export const text = z.string().min(1);

/** A list of at least `least` items, or one text for a list of one. */
export function listOf<Item extends z.ZodType>(item: Item, least = 0) {
  return z.preprocess((value) => (typeof value === "string" ? [value] : value), z.array(item).min(least));
}

/** Texts, or one text for a list of one. */
export const texts = listOf(text);

/** A protocol by its name. Unlike in a registry, a name that is unknown is a mistake here; `auto` detects it from the traffic. */
export const protocol = text.transform((name, context): Protocol => {
  const parsed = parseProtocol(name);
  if (parsed === "UNSUPPORTED" && name.toLowerCase() !== "auto" && name.toUpperCase() !== "UNSUPPORTED") {
    context.addIssue({ code: "custom", message: `${JSON.stringify(name)} is not a protocol` });
  }
  return parsed;
});

/** Names of metadata that hold port numbers, each with the protocol of its port. */
export const portKeys = z
  .record(text, protocol)
  .transform((record): ReadonlyMap<string, Protocol> => new Map(Object.entries(record)));

/**
 * A password or a token: in a file, or as it is. Adapters do not look at the environment: whoever reads the configuration puts
 * variables in.
 */
export const secret = z.preprocess(
  (value) => (typeof value === "string" ? { value } : value),
  z.union([z.strictObject({ file: text }), z.strictObject({ value: text })], {
    error: ({ input }) =>
      typeof input === "object" && input !== null && "env" in input
        ? "has no `env`: write an environment variable as text, `${NAME}`"
        : "must be the secret as text, or a map with either `file` or `value`",
  }),
);

const pem = z.union([z.strictObject({ file: text }), z.strictObject({ pem: text })], {
  error: "must be a map with either `file` or `pem`",
});

/** TLS to the source: authorities to trust, the client's certificate and key (both or none), the name to expect. */
export const tls = z
  .strictObject({
    ca: pem.optional(),
    cert: pem.optional(),
    key: pem.optional(),
    serverName: text.optional(),
    insecureSkipVerify: z.boolean().default(false),
  })
  .superRefine(({ cert, key }, context) => {
    if ((cert === undefined) === (key === undefined)) return;
    const path = [cert === undefined ? "cert" : "key"];
    context.addIssue({ code: "custom", path, message: "is missing: cert and key go together" });
  });

/** The namespace that services are put into. */
export const namespace = text.refine((value) => !value.includes("/"), "must not contain a slash");

/** Bytes of the largest answer or file that is read. */
export const maxBytes = z.int().min(1);

/** The scheme of a URL with its colon; "" for a text that is no URL. */
export function schemeOf(url: string): string {
  return URL.canParse(url) ? new URL(url).protocol : "";
}
