import type { ReadObject } from "../../client/reflector.ts";
import { MalformedObjectError, rawMap, rawName, rawText } from "../../convert/raw.ts";

/** What is kept of a Secret. */
export interface KubernetesSecret {
  /** Decoded, of the keys that were asked for. */
  readonly parts: Readonly<Record<string, string>>;
  /** Where it is, for people. */
  readonly origin: string;
  /** `metadata.resourceVersion`; opaque. */
  readonly version: string;
}

/** The types of Secrets that hold certificates. */
export const secretTypes = ["kubernetes.io/tls", "Opaque"] as const;

/** Reads a Secret: of a type that holds certificates, and only these keys. One that has none of them is not needed. */
export function readSecret(raw: unknown, type: string, keys: ReadonlySet<string>): ReadObject<KubernetesSecret> {
  let key: string | undefined;
  try {
    const object = rawMap(raw, "object");
    const metadata = rawMap(object["metadata"], "metadata");
    const name = rawName(metadata["name"], "metadata.name");
    const namespace = rawName(metadata["namespace"], "metadata.namespace");
    key = `${namespace}/${name}`;
    if (rawText(object["type"], "type") !== type) return { key, item: undefined };
    const data = Object.entries(rawMap(object["data"], "data")).filter(([part]) => keys.has(part));
    const parts = Object.fromEntries(data.map(([part, value]) => [part, decoded(value, part)]));
    const version = rawText(metadata["resourceVersion"], "metadata.resourceVersion");
    if (data.length === 0) return { key, item: undefined };
    return { key, item: { parts, origin: `Secret ${key}`, version } };
  } catch (error) {
    if (!(error instanceof MalformedObjectError)) throw error;
    return { key, item: undefined, malformed: true };
  }
}

function decoded(value: unknown, part: string): string {
  return Buffer.from(rawText(value, `data.${part}`), "base64").toString("utf8");
}
