import type { RegistryId, ServiceKey, ServiceRecord } from "@signalbox/model";
import {
  explainMerge,
  lintService,
  type CandidateRecord,
  type Collision,
  type DriftReport,
  type GuardRuling,
  type GuardStatus,
  type Override,
  type ReportedVerdict,
  type SavedSlowStart,
  type ServiceExplanation,
  type ServiceNames,
  type ServiceRules,
} from "@signalbox/policy";
import type { Clock, ShardContent } from "@signalbox/registry";
import type { Assembly } from "./assembly.ts";
import { explainCandidates } from "./explain-candidates.ts";
import type { Guards } from "./guards.ts";
import type { AggregateInput } from "./input.ts";
import type { CatalogRules } from "./options.ts";
import type { RampStatus, SavedRamp } from "./ramp-status.ts";
import type { Ramps } from "./ramps.ts";
import type { ShardStore } from "./shard.ts";
import { asCandidates } from "./stages.ts";
import type { Stages } from "./stages.ts";
import type { Withdrawals, WithdrawalsStatus } from "./withdrawals.ts";

/** What was decided about the catalog and why, and people's say in it. */
export interface Decisions {
  /** Why a service is as it is now; undefined where nobody knows it. It goes through the stages once more for that. */
  explain(service: ServiceKey): ServiceExplanation | undefined;
  /** What the registries say about a service, under its canonical name, highest precedence first. */
  said(service: ServiceKey): readonly ServiceRecord[];
  /** All that each registry says now, as it is believed. Registries without anything are left out. */
  contents(): readonly (ShardContent & { readonly registry: RegistryId })[];
  /**
   * The endpoints that were compared with the workloads of a cluster, and how many there are of each verdict. `shows` says which verdicts get
   * rows; all by default.
   */
  drift(shows?: (verdict: ReportedVerdict) => boolean): DriftReport;
  /** What is held of sources that suddenly list less. */
  guards(): readonly GuardStatus[];
  /** A person's ruling on a guard. Throws a NoGuardError. */
  decideGuard(id: string, ruling: GuardRuling, author: string): void;
  /** People's overrides that hold now. */
  overrides(): readonly Override[];
  /** Takes an override in; it has an effect at once, and ends by itself. */
  addOverride(override: Override): void;
  /** Ends an override. Throws an UnknownOverrideError. */
  removeOverride(id: string, author: string): void;
  /** How far the ramp of a service is; undefined where there is none, or nobody knows the service yet. */
  ramp(service: ServiceKey): RampStatus | undefined;
  /** How far all ramps are, to be kept over restarts. */
  ramps(): readonly SavedRamp[];
  /** Takes back the last step of a ramp, at once; it stays there until it is resumed. Throws a NoRampError. */
  rollbackRamp(service: ServiceKey, author: string): void;
  /** Lets a ramp go on that was rolled back; any other one stays as it is. Throws a NoRampError. */
  resumeRamp(service: ServiceKey, author: string): void;
  /** How withdrawals of ghosts are; undefined where sources are told nothing. */
  withdrawals(): WithdrawalsStatus | undefined;
  /** Lets withdrawals go on that stopped by themselves. False where there was nothing to resume. */
  resumeWithdrawals(author: string): boolean;
  /** Endpoints that are not at their full weight yet, to be kept over restarts. */
  slowStarts(): readonly SavedSlowStart[];
  /** The rules of a service that hold now. */
  rules(service: ServiceKey): ServiceRules;
  /** Services of one registry that could not have the name they want. */
  collisions(): readonly Collision[];
}

/** What decisions work with. */
export interface DecisionsOptions {
  readonly clock: Clock;
  readonly rules: CatalogRules;
  readonly names: ServiceNames;
  readonly shards: ShardStore;
  readonly stages: Stages;
  readonly guards: Guards;
  readonly ramps: Ramps;
  readonly withdrawals: Withdrawals | undefined;
  readonly assembly: Pick<Assembly, "recordsOf">;
  /** Has what is under way be done before this returns: guards take no ruling in the middle of an update. */
  settle(): void;
  /** These services are to be looked at again. */
  touch(services: Iterable<ServiceKey>): void;
  /** Guards, overrides or withdrawals have another time at which they change by themselves. */
  rescheduled(): void;
  onInput(input: AggregateInput): void;
}

