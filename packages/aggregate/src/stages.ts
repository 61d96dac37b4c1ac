import type { RegistryId, ServiceInstance, ServiceKey, ServiceRecord, Workload, WorkloadKey } from "@signalbox/model";
import {
  Departures,
  DriftTruth,
  driftReport,
  healthStage,
  manualStage,
  MemberIndex,
  reconcile,
  unregistered,
  OverrideBook,
  SlowStart,
  withFinding,
  type Candidate,
  type CandidateRecord,
  type DriftContext,
  type DriftObservation,
  type DriftReport,
  type Hold,
  type ReportedVerdict,
  type SavedSlowStart,
} from "@signalbox/policy";
import type { RegistryUpdate } from "@signalbox/registry";
import type { Steps } from "@signalbox/slices";
import type { CatalogRules } from "./options.ts";
import type { ListedEndpoint } from "./registrations.ts";

/** What stages work with. */
export interface StagesOptions {
  readonly rules: CatalogRules;
  /** What is held of what a registry says about a canonical service, by the id of the instance. */
  heldOf(registry: RegistryId, key: ServiceKey): ReadonlyMap<string, Hold>;
  /** Slow starts from before a restart. */
  readonly slowStarts: readonly SavedSlowStart[];
  /** Told when there is something else to be kept of slow starts. */
  slowStartsChanged(): void;
}

/**
 * The stages between what registries say and the merge, with all that they remember: health, people's overrides, drift, guards. A service
 * goes through them whenever something about it changed.
 */
export class Stages {
  readonly overrides = new OverrideBook();
  readonly departures = new Departures();
  readonly slowStart: SlowStart;
  readonly #options: StagesOptions;
  readonly #truth: DriftTruth | undefined;
  readonly #members = new MemberIndex();
  /** What was last listed under a service, by registry and place. */
  readonly #listed = new Map<ServiceKey, ReadonlyMap<string, Listed>>();
  readonly #workloads = new Map<RegistryId, Map<WorkloadKey, Workload>>();
  readonly #due = new Map<ServiceKey, number>();

  constructor(options: StagesOptions) {
    this.#options = options;
    this.slowStart = new SlowStart(options.slowStarts);
    const { drift } = options.rules;
    this.#truth = drift && new DriftTruth(drift);
    for (const { registry } of drift?.clusters ?? []) this.#workloads.set(registry, new Map());
  }

