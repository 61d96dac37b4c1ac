import { listOf, maxBytes, parseWith, text } from "@signalbox/registry/config";
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

const configSchema = z.strictObject({
  paths: listOf(text, 1),
  namespace: text.default("default"),
  domain: text.default("cluster.local"),
  cluster: text.optional(),
  maxFileBytes: maxBytes.default(16 * 1024 * 1024),
});

/** Checks the configuration of a static registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseStaticConfig(input: unknown): StaticConfig {
  return parseWith(configSchema, input);
}
