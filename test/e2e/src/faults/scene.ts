import { setTimeout as delay } from "node:timers/promises";
import {
  adsBootstrap,
  freePort,
  get,
  startDaemon,
  startEnvoy,
  startTraffic,
  waitFor,
  type Daemon,
  type RunningEnvoy,
  type Traffic,
} from "@signalbox/test-servers";
import { CleanUp } from "./clean-up.ts";

/** What is wrong with a source, as `/debug/registriesz` says it; "none" while all is well. */
export type SourceProblem = "none" | "UNREACHABLE" | "AUTH_FAILED" | "PROTOCOL_ERROR";

/** What there was to see since the sight before. */
export interface Sight {
  /** What the daemon says of its source at the end. */
  readonly problem: SourceProblem;
  /** The fewest endpoints in good health that Envoy had at any look at it. */
  readonly leastEndpoints: number;
  /** Who answered the last calls, which all began after the sight was asked for. Sorted. */
  readonly answering: readonly string[];
  /** Answers that were not 200, of all that came since the sight before. */
  readonly failed: readonly string[];
}

/** Options of `Scene.start`. */
export interface SceneOptions {
  /** The one registry of the daemon, as in its configuration. */
  readonly registry: Readonly<Record<string, unknown>>;
  /** Host name of the one service that is called, which has the port 80. */
  readonly host: string;
  /** Its endpoints at the start. */
  readonly endpoints: number;
  readonly mode: "sotw" | "delta";
  /** Who it was that answered with this text; the text itself by default. */
  readonly nameOf?: (text: string) => string;
}

/** Calls that a sight looks at. Of three endpoints, each is missed by so many in one of ten million sights. */
const callsOfASight = 40;
const patience = { deadlineMs: 120_000, intervalMs: 50 } as const;

/**
 * A daemon that reads one source, an Envoy that it configures, and steady calls through that Envoy to one service: what a
 * caller notices when something befalls the source. Envoy tries each call once, so that no retry hides a lost endpoint.
 * `stop()` must be called.
 */
export class Scene {
  readonly #options: SceneOptions;
  readonly #daemon: Daemon;
  readonly #envoy: RunningEnvoy;
  readonly #traffic: Traffic;
  readonly #cleanUp: CleanUp;
  /** Answers that an earlier sight looked at. */
  #seen = 0;
  #least = Number.POSITIVE_INFINITY;

  private constructor(
    options: SceneOptions,
    parts: { readonly daemon: Daemon; readonly envoy: RunningEnvoy; readonly traffic: Traffic },
    cleanUp: CleanUp,
  ) {
    this.#options = options;
    this.#daemon = parts.daemon;
    this.#envoy = parts.envoy;
    this.#traffic = cleanUp.keep(parts.traffic);
    this.#cleanUp = cleanUp;
    const end = new AbortController();
    const sampling = this.#sample(end.signal);
    cleanUp.add(() => {
      end.abort();
      return sampling;
    });
  }

  /** Starts all and waits until every endpoint is in Envoy and calls are answered. */
  static async start(options: SceneOptions): Promise<Scene> {
    const { endpoints, host, mode, registry } = options;
    const proxyHttpPort = await freePort();
    const mesh = { proxyHttpPort, defaultHttpRetryPolicy: { attempts: 0 } };
    const node = {
      id: "sidecar~127.0.0.1~caller.shop~shop.svc.cluster.local",
      metadata: { INTERCEPTION_MODE: "NONE" },
    };
    const cleanUp = new CleanUp();
    try {
      const config = { registries: [{ name: "source", ...registry }], mesh };
      const daemon = cleanUp.keep(await startDaemon({ config }));
      const bootstrap = adsBootstrap({ node, xdsPort: daemon.xdsPort, mode });
      const envoy = cleanUp.keep(await startEnvoy({ bootstrap }));
      const isComplete = async () => (await gauge(envoy, host, "membership_healthy")) === endpoints;
      await waitFor(isComplete, { what: `${endpoints} endpoints of ${host}`, ...patience });
      const isAnswered = async () => (await get(proxyHttpPort, host)).status === 200;
      await waitFor(isAnswered, { what: `${host} to answer`, ...patience });
      return new Scene(options, { daemon, envoy, traffic: startTraffic(proxyHttpPort, host, 2, 5) }, cleanUp);
    } catch (error) {
      await cleanUp.run();
      throw error;
    }
  }