  /**
   * Takes in what a registry says about workloads, one in each step. Returns the services whose endpoints may be judged differently now. Until it
   * is over, nothing may be decided on verdicts: who moved from one workload to another may seem to be gone in between.
   */
  *workloads(id: RegistryId, update: RegistryUpdate, now: number): Steps<ReadonlySet<ServiceKey>> {
    const known = this.#workloads.get(id);
    const touched = new Set<ServiceKey>();
    if (known === undefined || this.#truth === undefined) return touched;
    const change = (key: WorkloadKey, after: Workload | undefined): void => {
      const before = known.get(key);
      if (before === after) return;
      if (after === undefined) known.delete(key);
      else known.set(key, after);
      this.#touchAt(this.#truth?.update(id, before, after, now) ?? [], touched);
    };
    if (update.type === "snapshot") {
      const next = new Map((update.workloads ?? []).map((workload) => [workload.key, workload]));
      for (const key of [...known.keys()]) {
        if (next.has(key)) continue;
        change(key, undefined);
        yield;
      }
      for (const [key, workload] of next) {
        change(key, workload);
        yield;
      }
    } else {
      for (const key of update.workloads?.removed ?? []) {
        change(key, undefined);
        yield;
      }
      for (const workload of update.workloads?.upserted ?? []) {
        change(workload.key, workload);
        yield;
      }
    }
    return touched;
  }

  /** A complete read of a registry ended. Returns the services whose endpoints are judged differently because of it. */
  wasRead(id: RegistryId, now: number): ReadonlySet<ServiceKey> {
    const touched = new Set<ServiceKey>();
    this.#touchAt(this.#truth?.read(id, now) ?? [], touched);
    return touched;
  }

  /** Whether a registry may be believed now. Returns the services whose endpoints are judged differently because of it. */
  trust(id: RegistryId, trusted: boolean): Iterable<ServiceKey> {
    return this.#truth?.trust(id, trusted) === true ? this.#listed.keys() : [];
  }

  /** Whether the workloads say that an endpoint of a registry is gone. */
  isGone(key: ServiceKey, instance: ServiceInstance, now: number): boolean {
    const { registry } = instance.provenance;
    const verdict = this.#truth?.verdict(instance, registry, nameOf(key), this.#members, now).verdict;
    return verdict === "GHOST" || verdict === "TERMINATING" || verdict === "IMPOSTOR";
  }

  /** Takes in what registries say about a service. Returns the other services whose endpoints are judged differently because of it. */
  see(key: ServiceKey, records: readonly ServiceRecord[], now: number): ReadonlySet<ServiceKey> {
    this.departures.see(key, records, now);
    const others = new Set<ServiceKey>();
    if (this.#truth === undefined) return others;
    const before = this.#listed.get(key) ?? new Map<string, Listed>();
    const after = new Map(
      records.map(({ instances, service }, place): [string, Listed] => {
        const { registry } = service.provenance;
        return [`${registry} ${place} ${key}`, { registry, instances }];
      }),
    );
    const { name } = nameOf(key);
    for (const [id, { instances, registry }] of before) {
      if (after.has(id)) continue;
      this.#truth.listed(registry, instances, [], now);
      this.#touchAt(this.#members.update(registry, id, undefined), others);
    }
    for (const [id, { instances, registry }] of after) {
      const known = before.get(id)?.instances;
      if (known === instances) continue;
      this.#truth.listed(registry, known ?? [], instances, now);
      this.#touchAt(this.#members.update(registry, id, { service: key, name, instances }), others);
    }
    if (after.size === 0) this.#listed.delete(key);
    else this.#listed.set(key, after);
    others.delete(key);
    return others;
  }

  /** The verdicts on all endpoints that are checked, as the drift stage sees them. `recordsOf` as they were last seen. */
  driftReport(
    recordsOf: (key: ServiceKey) => readonly CandidateRecord[],
    shows: (verdict: ReportedVerdict) => boolean,
    now: number,
  ): DriftReport {
    const truth = this.#truth;
    if (truth === undefined) return { rows: [], counts: [] };
    return driftReport(this.#observations(truth, recordsOf, now), shows);
  }

  /** One by one, so that they need not all be kept at once. */
  *#observations(
    truth: DriftTruth,
    recordsOf: (key: ServiceKey) => readonly CandidateRecord[],
    now: number,
  ): Generator<DriftObservation> {
    const about = { members: this.#members, truth };
    for (const service of this.#listed.keys()) {
      for (const record of recordsOf(service)) {
        if (!truth.checks(record.registry)) continue;
        const instances = record.candidates.map(({ instance }) => instance);
        yield {
          service,
          reconciliation: reconcile(record, this.#driftContext(truth, service, now)),
          unregistered: unregistered(service, instances, about),
        };
      }
    }
  }

  /** What becomes of the endpoints of a service before they are merged. `records` as they were last seen; `expired`: too old to be heard. */
  candidates(
    key: ServiceKey,
    records: readonly ServiceRecord[],
    expired: ReadonlyMap<RegistryId, number>,
    now: number,
  ): readonly CandidateRecord[] {
    const rules = this.#options.rules.of(key);
    let staged: readonly CandidateRecord[] = records.map(asCandidates);
    staged = this.departures.drain(key, staged, rules.health.drainForMs, now);
    staged =
      rules.merge.type === "authoritative"
        ? // Whoever only stands in the shadow has no say.
          staged.flatMap((record) => healthStage([record], rules.health, expired))
        : healthStage(staged, rules.health, expired);
    staged = manualStage(staged, this.overrides.of(key));
    const due = [this.departures.dueAt(key, rules.health.drainForMs, now)];
    const truth = this.#truth;
    if (truth !== undefined) {
      const context = this.#driftContext(truth, key, now);
      staged = staged.map((record) => {
        if (!truth.checks(record.registry)) return record;
        const reconciled = reconcile(record, context);
        due.push(reconciled.dueAt);
        return reconciled.record;
      });
    }
    staged = staged.map((record) => this.#guarded(key, record));
    // Last, because only now it is known who can take traffic.
    const started = this.slowStart.take(key, rules.slowStart, staged, now);
    if (started.changed) this.#options.slowStartsChanged();
    staged = started.records;
    due.push(started.dueAt);
    const times = due.filter((at) => at !== undefined);
    if (times.length === 0) this.#due.delete(key);
    else this.#due.set(key, Math.min(...times));
    return staged;
  }

  /** Since when an endpoint is a ghost at this moment, in epoch milliseconds; undefined where it is none, or nobody can say. */
  ghostSince({ instance, registry, service }: ListedEndpoint, now: number): number | undefined {
    const said = this.#truth?.verdict(instance, registry, nameOf(service), this.#members, now);
    return said?.verdict === "GHOST" ? said.since : undefined;
  }

  /** When time alone changes what becomes of a service that was looked at last; undefined: never. */
  dueAt(key: ServiceKey): number | undefined {
    return this.#due.get(key);
  }

  #driftContext(truth: DriftTruth, key: ServiceKey, now: number): DriftContext {
    return { truth, actions: this.#options.rules.of(key).drift, service: nameOf(key), members: this.#members, now };
  }

  #touchAt(ips: readonly string[], touched: Set<ServiceKey>): void {
    for (const ip of ips) for (const { service } of this.#members.at(ip)) touched.add(service);
  }

  #guarded(key: ServiceKey, record: CandidateRecord): CandidateRecord {
    const held = this.#options.heldOf(record.registry, key);
    if (held.size === 0) return record;
    const candidates = record.candidates.map((candidate) => {
      const hold = held.get(candidate.instance.id);
      return hold === undefined ? candidate : withFinding(candidate, "guard", "HELD", hold.since);
    });
    return { ...record, candidates };
  }
}

interface Listed {
  readonly registry: RegistryId;
  readonly instances: readonly ServiceInstance[];
}

const noFindings: Candidate["findings"] = Object.freeze([]);

/** What a registry says about a service, before any stage. */
export function asCandidates({ instances, service }: ServiceRecord): CandidateRecord {
  const { registry } = service.provenance;
  return {
    registry,
    service,
    candidates: instances.map((instance) => ({ instance, registry, findings: noFindings, priority: 0 })),
  };
}

function nameOf(key: ServiceKey): { readonly namespace: string; readonly hostname: string; readonly name: string } {
  const slash = key.indexOf("/");
  const hostname = key.slice(slash + 1);
  return { namespace: key.slice(0, slash), hostname, name: hostname.split(".", 1)[0] ?? "" };
}
