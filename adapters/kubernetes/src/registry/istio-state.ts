import { isDeepStrictEqual } from "node:util";
import { serviceEntryToRecords, workloadEntryToWorkload } from "@signalbox/istio-objects";
import { byCodeUnit, objectKey, serviceKey } from "@signalbox/model";
import type {
  ConfigObject,
  Delta,
  ObjectKey,
  Provenance,
  ServiceKey,
  ServiceRecord,
  Workload,
  WorkloadKey,
} from "@signalbox/model";

/** What changed of Istio's objects, and of the services and workloads that they make. */
export interface IstioChange {
  readonly objects: Delta<ObjectKey, ConfigObject>;
  readonly records: Delta<ServiceKey, ServiceRecord>;
  readonly workloads: Delta<WorkloadKey, Workload>;
}

/**
 * The Istio objects of one cluster, with the services of its ServiceEntries and the workloads of its WorkloadEntries. Where two
 * ServiceEntries of a namespace have one host, the older one counts, of two of one age the one whose name comes first.
 */
export class IstioState {
  readonly #cluster: string;
  readonly #onError: ((object: string, error: unknown) => void) | undefined;
  readonly #objects = new Map<ObjectKey, ConfigObject>();
  readonly #dirty = new Set<ObjectKey>();
  readonly #told = new Map<ObjectKey, ConfigObject>();
  /** The services that each ServiceEntry makes. */
  readonly #recordsOf = new Map<ObjectKey, ReadonlyMap<ServiceKey, ServiceRecord>>();
  /** The ServiceEntries that make a service. */
  readonly #claims = new Map<ServiceKey, Set<ObjectKey>>();
  readonly #records = new Map<ServiceKey, ServiceRecord>();
  readonly #workloads = new Map<WorkloadKey, Workload>();

  /** `cluster` is the first part of the keys of workloads. `onError` is told of an object whose conversion failed; by default the error is thrown. */
  constructor(cluster: string, onError?: (object: string, error: unknown) => void) {
    this.#cluster = cluster;
    this.#onError = onError;
  }

  /** All objects that were told, in the order of their keys. */
  get objects(): readonly ConfigObject[] {
    return [...this.#told].sort(([a], [b]) => byCodeUnit(a, b)).map(([, object]) => object);
  }

  /** The services that were told. */
  get records(): ReadonlyMap<ServiceKey, ServiceRecord> {
    return this.#records;
  }

  /** The workloads that were told. */
  get workloads(): ReadonlyMap<WorkloadKey, Workload> {
    return this.#workloads;
  }

  /** Takes one object as it is now. */
  put(object: ConfigObject): void {
    const key = objectKey(object);
    this.#objects.set(key, object);
    this.#dirty.add(key);
  }

  /** Takes note that the object `namespace/name` of a kind is gone. */
  remove(kind: string, name: string): void {
    const key = `${kind}/${name}` as ObjectKey;
    if (this.#objects.delete(key)) this.#dirty.add(key);
  }

  /** Takes the whole of a kind, within one namespace if one is named: what is neither among `objects` nor in `keep` is gone. */
  replace(
    kind: string,
    objects: ReadonlyMap<string, ConfigObject>,
    { namespace, keep }: { readonly namespace?: string | undefined; readonly keep?: ReadonlySet<string> } = {},
  ): void {
    const prefix = namespace === undefined ? `${kind}/` : `${kind}/${namespace}/`;
    for (const key of [...this.#objects.keys()]) {
      const name = key.slice(kind.length + 1);
      if (key.startsWith(prefix) && !objects.has(name) && keep?.has(name) !== true) this.remove(kind, name);
    }
    for (const object of objects.values()) this.put(object);
  }

  /** Looks at every object again: which namespaces are chosen may have changed. */
  touchAll(): void {
    for (const key of this.#objects.keys()) this.#dirty.add(key);
  }

  /** What changed since the last time, of the namespaces that are chosen. */
  take(isChosen: (namespace: string) => boolean): IstioChange {
    const objects = { upserted: [] as ConfigObject[], removed: [] as ObjectKey[] };
    const workloads = { upserted: [] as Workload[], removed: [] as WorkloadKey[] };
    const services = new Set<ServiceKey>();
    for (const key of this.#dirty) {
      const object = this.#objects.get(key);
      const now = object !== undefined && isChosen(object.namespace) ? object : undefined;
      const before = this.#told.get(key);
      if (now === undefined ? before === undefined : before !== undefined && same(before, now)) continue;
      try {
        this.#claim(key, now, services);
        this.#takeWorkload(now ?? before, now, workloads);
      } catch (error) {
        if (this.#onError === undefined) throw error;
        this.#onError(key, error);
        continue;
      }
      if (now === undefined) {
        this.#told.delete(key);
        objects.removed.push(key);
      } else {
        this.#told.set(key, now);
        objects.upserted.push(now);
      }
    }
    this.#dirty.clear();
    return { objects, records: this.#takeRecords(services), workloads };
  }

  /** Notes which services a ServiceEntry makes now; `touched` gets those that it made or makes. */
  #claim(key: ObjectKey, now: ConfigObject | undefined, touched: Set<ServiceKey>): void {
    const made = now?.kind === "ServiceEntry" ? serviceEntryToRecords(now) : [];
    const records = new Map(made.map((record) => [serviceKey(record.service), record]));
    for (const service of this.#recordsOf.get(key)?.keys() ?? []) {
      touched.add(service);
      const claims = this.#claims.get(service);
      claims?.delete(key);
      if (claims?.size === 0) this.#claims.delete(service);
    }
    if (records.size === 0) this.#recordsOf.delete(key);
    else this.#recordsOf.set(key, records);
    for (const service of records.keys()) {
      touched.add(service);
      const claims = this.#claims.get(service) ?? new Set<ObjectKey>();
      this.#claims.set(service, claims.add(key));
    }
  }

  #takeRecords(services: ReadonlySet<ServiceKey>): Delta<ServiceKey, ServiceRecord> {
    const upserted: ServiceRecord[] = [];
    const removed: ServiceKey[] = [];
    for (const service of services) {
      const [winner] = [...(this.#claims.get(service) ?? [])].sort((a, b) => this.#inOrder(a, b));
      const now = winner === undefined ? undefined : this.#recordsOf.get(winner)?.get(service);
      if (now === undefined) {
        if (this.#records.delete(service)) removed.push(service);
      } else {
        this.#records.set(service, now);
        upserted.push(now);
      }
    }
    return { upserted, removed };
  }

  #inOrder(a: ObjectKey, b: ObjectKey): number {
    const age = (key: ObjectKey) => this.#objects.get(key)?.createdAt ?? Number.POSITIVE_INFINITY;
    const [first, second] = [age(a), age(b)];
    return first === second ? byCodeUnit(a, b) : first - second;
  }

  #takeWorkload(
    subject: ConfigObject | undefined,
    now: ConfigObject | undefined,
    workloads: { readonly upserted: Workload[]; readonly removed: WorkloadKey[] },
  ): void {
    if (subject?.kind !== "WorkloadEntry") return;
    const workload = workloadEntryToWorkload(subject, { cluster: this.#cluster });
    if (now === undefined) {
      if (this.#workloads.delete(workload.key)) workloads.removed.push(workload.key);
    } else {
      this.#workloads.set(workload.key, workload);
      workloads.upserted.push(workload);
    }
  }
}

/** Equal but for the provenance: a resource version alone is no change. */
function same<T extends { readonly provenance: Provenance }>(before: T, now: T): boolean {
  return isDeepStrictEqual({ ...before, provenance: undefined }, { ...now, provenance: undefined });
}
