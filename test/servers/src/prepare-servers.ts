import { provideEnvoy } from "./provide-envoy.ts";
import { provideRedis } from "./provide-redis.ts";
import { provideConsul, provideJava, provideKube, provideNats } from "./provide-server.ts";
import type { ProvideOptions } from "./provide-server.ts";

/** The servers by the names that `npm run servers` takes. */
export const serverNames = ["consul", "envoy", "eureka", "kube", "nats", "redis", "spring"] as const;

/** Name of a server. */
export type ServerName = (typeof serverNames)[number];

const provide: Readonly<Record<ServerName, (options: ProvideOptions) => Promise<unknown>>> = {
  consul: provideConsul,
  envoy: ({ env, signal }) => provideEnvoy({ ...(env && { env }), ...(signal && { signal }) }),
  eureka: (options) => provideJava("eureka-server", options),
  kube: provideKube,
  nats: provideNats,
  redis: provideRedis,
  spring: (options) => provideJava("spring-provider", options),
};

// Two lanes for two cores. A Go build fills a core and waits for nobody; what is in the other lane waits mostly for the network.
const lanes: readonly (readonly ServerName[])[] = [
  ["consul", "kube", "nats"],
  ["eureka", "spring", "envoy", "redis"],
];

/** How one server fared. */
export interface Preparation {
  readonly name: ServerName;
  readonly seconds: number;
  /** Why it is not there. */
  readonly error?: unknown;
}

/**
 * Finds, builds or installs the named servers, the long ones first and two at a time. Never rejects for a server that
 * cannot be had: that is in its result, which is also told as soon as it is known.
 */
export async function prepareServers(
  names: readonly ServerName[],
  options: ProvideOptions & { readonly onReady?: (result: Preparation) => void } = {},
): Promise<Preparation[]> {
  const lane = async (queue: readonly ServerName[]): Promise<Preparation[]> => {
    const results: Preparation[] = [];
    for (const name of queue.filter((one) => names.includes(one))) {
      const started = performance.now();
      const error = await provide[name](options).then(
        () => undefined,
        (reason: unknown) => reason ?? new Error("unknown"),
      );
      options.signal?.throwIfAborted();
      const seconds = (performance.now() - started) / 1000;
      const result = { name, seconds, ...(error !== undefined && { error }) };
      results.push(result);
      options.onReady?.(result);
    }
    return results;
  };
  return (await Promise.all(lanes.map(lane))).flat();
}
