import type { Problem, RegistryDeps, RegistrySink } from "@signalbox/registry";
import { ApiClient, problemOf } from "../client.ts";
import { connect, serviceAccountDir } from "../client/connect.ts";
import { reflect } from "../client/reflector.ts";
import type { ReadObject, ReflectorTarget } from "../client/reflector.ts";
import type { KubernetesConfig } from "../config.ts";
import type { ConvertContext } from "../convert.ts";
import { objectName, readNamespace, readNode, readPod, readService, readSlice } from "../convert/objects.ts";
import type { Report } from "../convert/objects.ts";
import { MalformedObjectError } from "../convert/raw.ts";
import { ClusterState } from "./cluster-state.ts";
import type { KubeKind, KubeObjects } from "./cluster-state.ts";

/** What a run of the registry has. */
export interface FollowOptions {
  readonly config: KubernetesConfig;
  readonly deps: RegistryDeps;
  readonly context: ConvertContext;
  readonly sink: RegistrySink;
  readonly signal: AbortSignal;
}

type Readers = { readonly [K in KubeKind]: (raw: unknown, report: Report) => KubeObjects[K] | undefined };

/** What is kept of the objects of each kind. */
export const readers: Readers = {
  Service: readService,
  EndpointSlice: readSlice,
  Pod: readPod,
  Node: readNode,
  Namespace: readNamespace,
};

/** One collection that is followed. */
interface Followed {
  readonly kind: KubeKind;
  readonly namespace: string | undefined;
  readonly path: string;
  readonly fieldSelector?: string;
}

/** Follows a cluster until the signal aborts, then resolves with every connection closed. */
export async function followCluster(options: FollowOptions): Promise<void> {
  const { config, deps, signal } = options;
  const followed = collections(config);
  const { baseDir, clock, logger } = deps;
  const surroundings = { baseDir, env: process.env, serviceAccountDir };
  const api = new ApiClient({
    connect: () => connect(config, surroundings),
    // All watches, and as many lists again while one watch after the other ends.
    connections: followed.length * 2,
    requestMs: config.requestMs,
    logger,
  });
  const session = new Session(options, followed);
  // Reflectors listen to a signal of their own, so that nothing of them is left on the caller's.
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const { pageSize, requestMs, watchdogMs, watchSeconds } = config;
    const common = { api, pageSize, requestMs, watchdogMs, watchSeconds, clock, signal: inner.signal };
    await Promise.all(
      followed.map((one, index) => {
        const { path, fieldSelector } = one;
        const selector = fieldSelector === undefined ? {} : { fieldSelector };
        const read = (raw: unknown) => session.read(one, raw);
        return reflect({ ...common, path, ...selector, read, target: session.target(index, one) });
      }),
    );
  } finally {
    inner.abort();
    signal.removeEventListener("abort", stop);
    session.end();
    await api.close();
  }
}

/** The collections to follow: of each namespace where some are named, so that no rights beyond them are needed. */
function collections({ namespaces, nodes, pods }: KubernetesConfig): readonly Followed[] {
  const within = namespaces.include.length === 0 ? [undefined] : namespaces.include;
  const namespaced = within.flatMap((namespace): Followed[] => {
    const part = namespace === undefined ? "" : `/namespaces/${namespace}`;
    const alive = "status.phase!=Failed,status.phase!=Succeeded";
    return [
      { kind: "Service", namespace, path: `/api/v1${part}/services` },
      { kind: "EndpointSlice", namespace, path: `/apis/discovery.k8s.io/v1${part}/endpointslices` },
      ...(pods ? [{ kind: "Pod", namespace, path: `/api/v1${part}/pods`, fieldSelector: alive } as const] : []),
    ];
  });
  return [
    ...namespaced,
    ...(nodes ? [{ kind: "Node", namespace: undefined, path: "/api/v1/nodes" } as const] : []),
    ...(namespaces.selector === undefined
      ? []
      : [{ kind: "Namespace", namespace: undefined, path: "/api/v1/namespaces" } as const]),
  ];
}

const maximumLagMs = 3_600_000;

/** What one run knows, and what it has told. */
class Session {
  readonly #options: FollowOptions;
  readonly #state: ClusterState;
  /** The collections that have not been listed yet. Before all were, nothing is known completely. */
  readonly #missing: Set<number>;
  readonly #failing = new Map<number, { readonly problem: Problem; readonly error: Error }>();
  #synced = false;
  #flush: NodeJS.Immediate | undefined;
  #ended = false;

