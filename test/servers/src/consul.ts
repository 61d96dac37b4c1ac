import { randomUUID } from "node:crypto";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { apiRequest } from "./api-request.ts";
import type { ApiAnswer, ApiRequest, TlsFiles } from "./api-request.ts";
import { createAuthority } from "./certificates.ts";
import { freePorts } from "./ports.ts";
import { provideConsul } from "./provide-server.ts";
import { controlOf, serverFolder, ServerProcess } from "./server-process.ts";
import type { ServerControl } from "./server-process.ts";
import { sharedControl, sharedUrl } from "./shared-server.ts";
import type { StartOptions } from "./shared-server.ts";
import { waitFor } from "./wait-for.ts";

/** Options of `startConsul`. */
export interface ConsulOptions extends StartOptions {
  /** `memory`: an agent in development mode, empty after a restart. `disk`: it keeps its data and indexes. `memory` by default. */
  readonly data?: "memory" | "disk";
  /** Access control with "deny" as the default policy. `token` of the running server may do everything. */
  readonly acl?: boolean;
  /** HTTPS that demands a client certificate; plain HTTP is off. */
  readonly mtls?: boolean;
  /** Name of its datacenter, `dc1` by default. With one, it can be joined with those of others. */
  readonly datacenter?: string;
  /** `wanAddress` of agents in other datacenters, to be joined with. Only with `datacenter`. */
  readonly joinWan?: readonly string[];
  /** Further agent configuration, such as `{ limits: { http_max_conns_per_client: 6000 } }`. Wins over the test's own. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** A running Consul agent. `stop()` must be called. */
export interface RunningConsul extends ServerControl {
  /** Address of the HTTP API without a path, `http://` or `https://`. */
  readonly url: string;
  /** The management token, with `acl`. */
  readonly token: string | undefined;
  /** The authority and a client certificate, with `mtls`. */
  readonly tls: Required<TlsFiles> | undefined;
  /** Where agents in other datacenters join it, with `datacenter`. */
  readonly wanAddress: string | undefined;
  /** Asks the API with the management token, or with `token`; an empty one is anonymous. Any status is an answer. */
  request(path: string, options?: ApiRequest & { readonly token?: string }): Promise<ApiAnswer>;
}

interface ConsulAccess {
  readonly url: string;
  readonly token: string | undefined;
  readonly tls: Required<TlsFiles> | undefined;
  readonly wanAddress: string | undefined;
}

/**
 * Starts a real Consul agent: the one at `SIGNALBOX_CONSUL_URL` (with the token in `SIGNALBOX_CONSUL_TOKEN`), with Docker
 * Compose, or as a process on loopback. Ready when its catalogue has the service "consul". Rejects with a
 * ServerUnavailableError or a ServerFailedError.
 */
export async function startConsul(options: ConsulOptions = {}): Promise<RunningConsul> {
  const { data = "memory", acl = false, mtls = false, config = {}, deadlineMs = 90_000, env = process.env } = options;
  const { datacenter, joinWan = [], signal } = options;
  const plain = data === "memory" && !acl && !mtls && datacenter === undefined && Object.keys(config).length === 0;
  const compose = { service: "consul", url: "http://127.0.0.1:8500" };
  const shared = await sharedUrl("SIGNALBOX_CONSUL_URL", compose, plain ? options : { ...options, own: true });
  if (shared !== undefined) {
    const access = { url: shared, token: env["SIGNALBOX_CONSUL_TOKEN"], tls: undefined, wanAddress: undefined };
    await waitFor(() => isReady(access), { what: `Consul at ${shared}`, deadlineMs, ...(signal && { signal }) });
    return runningConsul(access, sharedControl("consul"));
  }
  const program = await provideConsul({ env, signal });
  const [http = 0, serf = 0, rpc = 0, wan = 0] = await freePorts(4);
  const port = options.port ?? http;
  const dir = await serverFolder("consul");
  const tls = mtls ? await certificates(dir) : undefined;
  const token = acl ? randomUUID() : undefined;
  const wanAddress = datacenter === undefined ? undefined : `127.0.0.1:${wan}`;
  const access = { url: `${mtls ? "https" : "http"}://127.0.0.1:${port}`, token, tls: tls?.client, wanAddress };
  const settings = {
    node_name: "signalbox-test",
    bind_addr: "127.0.0.1",
    client_addr: "127.0.0.1",
    log_level: "warn",
    // All others are off: each would need a port of its own.
    ports: {
      http: mtls ? -1 : port,
      https: mtls ? port : -1,
      serf_lan: serf,
      server: rpc,
      ...{ grpc: -1, grpc_tls: -1, dns: -1, serf_wan: datacenter === undefined ? -1 : wan },
    },
    ...(datacenter !== undefined && { datacenter, retry_join_wan: joinWan, retry_interval_wan: "1s" }),
    ...(data === "disk" && {
      server: true,
      bootstrap_expect: 1,
      data_dir: join(dir, "data"),
      performance: { raft_multiplier: 1 },
    }),
    ...(acl && { acl: { enabled: true, default_policy: "deny", tokens: { initial_management: token } } }),
    ...(tls && { tls: tls.agent }),
    ...config,
  };
  await writeFile(join(dir, "consul.json"), JSON.stringify(settings, null, 2));
  const control = await ServerProcess.start({
    name: "consul",
    program,
    args: ["agent", ...(data === "memory" ? ["-dev"] : []), `-config-file=${join(dir, "consul.json")}`],
    dir,
    ready: (asking) => isReady(access, asking),
    deadlineMs,
    signal,
  });
  return runningConsul(access, control);
}

function runningConsul(access: ConsulAccess, control: ServerControl): RunningConsul {
  return {
    ...access,
    request: (path, options = {}) => request(access, path, options),
    ...controlOf(control),
  };
}

function request(
  { url, token, tls }: ConsulAccess,
  path: string,
  options: ApiRequest & { readonly token?: string },
): Promise<ApiAnswer> {
  const key = options.token ?? token ?? "";
  const headers = { ...options.headers, ...(key !== "" && { "x-consul-token": key }) };
  return apiRequest(`${url}${path}`, { ...options, headers, ...(tls && { tls }) });
}

/** An elected leader is not enough: the agent puts its own service into the catalogue a little later. */
async function isReady(access: ConsulAccess, signal?: AbortSignal): Promise<boolean> {
  const answer = await request(access, "/v1/health/service/consul", signal ? { signal } : {});
  const entries = answer.status === 200 ? answer.json() : [];
  return Array.isArray(entries) && entries.length > 0;
}

async function certificates(dir: string): Promise<{ client: Required<TlsFiles>; agent: object }> {
  const authority = await createAuthority(dir);
  const alternativeNames = ["DNS:localhost", "DNS:server.dc1.consul", "IP:127.0.0.1"];
  const server = await authority.issue("server", { commonName: "server.dc1.consul", alternativeNames });
  const client = await authority.issue("client", { commonName: "signalbox" });
  const files = { ca_file: authority.caFile, cert_file: server.certFile, key_file: server.keyFile };
  return {
    client: { caFile: authority.caFile, ...client },
    agent: { defaults: { ...files, verify_incoming: false }, https: { verify_incoming: true } },
  };
}
