import type { ConfiguredTls } from "@signalbox/http-client";
import { isHostname } from "@signalbox/model";
import { ConfigError, type ConfigFault } from "@signalbox/registry";
import { listOf, maxBytes, parseWith, secret, text, tls } from "@signalbox/registry/config";
import { z } from "zod";

/** Which namespaces are read. */
export interface NamespaceChoice {
  /** Only these. They are asked for one by one, so that rights in them are enough. Empty: all. */
  readonly include: readonly string[];
  /** Not these. */
  readonly exclude: readonly string[];
  /** Only those with all of these labels. Needs the right to list namespaces. */
  readonly selector?: Readonly<Record<string, string>> | undefined;
}

/** Configuration of one Kubernetes registry: one cluster, or one set of manifests. */
export interface KubernetesConfig {
  /** Path of a kubeconfig file. */
  readonly kubeconfig?: string | undefined;
  /** Context of the kubeconfig; its own current one where absent. */
  readonly context?: string | undefined;
  /** The service account of the pod that Signalbox runs in. */
  readonly inCluster?: boolean | undefined;
  /** Address of the API server, for access without a kubeconfig. */
  readonly url?: string | undefined;
  /** TLS to `url`. Files are followed. */
  readonly tls?: ConfiguredTls | undefined;
  /** A bearer token for `url`. A file is read again when it changes, and after an answer of 401. */
  readonly token?: { readonly file: string } | { readonly value: string } | undefined;
  /** Files, directories and globs with Kubernetes objects, instead of a cluster. */
  readonly manifests?: readonly string[] | undefined;
  /** Name of the cluster: first part of the keys of workloads. Absent: the name of the registry. */
  readonly cluster?: string | undefined;
  /** Network of the endpoints whose pods name none. */
  readonly network: string;
  /** What follows `<name>.<namespace>.svc.` in host names. */
  readonly domain: string;
  /** Trust domain of the identities that annotations of services name. */
  readonly trustDomain: string;
  readonly namespaces: NamespaceChoice;
  /** Whether pods are read: labels, service accounts and workloads come from them. */
  readonly pods: boolean;
  /** Whether nodes are read: regions and subzones come from them. */
  readonly nodes: boolean;
  /**
   * Whether Istio's objects are read: of those kinds that the API server has and lets be read (`auto`), or all the same with a failure
   * where it has none or refuses (`true`).
   */
  readonly istio: boolean | "auto";
  /** How often the API server is asked which kinds of Istio it has, in milliseconds. */
  readonly discoveryMs: number;
  /** Objects in one page of a list. */
  readonly pageSize: number;
  /** Time until an answer begins, in milliseconds. */
  readonly requestMs: number;
  /** A watch that is silent for so long is taken for dead, in milliseconds. The API server speaks about every 60 s. */
  readonly watchdogMs: number;
  /** A watch is asked to end after a random time between this and twice as long, in seconds. */
  readonly watchSeconds: number;
  /** Larger files of `manifests` are not read. */
  readonly maxFileBytes: number;
}

/** The name of a namespace. */
export const namespaceName = z
  .string()
  .regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be the name of a namespace");
const domain = z.string().refine((value) => isHostname(value), "must be a domain name");

const namespaces = z.strictObject({
  include: listOf(namespaceName).default([]),
  exclude: listOf(namespaceName).default([]),
  selector: z.record(text, z.string()).optional(),
});

/** How the API server is reached. */
export const connectionFields = {
  kubeconfig: text.optional(),
  context: text.optional(),
  inCluster: z.boolean().optional(),
  url: z
    .string()
    .refine(isApiUrl, "must be an http:// or https:// URL without credentials, query and fragment")
    .optional(),
  tls: tls.optional(),
  token: secret.optional(),
};

/** How lists and watches are made. */
export const readFields = {
  pageSize: z.int().min(1).max(10_000).default(500),
  requestMs: z.int().min(1).max(600_000).default(30_000),
  watchdogMs: z.int().min(1000).max(3_600_000).default(90_000),
  watchSeconds: z.int().min(1).max(3600).default(240),
};

const schema = z.strictObject({
  ...connectionFields,
  manifests: listOf(text, 1).optional(),
  cluster: text.refine((value) => !value.includes("/"), "must not contain a slash").optional(),
  network: z.string().default(""),
  domain: domain.default("cluster.local"),
  trustDomain: domain.default("cluster.local"),
  namespaces: namespaces.prefault({}),
  pods: z.boolean().default(true),
  nodes: z.boolean().default(true),
  istio: z.union([z.boolean(), z.literal("auto")]).default("auto"),
  discoveryMs: z.int().min(100).max(3_600_000).default(60_000),
  ...readFields,
  maxFileBytes: maxBytes.default(16 * 1024 * 1024),
});

/** Checks the configuration of a Kubernetes registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseKubernetesConfig(input: unknown): KubernetesConfig {
  const config = parseWith(schema, input, ["tls", "token", "url"]);
  const faults = contradictions(config);
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

function contradictions(config: KubernetesConfig): readonly ConfigFault[] {
  const faults = connectionFaults(config);
  const { include, exclude } = config.namespaces;
  const both = include.find((namespace) => exclude.includes(namespace));
  if (both === undefined) return faults;
  return [...faults, { path: ["namespaces", "exclude"], message: `${both} is in include as well` }];
}

/** What cannot be true together of how the API server is reached. */
export function connectionFaults(
  config: Pick<KubernetesConfig, "kubeconfig" | "context" | "inCluster" | "url" | "tls" | "token" | "manifests">,
): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (path: string, message: string) => faults.push({ path: [path], message });
  const sources = (["kubeconfig", "inCluster", "url", "manifests"] as const).filter((key) => isGiven(config[key]));
  for (const extra of sources.slice(1)) fault(extra, `cannot stand beside ${sources[0] ?? ""}: one source each`);
  if (config.context !== undefined && sources.some((source) => source !== "kubeconfig"))
    fault("context", "belongs to a kubeconfig");
  if (config.url === undefined) {
    for (const key of ["tls", "token"] as const) if (isGiven(config[key])) fault(key, "needs url");
  }
  if (config.tls !== undefined && config.url?.startsWith("http:") === true)
    fault("url", "must begin with https:// where tls is given");
  return faults;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false;
}

function isApiUrl(url: string): boolean {
  if (!URL.canParse(url)) return false;
  const { protocol, username, password, search, hash } = new URL(url);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === "";
}