  constructor(options: FollowOptions, followed: readonly Followed[]) {
    this.#options = options;
    const { logger, metrics } = options.deps;
    this.#state = new ClusterState(options.context, options.config.namespaces, (object, error) => {
      logger.error("kubernetes-handler-failed", { object, error });
      metrics.counter("kubernetes_handler_failures_total", { kind: "conversion" });
    });
    this.#missing = new Set(followed.keys());
  }

  end(): void {
    this.#ended = true;
    clearImmediate(this.#flush);
  }

  /** Reads an object as far as it makes sense; what is left out is counted. */
  read({ kind }: Followed, raw: unknown): ReadObject<KubeObjects[KubeKind]> {
    let key: string | undefined;
    try {
      key = objectName(raw);
      const known = key;
      return { key, item: readers[kind](raw, (error) => this.#reject(kind, known, error)) };
    } catch (error) {
      this.#reject(kind, key, error);
      return { key, item: undefined, malformed: true };
    }
  }

  target(index: number, { kind, namespace, path }: Followed): ReflectorTarget<KubeObjects[KubeKind]> {
    const { deps } = this.#options;
    const contained = (act: () => void) => {
      try {
        act();
      } catch (error) {
        deps.logger.error("kubernetes-handler-failed", { kind, error });
        deps.metrics.counter("kubernetes_handler_failures_total", { kind });
      }
    };
    const counted = {
      lists: () => deps.metrics.counter("kubernetes_lists_total", { kind }),
      relists: () => deps.metrics.counter("kubernetes_relists_total", { kind }),
      watches: () => deps.metrics.counter("kubernetes_watches_total", { kind }),
      cuts: () => deps.metrics.counter("kubernetes_watch_cuts_total", { kind }),
      expired: () => deps.metrics.counter("kubernetes_watch_expiries_total", { kind }),
    };
    return {
      replace: (items, unreadable) =>
        contained(() => {
          this.#state.replace(kind, items, { namespace, keep: unreadable });
          this.#missing.delete(index);
          this.#schedule();
        }),
      put: (key, item) =>
        contained(() => {
          deps.metrics.counter("kubernetes_events_total", { kind });
          if (kind === "EndpointSlice") this.#observeLag(key, item as KubeObjects["EndpointSlice"]);
          this.#state.put(kind, key, item);
          this.#schedule();
        }),
      remove: (key) =>
        contained(() => {
          deps.metrics.counter("kubernetes_events_total", { kind });
          this.#state.remove(kind, key);
          this.#schedule();
        }),
      fresh: () => {
        if (this.#failing.delete(index)) deps.logger.info("kubernetes-read-again", { path });
        this.#schedule();
      },
      failed: (error) => {
        const problem = problemOf(error);
        this.#failing.set(index, { problem, error });
        deps.metrics.counter("kubernetes_read_errors_total", { kind, problem });
        if (!this.#ended) this.#options.sink.degraded(problem, error);
      },
      listed: (ms) => deps.metrics.histogram("kubernetes_list_seconds", ms / 1000, { kind }),
      count: (event) => counted[event](),
    };
  }

  /** Measures how late a change of endpoints is. Lists and repetitions say nothing about that. */
  #observeLag(key: string, { triggeredAt }: KubeObjects["EndpointSlice"]): void {
    const { clock, metrics } = this.#options.deps;
    if (triggeredAt === undefined || this.#state.slice(key)?.triggeredAt === triggeredAt) return;
    const lag = clock.now() - triggeredAt;
    // A clock that is wrong by hours tells nothing.
    if (lag >= 0 && lag < maximumLagMs) metrics.histogram("kubernetes_endpoints_lag_seconds", lag / 1000);
  }

  #reject(kind: KubeKind, object: string | undefined, error: unknown): void {
    const { logger, metrics } = this.#options.deps;
    const reason = error instanceof MalformedObjectError ? error.message : String(error);
    metrics.counter("kubernetes_objects_rejected_total", { kind });
    logger.warn("kubernetes-object-rejected", { kind, object, reason });
  }

  /** What arrives together is told together. */
  #schedule(): void {
    if (this.#ended) return;
    this.#flush ??= setImmediate(() => {
      this.#flush = undefined;
      this.#tell();
    });
  }

  #tell(): void {
    const { sink } = this.#options;
    if (this.#ended || this.#missing.size > 0) return;
    const update = this.#synced ? this.#state.take() : this.#state.snapshot();
    this.#synced = true;
    const [failure] = this.#failing.values();
    if (update !== undefined) sink.push(update);
    else if (failure === undefined) sink.alive();
    // News of one collection do not make good what is wrong with another.
    if (update !== undefined && failure !== undefined) sink.degraded(failure.problem, failure.error);
  }
}
