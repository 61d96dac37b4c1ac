import type { FollowOptions } from "./follow-options.ts";
import { ApiClient } from "../client.ts";
import { connect, serviceAccountDir } from "../client/connect.ts";
import { reflect } from "../client/reflector.ts";
import type { KubernetesConfig } from "../config.ts";
import { readNamespace, readNode, readPod, readService, readSlice } from "../convert/objects.ts";
import type { Report } from "../convert/objects.ts";
import type { ClusterState, KubeKind, KubeObjects } from "./cluster-state.ts";
import { followIstio, istioCollections } from "./istio-follower.ts";
import { namespacesOf } from "./namespaces-of.ts";
import { Session, type Collection } from "./session.ts";

type Readers = { readonly [K in KubeKind]: (raw: unknown, report: Report) => KubeObjects[K] | undefined };

/** What is kept of the objects of each kind. */
export const readers: Readers = {
  Service: readService,
  EndpointSlice: readSlice,
  Pod: readPod,
  Node: readNode,
  Namespace: readNamespace,
};

/** Follows a cluster until the signal aborts, then resolves with every connection closed. */
export async function followCluster(options: FollowOptions): Promise<void> {
  const { config, deps, signal } = options;
  const session = new Session(options);
  const followed = collections(config, session.state.kube);
  const { baseDir, clock, logger } = deps;
  const surroundings = { baseDir, env: process.env, serviceAccountDir };
  const api = new ApiClient({
    connect: () => connect(config, surroundings),
    // All watches, and as many lists again while one watch after the other ends.
    connections: (followed.length + istioCollections(config)) * 2,
    requestMs: config.requestMs,
    logger,
  });
  // Reflectors listen to a signal of their own, so that nothing of them is left on the caller's.
  const inner = new AbortController();
  const stop = () => inner.abort(signal.reason);
  signal.addEventListener("abort", stop, { once: true });
  try {
    const { pageSize, requestMs, watchdogMs, watchSeconds } = config;
    const follow = <T>(one: Collection<T>, until: AbortSignal) => {
      const { path, fieldSelector } = one;
      const selector = fieldSelector === undefined ? {} : { fieldSelector };
      const read = (raw: unknown) => session.read(one, raw);
      const common = { api, pageSize, requestMs, watchdogMs, watchSeconds, clock, signal: until };
      return reflect({ ...common, path, ...selector, read, target: session.target(one) });
    };
    for (const one of followed) session.expect(one);
    await Promise.all([
      ...followed.map((one) => follow(one, inner.signal)),
      ...(config.istio === false ? [] : [followIstio({ ...options, signal: inner.signal, api, session, follow })]),
    ]);
  } finally {
    inner.abort();
    signal.removeEventListener("abort", stop);
    session.end();
    await api.close();
  }
}

/** The collections to follow: of each namespace where some are named, so that no rights beyond them are needed. */
function collections(
  { namespaces, nodes, pods }: KubernetesConfig,
  state: ClusterState,
): readonly Collection<unknown>[] {
  const of = (kind: KubeKind, namespace: string | undefined, path: string, fieldSelector?: string) =>
    collectionOf(state, kind, { kind, namespace, path, ...(fieldSelector === undefined ? {} : { fieldSelector }) });
  const namespaced = namespacesOf(namespaces).flatMap(({ namespace, part }) => [
    of("Service", namespace, `/api/v1${part}/services`),
    of("EndpointSlice", namespace, `/apis/discovery.k8s.io/v1${part}/endpointslices`),
    ...(pods ? [of("Pod", namespace, `/api/v1${part}/pods`, "status.phase!=Failed,status.phase!=Succeeded")] : []),
  ]);
  return [
    ...namespaced,
    ...(nodes ? [of("Node", undefined, "/api/v1/nodes")] : []),
    ...(namespaces.selector === undefined ? [] : [of("Namespace", undefined, "/api/v1/namespaces")]),
  ];
}

/** What is known of a collection before it is bound to the state. */
type Place = Omit<Collection<unknown>, "read" | "replace" | "put" | "remove">;

function collectionOf(state: ClusterState, kind: KubeKind, place: Place): Collection<unknown> {
  const collection: Collection<KubeObjects[KubeKind]> = {
    ...place,
    read: readers[kind],
    replace: (items, scope) => state.replace(kind, items, scope),
    put: (key, item) => state.put(kind, key, item),
    remove: (key) => state.remove(kind, key),
  };
  // What its own reader gave comes back to it, and nothing else does.
  return collection as Collection<unknown>;
}
