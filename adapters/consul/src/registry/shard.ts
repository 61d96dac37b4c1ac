import { isDeepStrictEqual } from "node:util";
import { byCodeUnit, serviceKey, type RegistryId, type ServiceKey } from "@signalbox/model";
import { isAborted, SourceError, type Problem, type RegistryDeps, type RegistrySink } from "@signalbox/registry";
import type { ServiceRecord } from "@signalbox/model";
import type { ConsulScope } from "../client.ts";
import type { ConsulConfig } from "../config.ts";
import { assembleRecord, conflictingPorts, HostParts, type ConsulEndpoint } from "../convert.ts";

/** What reads the source: the list of a scope, or one service of it. */
export interface Reader {
  /** For messages. */
  readonly name: string;
}

/** One service as all datacenters see it. */
interface ServiceState {
  readonly name: string;
  readonly tenancy: Tenancy;
  readonly parts: Map<Reader, { readonly endpoints: readonly ConsulEndpoint[]; readonly version: string }>;
  key?: ServiceKey | undefined;
  /** The record as it was made last. */
  record?: ServiceRecord | undefined;
}

/** One namespace of one partition: in it, service names are unique over all datacenters. */
interface Tenancy {
  readonly scope: Pick<ConsulScope, "namespace" | "partition">;
  readonly services: Map<string, ServiceState>;
  readonly hosts: HostParts;
}

/** What a shard works with. */
export interface ShardOptions {
  readonly config: ConsulConfig;
  readonly registry: RegistryId;
  readonly deps: RegistryDeps;
  readonly sink: RegistrySink;
  readonly signal: AbortSignal;
}

/**
 * All that one run of the registry knows, and the only one that speaks to its sink. It says the snapshot when every reader has
 * read once, then deltas; `alive` when every reader has found nothing new since the last time.
 */
export class Shard {
  readonly #options: ShardOptions;
  readonly #tenancies = new Map<string, Tenancy>();
  /** Readers that have not read since the last `alive`; before the snapshot, in this run. */
  #due = new Set<Reader>();
  readonly #readers = new Set<Reader>();
  readonly #failing = new Map<Reader, SourceError>();
  #synced = false;

  constructor(options: ShardOptions) {
    this.#options = options;
  }

  /** Takes a reader into account: nothing is complete before it has read. */
  join(reader: Reader): void {
    this.#readers.add(reader);
    this.#due.add(reader);
  }

  /** Forgets a reader and what it said. */
  leave(reader: Reader, scope: ConsulScope, name?: string): void {
    this.#readers.delete(reader);
    this.#due.delete(reader);
    this.#failing.delete(reader);
    const tenancy = this.#tenancy(scope);
    const state = name === undefined ? undefined : tenancy.services.get(name.toLowerCase());
    if (state?.parts.delete(reader) === true) {
      if (state.parts.size > 0) this.#tell([state]);
      else {
        tenancy.services.delete(state.name.toLowerCase());
        this.#tell([state, ...this.#states(tenancy, tenancy.hosts.remove(state.name))]);
      }
    }
    this.#settle();
  }

  /** A reader has read all instances of its service. */
  read(
    reader: Reader,
    service: { readonly scope: ConsulScope; readonly name: string },
    answer: { readonly endpoints: readonly ConsulEndpoint[]; readonly version: string },
  ): void {
    const tenancy = this.#tenancy(service.scope);
    const id = service.name.toLowerCase();
    let state = tenancy.services.get(id);
    let touched: readonly ServiceState[] = [];
    if (state === undefined) {
      state = { name: service.name, tenancy, parts: new Map() };
      tenancy.services.set(id, state);
      touched = this.#states(tenancy, tenancy.hosts.add(service.name));
      if (tenancy.hosts.collides(service.name) || touched.length > 0) {
        this.#options.deps.logger.warn("consul-name-collision", { service: service.name });
      }
    }
    state.parts.set(reader, answer);
    this.#tell([state, ...touched]);
    this.fresh(reader);
  }

  /** A reader has read all it should. */
  fresh(reader: Reader): void {
    this.#failing.delete(reader);
    this.#due.delete(reader);
    this.#settle();
  }

