import { apiRequest } from "./api-request.ts";
import { springArguments } from "./eureka.ts";
import type { SpringProperties } from "./eureka.ts";
import { freePort } from "./ports.ts";
import { provideJava } from "./provide-server.ts";
import { controlOf, serverFolder, ServerProcess } from "./server-process.ts";
import type { ServerControl } from "./server-process.ts";
import type { StartOptions } from "./shared-server.ts";

/** Options of `startSpringProvider`. */
export interface SpringProviderOptions extends Omit<StartOptions, "own"> {
  /** Address of the Eureka server, up to and including `/eureka`; several with commas. */
  readonly eurekaUrl: string;
  /** Name of the application. Eureka shows it in capitals. */
  readonly name: string;
  /** IP address that it listens on and registers. 127.0.0.1 by default. */
  readonly host?: string;
  /** Metadata of its registration. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Further settings. Win over the test's own. */
  readonly properties?: SpringProperties;
}

/** A running Spring Cloud application. `stop()` must be called: it then takes itself out of Eureka; `kill()` leaves it there. */
export interface RunningSpringProvider extends ServerControl {
  readonly host: string;
  readonly port: number;
  /** `http://host:port`. It answers `/` with `{ name, port, host }`; `host` is the request's. */
  readonly url: string;
  /** Its id in Eureka, `name:port`. */
  readonly instanceId: string;
}

/**
 * Starts a real Spring Boot application that registers itself with Eureka: heartbeat every second, lease 3 s. Ready when it
 * answers over HTTP; it is in Eureka about a second later. Rejects with a ServerUnavailableError or a ServerFailedError.
 */
export async function startSpringProvider(options: SpringProviderOptions): Promise<RunningSpringProvider> {
  const { eurekaUrl, name, host = "127.0.0.1", metadata = {}, properties = {}, env = process.env, signal } = options;
  const program = await provideJava("spring-provider", { env, signal });
  const port = options.port ?? (await freePort());
  const url = `http://${host}:${port}`;
  const labels = Object.entries(metadata).map(([key, value]) => [`eureka.instance.metadata-map[${key}]`, value]);
  const settings: SpringProperties = {
    "spring.application.name": name,
    "server.address": host,
    "server.port": port,
    "eureka.instance.ip-address": host,
    "eureka.client.service-url.defaultZone": eurekaUrl
      .split(",")
      .map((one) => `${one.replace(/\/+$/, "")}/`)
      .join(","),
    ...(Object.fromEntries(labels) as Record<string, string>),
    ...properties,
  };
  const control = await ServerProcess.start({
    name: "spring-provider",
    program,
    args: springArguments(settings),
    dir: await serverFolder("spring-provider"),
    ready: async (asking) => (await apiRequest(url, { signal: asking })).status === 200,
    deadlineMs: options.deadlineMs ?? 180_000,
    signal,
  });
  return {
    host,
    port,
    url,
    instanceId: `${name}:${port}`,
    ...controlOf(control),
  };
}
