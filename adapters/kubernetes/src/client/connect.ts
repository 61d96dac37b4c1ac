import { access, readFile } from "node:fs/promises";
import type { RequestOptions } from "node:https";
import { homedir } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import type { KubeConfig as KubeConfigType } from "@kubernetes/client-node";
import { parseDocuments } from "@signalbox/files";
import { sourceIn, tlsIn, type HttpClientOptions, type HttpTls, type PemSource } from "@signalbox/http-client";
import { SourceError } from "@signalbox/registry";
import type { KubernetesConfig } from "../config.ts";
import { rawList, rawMap, rawText } from "../convert/raw.ts";

/** How the API server is reached. */
export type Connection = Pick<HttpClientOptions, "url" | "tls" | "auth" | "headers">;

/** The part of the configuration that says where the API server is. */
export type ConnectionConfig = Pick<KubernetesConfig, "kubeconfig" | "context" | "inCluster" | "url" | "tls" | "token">;

/** What the process knows of its surroundings. */
export interface Surroundings {
  readonly baseDir: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Where Kubernetes mounts the service account. */
  readonly serviceAccountDir: string;
}

/** Where Kubernetes mounts the service account of a pod. */
export const serviceAccountDir = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * Finds out how to reach the API server: by the configured way, and otherwise as kubectl does, by `KUBECONFIG`, `~/.kube/config`
 * or the pod's service account. Reads files anew with each call. Throws a SourceError.
 */
export async function connect(config: ConnectionConfig, surroundings: Surroundings): Promise<Connection> {
  const { baseDir, env } = surroundings;
  if (config.url !== undefined) return direct(config.url, config, baseDir);
  if (config.inCluster === true) return inCluster(surroundings);
  if (config.kubeconfig !== undefined) return fromKubeconfig([resolve(baseDir, config.kubeconfig)], config.context);
  const named = (env["KUBECONFIG"] ?? "").split(delimiter).filter((path) => path !== "");
  if (named.length > 0) return fromKubeconfig(named, config.context);
  const home = join(env["HOME"] ?? homedir(), ".kube", "config");
  if (await exists(home)) return fromKubeconfig([home], config.context);
  if (env["KUBERNETES_SERVICE_HOST"] !== undefined) return inCluster(surroundings);
  throw new SourceError(
    "UNREACHABLE",
    `no cluster is configured: there is no url, no kubeconfig, no ${home} and no pod`,
  );
}

function direct(url: string, { tls, token }: ConnectionConfig, baseDir: string): Connection {
  return {
    url,
    tls: tlsIn(tls ?? {}, baseDir),
    ...(token === undefined ? {} : { auth: { type: "bearer", token: sourceIn(token, baseDir) } }),
  };
}

function inCluster({ env, serviceAccountDir: dir }: Surroundings): Connection {
  const host = env["KUBERNETES_SERVICE_HOST"];
  const port = env["KUBERNETES_SERVICE_PORT"] ?? "443";
  if (host === undefined) throw new SourceError("UNREACHABLE", "this is no pod: KUBERNETES_SERVICE_HOST is not set");
  return {
    url: `https://${host.includes(":") ? `[${host}]` : host}:${port}`,
    tls: { ca: { file: join(dir, "ca.crt") } },
    auth: { type: "bearer", token: { file: join(dir, "token") } },
  };
}