/** Makes the decisions of an aggregate. */
export function createDecisions(options: DecisionsOptions): Decisions {
  const { clock, guards, names, ramps, rules, shards, stages } = options;
  const { overrides } = stages;
  return {
    explain: (service) => explain(service, options),
    said: (service) => options.assembly.recordsOf(service),
    contents: () =>
      shards
        .ids()
        .map((registry) => ({ registry, ...shards.contentOf(registry) }))
        // One that says nothing has perhaps not spoken yet, which is not the same as having nothing.
        .filter(({ objects, records, workloads }) => records.length + workloads.length + objects.length > 0),
    drift: (shows = () => true) =>
      stages.driftReport((key) => options.assembly.recordsOf(key).map(asCandidates), shows, clock.now()),
    guards: () => guards.status(),
    decideGuard: (id, ruling, author) => {
      options.settle();
      const at = clock.now();
      guards.decide(id, ruling, at, author);
      options.onInput({ at, type: "guard", id, ruling, author });
      options.rescheduled();
    },
    overrides: () => overrides.all(),
    addOverride: (override) => {
      overrides.add(override);
      options.onInput({ at: clock.now(), type: "override", override });
      options.rescheduled();
      options.touch([override.service]);
    },
    removeOverride: (id, author) => {
      const { service } = overrides.remove(id);
      options.onInput({ at: clock.now(), type: "override-removed", id, author });
      options.rescheduled();
      options.touch([service]);
    },
    ramp: (service) => ramps.status(service, clock.now()),
    ramps: () => ramps.saved(),
    rollbackRamp: (service, author) => {
      ramps.rollback(service, author, clock.now());
      options.touch([service]);
    },
    resumeRamp: (service, author) => {
      ramps.resume(service, author, clock.now());
      options.touch([service]);
    },
    withdrawals: () => options.withdrawals?.status(),
    resumeWithdrawals: (author) => {
      const resumed = options.withdrawals?.resume(author) === true;
      if (resumed) options.rescheduled();
      return resumed;
    },
    slowStarts: () => stages.slowStart.saved(clock.now()),
    rules: (service) => rules.of(service),
    collisions: () => names.collisions(),
  };
}

function explain(
  service: ServiceKey,
  { assembly, clock, names, ramps, shards, stages }: DecisionsOptions,
): ServiceExplanation | undefined {
  const records = assembly.recordsOf(service);
  const departures = stages.departures.of(service);
  if (records.length === 0 && departures.length === 0) return undefined;
  const expired = shards.expired();
  const now = clock.now();
  const staged = stages.candidates(service, records, expired, now);
  const merge = ramps.ruleOf(service, now);
  const merged = explainMerge({ key: service, records: staged, rule: merge, expired });
  return {
    service,
    aliases: names.aliasesOf(service),
    identities: identitiesOf(service, staged, shards, names),
    merge,
    ...(merged.entry?.unserved && { unserved: merged.entry.unserved }),
    candidates: explainCandidates(records, staged, merged),
    conflicts: merged.conflicts,
    lints: merged.entry === undefined ? [] : lintService(merged.entry.service, staged, shards.virtualAddresses()),
    departures,
  };
}

function identitiesOf(
  service: ServiceKey,
  staged: readonly CandidateRecord[],
  shards: ShardStore,
  names: ServiceNames,
): ServiceExplanation["identities"] {
  const registries = new Set<RegistryId>(staged.map(({ registry }) => registry));
  return [...registries].flatMap((registry) =>
    shards.ownKeys(registry, service).map((own) => {
      const rule = names.nameOf(registry, own)?.identity.rule;
      return { registry, name: own, ...(rule !== undefined && { rule }) };
    }),
  );
}
