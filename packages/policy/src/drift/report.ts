import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { RegistryId, ServiceKey, WorkloadKey } from "@signalbox/model";
import type { Verdict } from "../rules.ts";
import type { DriftDecision, Reconciliation } from "./stage.ts";
import type { Unregistered } from "./unregistered.ts";

/** What the drift stage found in one record. */
export interface DriftObservation {
  readonly service: ServiceKey;
  readonly reconciliation: Reconciliation;
  /** What the registry of the record does not list. */
  readonly unregistered?: readonly Unregistered[];
}

/** A verdict on an endpoint, or `UNREGISTERED`: a workload that serves the service and is no endpoint. */
export type ReportedVerdict = Verdict | "UNREGISTERED";

/** One endpoint or workload. */
export interface DriftRow {
  readonly service: ServiceKey;
  readonly registry: RegistryId;
  /** As `instanceKey` writes it. */
  readonly address: string;
  readonly verdict: ReportedVerdict;
  readonly action: DriftDecision;
  /** Epoch milliseconds; absent where it is not known. */
  readonly since?: number;
  readonly detail: string;
  readonly workload?: WorkloadKey;
}

/** How many there are. */
export interface DriftCount {
  readonly service: ServiceKey;
  readonly registry: RegistryId;
  readonly verdict: ReportedVerdict;
  readonly count: number;
}

/** What the workloads say about everything that is checked. */
export interface DriftReport {
  readonly rows: readonly DriftRow[];
  /** Of all verdicts, also those without rows; none with 0. */
  readonly counts: readonly DriftCount[];
}

/**
 * Puts together what the drift stage found. Pure. Sorted by service, registry, address, verdict. `shows` says which verdicts get rows;
 * by default all but `CONFIRMED`.
 */
export function driftReport(
  observations: Iterable<DriftObservation>,
  shows: (verdict: ReportedVerdict) => boolean = (verdict) => verdict !== "CONFIRMED",
): DriftReport {
  const rows: DriftRow[] = [];
  const counts = new Map<string, DriftCount>();
  for (const observation of observations) {
    for (const one of countsOf(observation)) {
      const id = [one.service, one.registry, one.verdict].join("\0");
      counts.set(id, { ...one, count: one.count + (counts.get(id)?.count ?? 0) });
    }
    for (const row of rowsOf(observation, shows)) rows.push(row);
  }
  return {
    rows: rows.sort(byPlace),
    counts: [...counts].sort(([a], [b]) => byCodeUnit(a, b)).map(([, one]) => one),
  };
}

function* countsOf({ reconciliation, service, unregistered = [] }: DriftObservation): Generator<DriftCount> {
  const counts = new Map<ReportedVerdict, number>();
  for (const { verdict } of reconciliation.verdicts) counts.set(verdict, (counts.get(verdict) ?? 0) + 1);
  if (unregistered.length > 0) counts.set("UNREGISTERED", unregistered.length);
  const { registry } = reconciliation.record;
  for (const [verdict, count] of counts) yield { service, registry, verdict, count };
}

/** Only what is shown is made: there may be many thousands of endpoints of which only the number matters. */
function* rowsOf(
  { reconciliation, service, unregistered = [] }: DriftObservation,
  shows: (verdict: ReportedVerdict) => boolean,
): Generator<DriftRow> {
  const { record, verdicts, decisions } = reconciliation;
  const { registry } = record;
  for (const [index, { instance }] of record.candidates.entries()) {
    const said = verdicts[index];
    if (said === undefined || !shows(said.verdict)) continue;
    const { dueAt: _, ...verdict } = said;
    const address = instanceKey(instance.addresses[0]);
    yield { service, registry, address, action: decisions[index] ?? "none", ...verdict };
  }
  if (!shows("UNREGISTERED")) return;
  for (const { address, cluster, workload } of unregistered) {
    const detail = `${workload} of ${cluster} is ready, and ${registry} does not list it`;
    yield { service, registry, address, verdict: "UNREGISTERED", action: "report", detail, workload };
  }
}

function byPlace(a: DriftRow, b: DriftRow): number {
  const keys = (row: DriftRow) => [row.service, row.registry, row.address, row.verdict, row.workload ?? "", row.detail];
  return byCodeUnit(keys(a).join("\0"), keys(b).join("\0"));
}
