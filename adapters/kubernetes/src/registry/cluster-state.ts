import { isDeepStrictEqual } from "node:util";
import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { Provenance, ServiceKey, ServiceRecord, Workload, WorkloadKey } from "@signalbox/model";
import type { RegistryUpdate } from "@signalbox/registry";
import type { NamespaceChoice } from "../config.ts";
import { convertPod, convertService, serviceOfHostname } from "../convert.ts";
import type { ClusterView, ConvertContext } from "../convert.ts";
import type { KubeNamespace, KubeNode, KubePod, KubeService, KubeSlice } from "../convert/objects.ts";
import { SharedParts } from "./shared-parts.ts";

/** The objects of each kind, by `namespace/name`. */
export interface KubeObjects {
  readonly Service: KubeService;
  readonly EndpointSlice: KubeSlice;
  readonly Pod: KubePod;
  readonly Node: KubeNode;
  readonly Namespace: KubeNamespace;
}

/** A kind that is read. */
export type KubeKind = keyof KubeObjects;

/** The objects of one cluster, and which services and workloads they touch when they change. */
export class ClusterState implements ClusterView {
  readonly #context: ConvertContext;
  readonly #choice: NamespaceChoice;
  readonly #onError: ((object: string, error: unknown) => void) | undefined;
  readonly #objects: { readonly [K in KubeKind]: Map<string, KubeObjects[K]> } = {
    Service: new Map(),
    EndpointSlice: new Map(),
    Pod: new Map(),
    Node: new Map(),
    Namespace: new Map(),
  };
  /** The slices of each service, by `namespace/name` of the service. */
  readonly #slices = new Map<string, Map<string, KubeSlice>>();
  /** The services whose slices name a pod. */
  readonly #servicesOfPod = new Map<string, string | Set<string>>();
  /** Aliases without ports of their own. */
  readonly #aliases = new Set<string>();
  readonly #dirtyServices = new Set<string>();
  readonly #dirtyPods = new Set<string>();
  readonly #records = new Map<string, ServiceRecord>();
  readonly #workloads = new Map<string, Workload>();
  readonly #shared = new SharedParts();

  /** `onError` is told of an object whose conversion failed; what it was before stays. By default the error is thrown. */
  constructor(context: ConvertContext, choice: NamespaceChoice, onError?: (object: string, error: unknown) => void) {
    this.#context = context;
    this.#choice = choice;
    this.#onError = onError;
  }

  pod(namespace: string, name: string): KubePod | undefined {
    return this.#objects.Pod.get(`${namespace}/${name}`);
  }

  node(name: string): KubeNode | undefined {
    return this.#objects.Node.get(name);
  }

  service(namespace: string, name: string): KubeService | undefined {
    return this.#objects.Service.get(`${namespace}/${name}`);
  }

  slice(key: string): KubeSlice | undefined {
    return this.#objects.EndpointSlice.get(key);
  }

  /** Whether the host name is that of a service that was told. */
  hasRecord(namespace: string, hostname: string): boolean {
    const service = serviceOfHostname(hostname, this.#context.domain);
    return service?.namespace === namespace && this.#records.has(`${namespace}/${service.name}`);
  }

  /** Whether the pod `namespace/name` is a workload that was told. */
  hasWorkload(key: string): boolean {
    return this.#workloads.has(key);
  }

  /** Whether anything changed since the last `take`; it may turn out to be the same. */
  get changed(): boolean {
    return this.#dirtyServices.size + this.#dirtyPods.size > 0;
  }

  /** Takes one object as it is now. */
  put<K extends KubeKind>(kind: K, key: string, object: KubeObjects[K]): void {
    this.#set(kind, key, object);
  }

  /** Takes note that an object is gone. */
  remove(kind: KubeKind, key: string): void {
    this.#set(kind, key, undefined);
  }

  /** Takes the whole of a kind, within one namespace if one is named: what is neither among `objects` nor in `keep` is gone. */
  replace<K extends KubeKind>(
    kind: K,
    objects: ReadonlyMap<string, KubeObjects[K]>,
    { namespace, keep }: { readonly namespace?: string | undefined; readonly keep?: ReadonlySet<string> } = {},
  ): void {
    const prefix = namespace === undefined ? "" : `${namespace}/`;
    for (const key of [...this.#objects[kind].keys()]) {
      if (key.startsWith(prefix) && !objects.has(key) && keep?.has(key) !== true) this.remove(kind, key);
    }
    for (const [key, object] of objects) this.put(kind, key, object);
  }

  /** All that is true now, and nothing is dirty any more. */
  snapshot(): Extract<RegistryUpdate, { type: "snapshot" }> {
    for (const key of this.#objects.Service.keys()) this.#dirtyServices.add(key);
    for (const key of this.#objects.Pod.keys()) this.#dirtyPods.add(key);
    this.take();
    return { type: "snapshot", records: sorted(this.#records), workloads: sorted(this.#workloads) };
  }

  /** What changed since the last `take` or `snapshot`; `undefined` where nothing did. */
  take(): RegistryUpdate | undefined {
    const records = { upserted: [] as ServiceRecord[], removed: [] as ServiceKey[] };
    for (const key of this.#dirtyServices) this.#contained(`Service ${key}`, () => this.#takeService(key, records));
    const workloads = { upserted: [] as Workload[], removed: [] as WorkloadKey[] };
    for (const key of this.#dirtyPods) this.#contained(`Pod ${key}`, () => this.#takePod(key, workloads));
    this.#dirtyServices.clear();
    this.#dirtyPods.clear();
    const changes = [records, workloads].map(({ upserted, removed }) => upserted.length + removed.length);
    if (changes.every((count) => count === 0)) return undefined;
    return {
      type: "delta",
      ...(changes[0] === 0 ? {} : { records }),
      ...(changes[1] === 0 ? {} : { workloads }),
    };
  }

  #contained(object: string, act: () => void): void {
    try {
      act();
    } catch (error) {
      if (this.#onError === undefined) throw error;
      this.#onError(object, error);
    }
  }

  #takeService(key: string, records: { readonly upserted: ServiceRecord[]; readonly removed: ServiceKey[] }): void {
    const service = this.#objects.Service.get(key);
    const before = this.#records.get(key);
    if (service === undefined || !this.isChosen(service.namespace)) {
      if (before !== undefined) records.removed.push(serviceKey(before.service));
      this.#records.delete(key);
      return;
    }
    const now = convertService(service, this.#slices.get(key)?.values() ?? [], this, this.#context);
    if (before !== undefined && sameRecord(before, now)) return;
    this.#records.set(key, now);
    records.upserted.push(now);
  }

  #takePod(key: string, workloads: { readonly upserted: Workload[]; readonly removed: WorkloadKey[] }): void {
    const pod = this.#objects.Pod.get(key);
    const before = this.#workloads.get(key);
    if (pod === undefined || !this.isChosen(pod.namespace)) {
      if (before !== undefined) workloads.removed.push(before.key);
      this.#workloads.delete(key);
      return;
    }
    const now = convertPod(pod, this, this.#context);
    if (before !== undefined && same(before, now)) return;
    this.#workloads.set(key, now);
    workloads.upserted.push(now);
  }

  /** Whether the configuration wants what is in a namespace. */
  isChosen(namespace: string): boolean {
    const { include, exclude, selector } = this.#choice;
    if (include.length > 0 && !include.includes(namespace)) return false;
    if (exclude.includes(namespace)) return false;
    if (selector === undefined) return true;
    const labels = this.#objects.Namespace.get(namespace)?.labels ?? {};
    return Object.entries(selector).every(([key, value]) => Object.hasOwn(labels, key) && labels[key] === value);
  }

  #set<K extends KubeKind>(kind: K, key: string, object: KubeObjects[K] | undefined): void {
    const map: Map<string, KubeObjects[K]> = this.#objects[kind];
    const before = map.get(key);
    if (object === undefined) map.delete(key);
    else map.set(key, object);
    switch (kind) {
      case "Service":
        this.#serviceChanged(key, object as KubeService | undefined);
        break;
      case "EndpointSlice":
        this.#sliceChanged(key, before as KubeSlice | undefined, object as KubeSlice | undefined);
        break;
      case "Pod":
        this.#podChanged(key, before as KubePod | undefined, object as KubePod | undefined);
        break;
      case "Node":
        this.#nodeChanged(key, before as KubeNode | undefined, object as KubeNode | undefined);
        break;
      case "Namespace":
        this.#namespaceChanged(key, before as KubeNamespace | undefined, object as KubeNamespace | undefined);
        break;
    }
  }

  #serviceChanged(key: string, now: KubeService | undefined): void {
    this.#dirtyServices.add(key);
    if (now?.externalName !== undefined && now.ports.length === 0) this.#aliases.add(key);
    else this.#aliases.delete(key);
    for (const alias of this.#aliases) {
      const target = serviceOfHostname(this.#objects.Service.get(alias)?.externalName ?? "", this.#context.domain);
      if (target !== undefined && `${target.namespace}/${target.name}` === key) this.#dirtyServices.add(alias);
    }
  }

  #sliceChanged(key: string, before: KubeSlice | undefined, now: KubeSlice | undefined): void {
    if (before !== undefined) {
      const service = serviceOf(before);
      this.#slices.get(service)?.delete(key);
      this.#dirtyServices.add(service);
    }
    if (now !== undefined) {
      const service = serviceOf(now);
      const slices = this.#slices.get(service) ?? new Map<string, KubeSlice>();
      this.#slices.set(service, slices.set(key, now));
      this.#dirtyServices.add(service);
      for (const pod of podsOf(now)) this.#join(pod, service);
    }
    if (before !== undefined) this.#partFrom(before);
  }

  /** Notes that a service shows a pod. Nearly all pods are of one service, so that a text is enough. */
  #join(pod: string, service: string): void {
    const known = this.#servicesOfPod.get(pod);
    if (known === undefined) this.#servicesOfPod.set(pod, service);
    else if (typeof known !== "string") known.add(service);
    else if (known !== service) this.#servicesOfPod.set(pod, new Set([known, service]));
  }

  /** Forgets which pods a slice showed, as far as no other slice of its service does. */
  #partFrom(slice: KubeSlice): void {
    const service = serviceOf(slice);
    const slices = this.#slices.get(service);
    if (slices?.size === 0) this.#slices.delete(service);
    const left = new Set([...(slices?.values() ?? [])].flatMap((other) => [...podsOf(other)]));
    for (const pod of podsOf(slice)) {
      if (left.has(pod)) continue;
      const known = this.#servicesOfPod.get(pod);
      if (known === service) this.#servicesOfPod.delete(pod);
      else if (typeof known === "object") known.delete(service);
    }
  }

  #podChanged(key: string, before: KubePod | undefined, now: KubePod | undefined): void {
    this.#dirtyPods.add(key);
    if (now !== undefined) this.#objects.Pod.set(key, this.#shared.in(now));
    // Only what instances show of their pod; readiness comes with the slice.
    const shown = (pod: KubePod | undefined) => pod && [pod.labels, pod.node, pod.serviceAccount];
    if (isDeepStrictEqual(shown(before), shown(now))) return;
    const services = this.#servicesOfPod.get(key) ?? [];
    for (const service of typeof services === "string" ? [services] : services) this.#dirtyServices.add(service);
  }

  #nodeChanged(key: string, before: KubeNode | undefined, now: KubeNode | undefined): void {
    // Kubelets touch their nodes all the time, and hardly ever a label.
    if (isDeepStrictEqual(before?.locality, now?.locality)) return;
    for (const [name, pod] of this.#objects.Pod) if (pod.node === key) this.#dirtyPods.add(name);
    for (const { namespace, service, endpoints } of this.#objects.EndpointSlice.values()) {
      const isOn = endpoints.some(({ node, pod }) => (node === "" ? this.pod(namespace, pod)?.node : node) === key);
      if (isOn) this.#dirtyServices.add(`${namespace}/${service}`);
    }
  }

  #namespaceChanged(key: string, before: KubeNamespace | undefined, now: KubeNamespace | undefined): void {
    if (isDeepStrictEqual(before?.labels, now?.labels)) return;
    const inside = (name: string) => name.startsWith(`${key}/`);
    for (const name of this.#objects.Service.keys()) if (inside(name)) this.#dirtyServices.add(name);
    for (const name of this.#objects.Pod.keys()) if (inside(name)) this.#dirtyPods.add(name);
  }
}

function serviceOf({ namespace, service }: KubeSlice): string {
  return `${namespace}/${service}`;
}

function podsOf({ endpoints, namespace }: KubeSlice): ReadonlySet<string> {
  return new Set(endpoints.flatMap(({ pod }) => (pod === "" ? [] : [`${namespace}/${pod}`])));
}

function sorted<T>(values: ReadonlyMap<string, T>): readonly T[] {
  return [...values].sort(([a], [b]) => byCodeUnit(a, b)).map(([, value]) => value);
}

function sameRecord(before: ServiceRecord, now: ServiceRecord): boolean {
  if (before.instances.length !== now.instances.length || !same(before.service, now.service)) return false;
  return before.instances.every((instance, index) => {
    const other = now.instances[index];
    return other !== undefined && same(instance, other);
  });
}

/** Equal but for the provenance: a resource version alone is no change. */
function same<T extends { readonly provenance: Provenance }>(before: T, now: T): boolean {
  return isDeepStrictEqual({ ...before, provenance: undefined }, { ...now, provenance: undefined });
}