  /**
   * A reader could not read, or must not believe what it read. What is known stays. With `known`, that is all there will be for
   * a while, so that the snapshot does not wait for more.
   */
  failed(
    reader: Reader,
    error: SourceError,
    options: { readonly always?: boolean; readonly known?: boolean } = {},
  ): void {
    const { deps, sink, signal } = this.#options;
    deps.metrics.counter("consul_read_errors_total", { problem: error.problem });
    deps.logger.debug("consul-read-failed", { registry: this.#options.registry, reader: reader.name, error });
    const isNew = ![...this.#failing.values()].some(({ problem }) => problem === error.problem);
    this.#failing.set(reader, error);
    if (this.#synced || options.known !== true) this.#due.add(reader);
    // A thousand services that fail for one reason are one thing to say.
    if (!signal.aborted && (isNew || options.always === true)) sink.degraded(error.problem, error);
  }

  #settle(): void {
    const { sink, signal } = this.#options;
    if (signal.aborted || this.#due.size > 0 || this.#readers.size === 0) return;
    this.#due = new Set(this.#readers);
    if (this.#synced) {
      sink.alive();
      return;
    }
    this.#synced = true;
    const states = [...this.#tenancies.values()].flatMap(({ services }) => [...services.values()]);
    const records = states.flatMap((state) => {
      const record = this.#record(state);
      return record === undefined ? [] : [record];
    });
    sink.push({ type: "snapshot", records: records.sort(byKey) });
    this.#tellFailure();
  }

  /** Says what changed in these services, in one delta. */
  #tell(states: readonly ServiceState[]): void {
    const { sink, signal } = this.#options;
    if (!this.#synced || signal.aborted) return;
    const upserted: ServiceRecord[] = [];
    const removed: ServiceKey[] = [];
    for (const state of states) {
      const { key, record: before } = state;
      const record = this.#record(state);
      if (key !== undefined && key !== state.key) removed.push(key);
      if (record !== undefined && record !== before) upserted.push(record);
    }
    if (upserted.length + removed.length === 0) return;
    const taken = new Set(upserted.map(({ service }) => serviceKey(service)));
    sink.push({
      type: "delta",
      records: { upserted: upserted.sort(byKey), removed: removed.filter((key) => !taken.has(key)).sort(byCodeUnit) },
    });
    this.#tellFailure();
  }

  /** What was pushed is true, but it does not make the source whole. */
  #tellFailure(): void {
    const { sink, signal } = this.#options;
    const [failure] = this.#failing.values();
    if (failure !== undefined && !isAborted(signal)) sink.degraded(failure.problem, failure);
  }

  /** The record of a service as it is now, and the one from before where its content is the same; notes it and its key. */
  #record(state: ServiceState): ServiceRecord | undefined {
    const { config, deps } = this.#options;
    const { name, tenancy, parts } = state;
    const endpoints = merged([...parts.values()].map((part) => part.endpoints));
    // What an earlier run left names the versions of all its parts.
    const versions = new Set([...parts.values()].flatMap(({ version }) => version.split(",")));
    const sourceVersion = [...versions].join(",");
    const record = assembleRecord(
      { name, hostPart: tenancy.hosts.of(name), scope: tenancy.scope, endpoints, sourceVersion },
      this.#options,
    );
    if (record !== undefined && state.record !== undefined && isSame(state.record, record)) return state.record;
    state.record = record;
    state.key = record && serviceKey(record.service);
    if (record === undefined) return undefined;
    for (const port of conflictingPorts(endpoints, config)) {
      deps.metrics.counter("consul_objects_rejected_total", { reason: "protocol" });
      deps.logger.warn("consul-protocol-conflict", { service: name, port });
    }
    return record;
  }

  #tenancy({ namespace, partition }: ConsulScope): Tenancy {
    const id = JSON.stringify([partition ?? "default", namespace ?? "default"]);
    let tenancy = this.#tenancies.get(id);
    if (tenancy === undefined) {
      tenancy = { scope: { namespace, partition }, services: new Map(), hosts: new HostParts() };
      this.#tenancies.set(id, tenancy);
    }
    return tenancy;
  }

  #states(tenancy: Tenancy, names: readonly string[]): readonly ServiceState[] {
    return names.flatMap((name) => tenancy.services.get(name.toLowerCase()) ?? []);
  }
}

/** The problem with a source, whatever was thrown. */
export function toSourceError(thrown: unknown): SourceError {
  if (thrown instanceof SourceError) return thrown;
  const problem: Problem = thrown instanceof SyntaxError ? "PROTOCOL_ERROR" : "UNREACHABLE";
  return new SourceError(problem, thrown instanceof Error ? thrown.message : "the source failed", { cause: thrown });
}

/** The endpoints of several datacenters, by id; two scopes may turn out to be the same one. */
function merged(parts: readonly (readonly ConsulEndpoint[])[]): readonly ConsulEndpoint[] {
  const [first = [], ...rest] = parts;
  if (rest.length === 0) return first;
  const all = new Map(parts.flat().map((endpoint) => [endpoint.id, endpoint]));
  return [...all.values()].sort((a, b) => byCodeUnit(a.id, b.id));
}

/** Equal but for the source's own version, which is no content. */
function isSame(before: ServiceRecord, now: ServiceRecord): boolean {
  const content = ({ service, instances }: ServiceRecord) => {
    const { registry, object } = service.provenance;
    return [{ ...service, provenance: { registry, object } }, instances];
  };
  return isDeepStrictEqual(content(before), content(now));
}

function byKey(a: ServiceRecord, b: ServiceRecord): number {
  return byCodeUnit(serviceKey(a.service), serviceKey(b.service));
}