async function fromKubeconfig(paths: readonly string[], context: string | undefined): Promise<Connection> {
  // The package is large, and most installations run in a cluster.
  const { KubeConfig } = await import("@kubernetes/client-node");
  const load = (): Loaded => {
    const [first, ...others] = paths.map((path) => {
      const one = new KubeConfig();
      one.loadFromFile(path);
      return one;
    });
    if (first === undefined) throw new Error("no file is named");
    for (const other of others) first.mergeConfig(other, true);
    if (context !== undefined) first.setCurrentContext(context);
    return first;
  };
  try {
    let loaded = load();
    const cluster = loaded.getCurrentCluster();
    const user = loaded.getCurrentUser();
    if (cluster === null) throw new Error(`the context "${loaded.getCurrentContext()}" names no cluster of it`);
    if (cluster.proxyUrl !== undefined && cluster.proxyUrl !== "") throw new Error("proxy-url is not supported");
    const options = await credentials(loaded);
    const tls: HttpTls = {
      ...pem("ca", cluster.caFile, options.ca),
      ...pem("cert", user?.certFile, options.cert),
      ...pem("key", user?.keyFile, options.key),
      ...(options.servername === undefined ? {} : { serverName: options.servername }),
      ...(cluster.skipTLSVerify ? { insecureSkipVerify: true } : {}),
    };
    const { authorization, ...headers } = headersOf(options);
    const tokenFile = user === null ? undefined : await tokenFileOf(paths, user.name);
    let known: { readonly value: Promise<string>; readonly at: number } | undefined;
    const ask = async (): Promise<string> => headersOf(await credentials(loaded)).authorization ?? "";
    const get = (refused: boolean): Promise<string> => {
      // A fresh one has not remembered the token that was refused.
      if (refused) loaded = load();
      const now = performance.now();
      // Some programs give no time of expiry, and would run for every page of a list.
      if (refused || known === undefined || now - known.at > rememberMs) {
        const value = ask();
        value.catch(() => {
          known = undefined;
        });
        known = { value, at: now };
      }
      return known.value;
    };
    return {
      url: cluster.server.replace(/\/+$/, ""),
      ...(cluster.server.startsWith("https:") ? { tls } : {}),
      ...(tokenFile !== undefined
        ? { auth: { type: "bearer", token: { file: tokenFile } } }
        : authorization !== undefined
          ? { auth: { type: "header", name: "authorization", value: { get } } }
          : {}),
      ...(Object.keys(headers).length === 0 ? {} : { headers: headers }),
    };
  } catch (error) {
    if (error instanceof SourceError) throw error;
    // A program that ends without a word leaves an empty message.
    const said = error instanceof Error ? error.message.trim() : "";
    const reason = said === "" ? "its program for credentials failed" : said;
    throw new SourceError("AUTH_FAILED", `${paths.join(delimiter)} cannot be used: ${reason}`, { cause: error });
  }
}

type Loaded = KubeConfigType;

/** How long an answer of a login flow is used without looking whether it expired, in milliseconds. */
const rememberMs = 10_000;

/** The `tokenFile` of a user, which the library does not know. */
async function tokenFileOf(paths: readonly string[], user: string): Promise<string | undefined> {
  for (const path of paths) {
    const { documents } = parseDocuments(await readFile(path, "utf8"), { file: path });
    for (const item of rawList(rawMap(documents[0]?.value, "kubeconfig")["users"], "users")) {
      const entry = rawMap(item, "users");
      if (entry["name"] !== user) continue;
      const file = rawText(rawMap(entry["user"], "users.user")["tokenFile"], "users.user.tokenFile");
      return file === "" ? undefined : resolve(dirname(path), file);
    }
  }
  return undefined;
}

/** What the user of the current context shows, after running whatever program or login flow it names. */
async function credentials(kubeconfig: Loaded): Promise<RequestOptions> {
  const cluster = kubeconfig.getCurrentCluster();
  const options: RequestOptions = {};
  if (cluster?.server.startsWith("http:") === true && !cluster.skipTLSVerify) {
    // The library refuses plain HTTP unless the check of certificates, of which there are none, is off.
    const { clusters, contexts, users, currentContext } = kubeconfig;
    const open = clusters.map((one) => (one === cluster ? { ...one, skipTLSVerify: true } : one));
    kubeconfig.loadFromOptions({ clusters: open, contexts, users, currentContext });
  }
  await kubeconfig.applyToHTTPSOptions(options);
  return options;
}

function headersOf(options: RequestOptions): { readonly authorization?: string; readonly [name: string]: string } {
  const given = (options.headers ?? {}) as Readonly<Record<string, unknown>>;
  const entries = Object.entries(given).map(([name, value]) => [name.toLowerCase(), String(value)] as const);
  const basic = options.auth;
  const login =
    basic === undefined || basic === null
      ? []
      : [["authorization", `Basic ${Buffer.from(basic).toString("base64")}`] as const];
  return Object.fromEntries([...login, ...entries]);
}

/** Files are followed by the HTTP client; what is written out in the kubeconfig, or came from a program, is passed on. */
function pem(
  name: "ca" | "cert" | "key",
  file: string | undefined,
  content: unknown,
): Partial<Record<typeof name, PemSource>> {
  if (file !== undefined && file !== "") return { [name]: { file } };
  if (typeof content === "string" || Buffer.isBuffer(content)) return { [name]: { pem: content.toString() } };
  return {};
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
