import { ConfigError } from "@signalbox/registry";
import { listOf, parseWith } from "@signalbox/registry/config";
import { z } from "zod";
import type { ConnectionConfig } from "../../client/connect.ts";
import { connectionFaults, connectionFields, namespaceName, readFields, type KubernetesConfig } from "../../config.ts";

/** Where Secrets are read. */
export interface KubernetesSecretsConfig
  extends ConnectionConfig, Pick<KubernetesConfig, "pageSize" | "requestMs" | "watchdogMs" | "watchSeconds"> {
  /** Secrets of these are read, and of no other: each is asked for by itself, so that rights in them are enough. At least one. */
  readonly namespaces: readonly string[];
}

const schema = z.strictObject({ ...connectionFields, namespaces: listOf(namespaceName, 1), ...readFields });

/** Checks where Secrets are read and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseSecretsConfig(input: unknown): KubernetesSecretsConfig {
  const config = parseWith(schema, input, ["tls", "token", "url"]);
  const faults = connectionFaults(config);
  if (faults.length > 0) throw new ConfigError(faults);
  return { ...config, namespaces: [...new Set(config.namespaces)] };
}
