import { apiRequest } from "./api-request.ts";
import type { ApiAnswer, ApiRequest, TlsFiles } from "./api-request.ts";
import { createAuthority } from "./certificates.ts";
import { freePort, freePorts } from "./ports.ts";
import { provideJava, withHeap } from "./provide-server.ts";
import { controlOf, serverFolder, ServerProcess } from "./server-process.ts";
import type { ServerControl } from "./server-process.ts";
import { sharedControl, sharedUrl } from "./shared-server.ts";
import type { StartOptions } from "./shared-server.ts";
import { waitFor } from "./wait-for.ts";

/** Settings of a Spring application by name. Spring ignores a name that it does not know. */
export type SpringProperties = Readonly<Record<string, string | number | boolean>>;

/** Options of `startEureka`. */
export interface EurekaOptions extends StartOptions {
  /** HTTPS with a certificate of its own authority. */
  readonly tls?: boolean;
  /** HTTP basic authentication for everything, `user:password`. */
  readonly basicAuth?: string;
  /** Further settings, such as `{ "eureka.server.disable-delta": true }`. Win over the test's own. */
  readonly properties?: SpringProperties;
  /** Memory for Java's objects, in MiB. By default enough for some thousand instances. */
  readonly heapMiB?: number;
}

/** A running Eureka server. Its memory is all it has: it is empty after a restart. `stop()` must be called. */
export interface RunningEureka extends ServerControl {
  /** Address of the REST API, up to and including `/eureka`. */
  readonly url: string;
  /** The authority that signed its certificate, with `tls`. */
  readonly tls: TlsFiles | undefined;
  /** Asks the API, with its `basicAuth` unless a header says otherwise; paths start with `/apps`. Any status is an answer. */
  request(path: string, options?: ApiRequest): Promise<ApiAnswer>;
}

/**
 * Starts a real Spring Cloud Eureka server: the one at `SIGNALBOX_EUREKA_URL` (with its `/eureka`), with Docker Compose, or
 * as a process on loopback, which answers without its production caches and delays. Ready when `/apps` answers. Rejects
 * with a ServerUnavailableError or a ServerFailedError.
 */
export async function startEureka(options: EurekaOptions = {}): Promise<RunningEureka> {
  const { tls = false, basicAuth, properties = {}, heapMiB } = options;
  const { deadlineMs = 180_000, env = process.env, signal } = options;
  const plain = !tls && basicAuth === undefined && Object.keys(properties).length === 0 && heapMiB === undefined;
  const compose = { service: "eureka", url: "http://127.0.0.1:8761/eureka" };
  const shared = await sharedUrl("SIGNALBOX_EUREKA_URL", compose, plain ? options : { ...options, own: true });
  if (shared !== undefined) {
    const access = { url: shared, tls: undefined, basicAuth: undefined };
    await waitFor(() => isReady(access), { what: `Eureka at ${shared}`, deadlineMs, ...(signal && { signal }) });
    return runningEureka(access, sharedControl("eureka"));
  }
  const provided = await provideJava("eureka-server", { env, signal });
  const program = heapMiB === undefined ? provided : withHeap(provided, heapMiB);
  const port = options.port ?? (await freePort());
  const dir = await serverFolder("eureka");
  const certificate = tls ? await serverCertificate(dir) : undefined;
  const access = { url: `http${tls ? "s" : ""}://127.0.0.1:${port}/eureka`, tls: certificate?.tls, basicAuth };
  const settings = {
    "server.port": port,
    ...(basicAuth !== undefined && { "signalbox.basic-auth": basicAuth }),
    ...certificate?.properties,
    ...properties,
  };
  const control = await ServerProcess.start({
    name: "eureka",
    program,
    args: springArguments(settings),
    dir,
    ready: (asking) => isReady(access, asking),
    deadlineMs,
    signal,
  });
  return runningEureka(access, control);
}

/**
 * Starts two Eureka servers that replicate to each other. What is registered with one is in the other within seconds. A
 * restarted one is empty until it gets heartbeats or registrations, unless `properties` make it copy its peer:
 * `eureka.client.fetch-registry`, `eureka.server.registry-sync-retries`, `eureka.server.registry-sync-retry-wait-ms`.
 */
export async function startEurekaPeers(
  options: Omit<EurekaOptions, "port" | "own" | "tls" | "basicAuth"> = {},
): Promise<[RunningEureka, RunningEureka]> {
  const ports = await freePorts(2);
  // Eureka tells itself from its peers by the host name alone, so the two need different ones for the same machine.
  const names = ["localhost", "127.0.0.1"];
  const starts = await Promise.allSettled(
    ports.map((port, own) => {
      const other = 1 - own;
      const peer = {
        "eureka.instance.hostname": names[own] ?? "",
        "eureka.client.service-url.defaultZone": `http://${names[other] ?? ""}:${ports[other] ?? 0}/eureka/`,
      };
      return startEureka({ ...options, port, properties: { ...peer, ...options.properties } });
    }),
  );
  const running = starts.flatMap((start) => (start.status === "fulfilled" ? [start.value] : []));
  const [one, two] = running;
  if (one !== undefined && two !== undefined) return [one, two];
  await Promise.all(running.map((server) => server.stop()));
  throw starts.find((start) => start.status === "rejected")?.reason;
}

/** Settings as arguments of a Spring program. */
export function springArguments(properties: SpringProperties): string[] {
  return Object.entries(properties).map(([name, value]) => `--${name}=${value}`);
}

interface EurekaAccess {
  readonly url: string;
  readonly tls: TlsFiles | undefined;
  readonly basicAuth: string | undefined;
}

function runningEureka(access: EurekaAccess, control: ServerControl): RunningEureka {
  const { url, tls } = access;
  return { url, tls, request: (path, options = {}) => ask(access, path, options), ...controlOf(control) };
}

function ask({ url, tls, basicAuth }: EurekaAccess, path: string, options: ApiRequest): Promise<ApiAnswer> {
  const authorization = `Basic ${Buffer.from(basicAuth ?? "").toString("base64")}`;
  const headers = { ...(basicAuth !== undefined && { authorization }), ...options.headers };
  return apiRequest(`${url}${path}`, { ...options, headers, ...(tls && { tls }) });
}

async function isReady(access: EurekaAccess, signal?: AbortSignal): Promise<boolean> {
  return (await ask(access, "/apps", signal ? { signal } : {})).status === 200;
}

async function serverCertificate(dir: string): Promise<{ tls: TlsFiles; properties: SpringProperties }> {
  const authority = await createAuthority(dir);
  const alternativeNames = ["DNS:localhost", "IP:127.0.0.1"];
  const { certFile, keyFile } = await authority.issue("server", { commonName: "localhost", alternativeNames });
  return {
    tls: { caFile: authority.caFile },
    properties: { "server.ssl.certificate": certFile, "server.ssl.certificate-private-key": keyFile },
  };
}
