import type { PemSource } from "@signalbox/http-client";
import { didYouMean, isHostname } from "@signalbox/model";
import { ConfigError, type ConfigFault } from "@signalbox/registry";
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

/** TLS to an API server that is named by its URL. */
export interface ConfigTls {
  /** Authorities of the server's certificate, instead of the well-known ones. */
  readonly ca?: PemSource | undefined;
  /** The client's certificate; needs `key`. */
  readonly cert?: PemSource | undefined;
  readonly key?: PemSource | undefined;
  /** Name expected in the server's certificate, instead of the host of the URL. */
  readonly serverName?: string | undefined;
  /** Takes any certificate. */
  readonly insecureSkipVerify: boolean;
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
  readonly tls?: ConfigTls | undefined;
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

const name = z.string().min(1);
const listFromOne = (value: unknown) => (typeof value === "string" ? [value] : value);
const namespaceName = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, "must be the name of a namespace");
const domain = z.string().refine((text) => isHostname(text), "must be a domain name");

const namespaceShape = {
  include: z.preprocess(listFromOne, z.array(namespaceName)).default([]),
  exclude: z.preprocess(listFromOne, z.array(namespaceName)).default([]),
  selector: z.record(name, z.string()).optional(),
};

const pem = z.union([z.strictObject({ file: name }), z.strictObject({ pem: name })], {
  error: "must be a map with either `file` or `pem`",
});
const tlsShape = {
  ca: pem.optional(),
  cert: pem.optional(),
  key: pem.optional(),
  serverName: name.optional(),
  insecureSkipVerify: z.boolean().default(false),
};

const shape = {
  kubeconfig: name.optional(),
  context: name.optional(),
  inCluster: z.boolean().optional(),
  url: z
    .string()
    .refine(isApiUrl, "must be an http:// or https:// URL without credentials, query and fragment")
    .optional(),
  tls: z.strictObject(tlsShape).optional(),
  token: z
    .preprocess(
      (value) => (typeof value === "string" ? { value } : value),
      z.union([z.strictObject({ file: name }), z.strictObject({ value: name })], {
        error: "must be the token, or a map with either `file` or `value`",
      }),
    )
    .optional(),
  manifests: z.preprocess(listFromOne, z.array(name).min(1)).optional(),
  cluster: name.refine((text) => !text.includes("/"), "must not contain a slash").optional(),
  network: z.string().default(""),
  domain: domain.default("cluster.local"),
  trustDomain: domain.default("cluster.local"),
  namespaces: z.strictObject(namespaceShape).prefault({}),
  pods: z.boolean().default(true),
  nodes: z.boolean().default(true),
  pageSize: z.int().min(1).max(10_000).default(500),
  requestMs: z.int().min(1).max(600_000).default(30_000),
  watchdogMs: z.int().min(1000).max(3_600_000).default(90_000),
  watchSeconds: z.int().min(1).max(3600).default(240),
  maxFileBytes: z
    .int()
    .min(1)
    .default(16 * 1024 * 1024),
};

/** Checks the configuration of a Kubernetes registry and fills in the defaults. Throws a ConfigError that names every faulty field. */
export function parseKubernetesConfig(input: unknown): KubernetesConfig {
  const result = z.strictObject(shape).safeParse(input);
  if (!result.success) throw new ConfigError(explain(result.error.issues));
  const config = result.data;
  const faults = contradictions(config);
  if (faults.length > 0) throw new ConfigError(faults);
  return config;
}

function contradictions(config: KubernetesConfig): ConfigFault[] {
  const faults: ConfigFault[] = [];
  const fault = (path: string, message: string) => faults.push({ path: [path], message });
  const sources = (["kubeconfig", "inCluster", "url", "manifests"] as const).filter((key) => isGiven(config[key]));
  for (const extra of sources.slice(1)) fault(extra, `cannot stand beside ${sources[0] ?? ""}: one source each`);
  if (config.context !== undefined && sources.some((source) => source !== "kubeconfig"))
    fault("context", "belongs to a kubeconfig");
  if (config.url === undefined) {
    for (const key of ["tls", "token"] as const) if (isGiven(config[key])) fault(key, "needs url");
  }
  const { cert, key } = config.tls ?? {};
  if ((cert === undefined) !== (key === undefined))
    faults.push({
      path: ["tls", cert === undefined ? "cert" : "key"],
      message: "is required: cert and key go together",
    });
  if (config.tls !== undefined && config.url?.startsWith("http:") === true)
    fault("url", "must begin with https:// where tls is given");
  const { include, exclude } = config.namespaces;
  const both = include.find((namespace) => exclude.includes(namespace));
  if (both !== undefined) faults.push({ path: ["namespaces", "exclude"], message: `${both} is in include as well` });
  return faults;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== false;
}

function isApiUrl(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { protocol, username, password, search, hash } = new URL(text);
  return /^https?:$/.test(protocol) && `${username}${password}${search}${hash}` === "";
}

const nested = new Map<string, object>([
  ["namespaces", namespaceShape],
  ["tls", tlsShape],
]);

function explain(issues: readonly z.core.$ZodIssue[]): ConfigFault[] {
  return issues.flatMap((issue): ConfigFault[] => {
    const path = issue.path.map((part) => (typeof part === "symbol" ? String(part) : part));
    if (issue.code !== "unrecognized_keys") return [{ path, message: messageOf(issue) }];
    const known = Object.keys(nested.get(String(path[0])) ?? shape);
    return issue.keys.map((key) => {
      const near = didYouMean(key, known);
      const hint = near === undefined ? `known here: ${known.join(", ")}` : `did you mean "${near}"?`;
      return { path: [...path, key], message: `unknown key; ${hint}` };
    });
  });
}

function messageOf(issue: z.core.$ZodIssue): string {
  switch (issue.code) {
    case "invalid_type":
      return `must be ${issue.expected === "object" ? "a map" : `of type ${issue.expected}`}`;
    case "too_small":
      return issue.origin === "number" || issue.origin === "int"
        ? `must be at least ${issue.minimum}`
        : "must not be empty";
    case "too_big":
      return `must be at most ${issue.maximum}`;
    case "invalid_format":
      return issue.message.startsWith("must") ? issue.message : "is not in the right form";
    default:
      return issue.message;
  }
}