  /** Looks at calls that begin now, and back at all that happened since the sight before. */
  async look(): Promise<Sight> {
    const began = performance.now();
    const recent: string[] = [];
    await this.#traffic.next((answer) => {
      if (answer.began >= began) recent.push(answer.status === 200 ? this.#nameOf(answer.text) : "nobody");
      return recent.length === callsOfASight;
    }, patience.deadlineMs);
    const { answers } = this.#traffic;
    const all = answers.slice(this.#seen);
    this.#seen = answers.length;
    const leastEndpoints = Math.min(this.#least, await this.endpoints());
    this.#least = Number.POSITIVE_INFINITY;
    return {
      problem: await this.problem(),
      leastEndpoints,
      answering: [...new Set(recent)].sort(),
      failed: all.filter(({ status }) => status !== 200).map(({ status, text }) => `${status} ${text}`),
    };
  }

  /** What the daemon says of its source now. */
  async problem(): Promise<SourceProblem> {
    const [registry] = (await this.#daemon.debug("/debug/registriesz")) as { problem?: SourceProblem }[];
    if (registry === undefined) throw new Error("the daemon has no registry");
    return registry.problem ?? "none";
  }

  /** Waits until the daemon says that of its source. */
  async untilProblem(problem: SourceProblem): Promise<void> {
    const what = `"${problem}" of ${this.#options.host}'s registry`;
    await waitFor(async () => (await this.problem()) === problem, { what, ...patience });
  }

  /** The sum of a counter of the daemon over its labels; 0 where it was never counted. */
  async counter(name: string): Promise<number> {
    return [...(await this.#series(name)).values()].reduce((sum, value) => sum + value, 0);
  }

  /** Waits until the sum of a counter has grown by so much. */
  async untilCounted(name: string, by: number): Promise<void> {
    const end = (await this.counter(name)) + by;
    await waitFor(async () => (await this.counter(name)) >= end, { what: `${by} more of ${name}`, ...patience });
  }

  /** Waits until a counter has grown by so much for each of the labels that it has now. */
  async untilEachCounted(name: string, by: number): Promise<void> {
    const start = await this.#series(name);
    const grown = async (): Promise<boolean> => {
      const now = await this.#series(name);
      return [...start].every(([labels, value]) => (now.get(labels) ?? 0) >= value + by);
    };
    await waitFor(grown, { what: `${by} more of each ${name}`, ...patience });
  }

  /** How many endpoints in good health Envoy has. */
  async endpoints(): Promise<number> {
    return gauge(this.#envoy, this.#options.host, "membership_healthy");
  }

  /** Waits until Envoy has so many endpoints in good health. */
  async untilEndpoints(count: number): Promise<void> {
    await waitFor(async () => (await this.endpoints()) === count, { what: `${count} endpoints in Envoy`, ...patience });
  }

  /**
   * How often Envoy's endpoints of the service became others, or a cluster went away: counted by Envoy itself, so that
   * nothing is too short to be seen.
   */
  async endpointChanges(): Promise<number> {
    const changes = await gauge(this.#envoy, this.#options.host, "membership_change");
    return changes + ((await this.#envoy.stats("cluster_removed$")).get("cluster_manager.cluster_removed") ?? 0);
  }

  /** How many responses Envoy refused. */
  nacks(): Promise<number> {
    return this.#envoy.nacks();
  }

  /** Waits until a call is answered by this one. */
  async reaches(name: string): Promise<void> {
    await this.#traffic.next(({ status, text }) => status === 200 && this.#nameOf(text) === name, patience.deadlineMs);
  }

  /** Ends traffic, Envoy and daemon. */
  async stop(): Promise<void> {
    await this.#cleanUp.run();
  }

  #nameOf(text: string): string {
    return this.#options.nameOf?.(text) ?? text;
  }

  /** The values of a counter by its labels, as they are written. */
  async #series(name: string): Promise<ReadonlyMap<string, number>> {
    const text = await (await fetch(`http://127.0.0.1:${this.#daemon.debugPort}/metrics`)).text();
    const lines = text.split("\n").filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `));
    return new Map(
      lines.map((line) => [line.slice(0, line.lastIndexOf(" ")), Number(line.slice(line.lastIndexOf(" ")))]),
    );
  }

  async #sample(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      // A machine that is too busy for one sample misses that one; each sight takes one more.
      const count = await this.endpoints().catch(() => Number.POSITIVE_INFINITY);
      this.#least = Math.min(this.#least, count);
      await delay(100, undefined, { signal }).catch(() => undefined);
    }
  }
}

/** A number that Envoy has of the service's cluster; 0 where it has no such cluster. */
async function gauge(envoy: RunningEnvoy, host: string, name: string): Promise<number> {
  const full = `cluster.outbound|80||${host}.${name}`;
  return (await envoy.stats(`${name}$`)).get(full) ?? 0;
}
