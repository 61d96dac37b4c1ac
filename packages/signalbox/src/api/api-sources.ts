import { randomUUID } from "node:crypto";
import { NoRampError, type AggregateController, type RampStatus, type WithdrawalsStatus } from "@signalbox/aggregate";
import type { AcceptedWrite, ApiSources, RampStatus as RampView, Written } from "@signalbox/api";
import {
  fits,
  migrationReport,
  NoGuardError,
  UnknownOverrideError,
  type GuardStatus,
  type MergeRule,
  type MigrationRules,
  type MigrationCandidate,
  type MigrationSide,
  type RampRule,
  type ServiceExplanation,
} from "@signalbox/policy";
import type { Clock } from "@signalbox/registry";
import type { ParityWatch } from "./parity-watch.ts";

/** What the API's sources are made of. */
export interface ApiSourcesOptions {
  readonly aggregate: AggregateController;
  readonly clock: Clock;
  /** Since when registries have been in parity. It sees every change of the aggregate's services. */
  readonly parity: ParityWatch;
  /** Why this process takes no writes now, for people; undefined where it does. */
  readonly refusal?: () => string | undefined;
  /** Told of every write that was accepted. */
  readonly journalled?: (write: AcceptedWrite) => void;
  /** The newest entries of the journal; absent where there is none. */
  readonly journal?: NonNullable<ApiSources["journal"]>;
}

/** What must hold before a service may move, where nobody says otherwise. */
const migrationRules: MigrationRules = { parity: 0.95, forMs: 0 };

/** What the API shows of an aggregate, and may do to it. */
export function apiSources({ aggregate, clock, journal, journalled, parity, refusal }: ApiSourcesOptions): ApiSources {
  const { decisions } = aggregate;
  return {
    catalog: () => aggregate.catalog(),
    sources: () => aggregate.status(),
    collisions: () => decisions.collisions(),
    explain: (service) => decisions.explain(service),
    drift: () => decisions.drift().rows,
    guards: () => decisions.guards().map(guardView),
    decideGuard: (id, decision, author) => {
      const reason = refusal?.();
      if (reason !== undefined) return { type: "refused", reason };
      const before = decisions.guards().find((guard) => guard.id === id);
      if (before === undefined) return { type: "absent" };
      const ruling = decision.type === "accept" ? decision : ({ type: "extend", untilMs: decision.until } as const);
      return written(() => {
        decisions.decideGuard(id, ruling, author);
        return guardView(decisions.guards().find((guard) => guard.id === id) ?? letGo(before));
      });
    },
    ...(decisions.withdrawals() && withdrawalSources(aggregate, refusal)),
    overrides: () => decisions.overrides(),
    addOverride: (override) => {
      const reason = refusal?.();
      if (reason !== undefined) return { type: "refused", reason };
      const made = { ...override, id: randomUUID() };
      decisions.addOverride(made);
      return { type: "done", value: made };
    },
    removeOverride: (id, author) => {
      const reason = refusal?.();
      if (reason !== undefined) return { type: "refused", reason };
      return written(() => {
        const override = decisions.overrides().find((one) => one.id === id);
        if (override === undefined) throw new UnknownOverrideError(id);
        decisions.removeOverride(id, author);
        return override;
      });
    },
    migration: (service, sides) => {
      const explained = decisions.explain(service);
      const { from, to } = { ...(sidesOfRamp(decisions.rules(service).ramp) ?? sidesOf(explained?.merge)), ...sides };
      if (explained === undefined || from === undefined || to === undefined) return undefined;
      const side = (pattern: string): MigrationSide => sideOf(aggregate, explained, pattern);
      const rules = decisions.rules(service).migration ?? migrationRules;
      const now = clock.now();
      const paritySince = parity.since({ service, from, to, parity: rules.parity }, explained.candidates, now);
      const ramp = decisions.ramp(service);
      return {
        report: migrationReport({
          service,
          from: side(from),
          to: side(to),
          now,
          ...(paritySince !== undefined && { paritySince }),
          rules,
        }),
        ...(ramp && { ramp: rampView(ramp) }),
      };
    },
    rampAction: (service, action, author) => {
      const reason = refusal?.();
      if (reason !== undefined) return { type: "refused", reason };
      const before = decisions.ramp(service);
      if (before === undefined) return { type: "absent" };
      if (action === "resume" && before.state !== "ROLLED_BACK")
        return { type: "refused", reason: notRolledBack(before) };
      return written(() => {
        if (action === "rollback") decisions.rollbackRamp(service, author);
        else decisions.resumeRamp(service, author);
        return rampView(decisions.ramp(service) ?? before);
      });
    },
    ...(journal && { journal }),
    ...(journalled && { journalled }),
  };
}

/** Whether there are withdrawals does not change while the process runs. */
function withdrawalSources(
  { decisions }: AggregateController,
  refusal: ApiSourcesOptions["refusal"],
): Required<Pick<ApiSources, "resumeWithdrawals" | "withdrawals">> {
  const withdrawals = (): WithdrawalsStatus => {
    const status = decisions.withdrawals();
    if (status === undefined) throw new TypeError("withdrawals went away");
    return status;
  };
  return {
    withdrawals,
    resumeWithdrawals: (author) => {
      const reason = refusal?.();
      if (reason !== undefined) return { type: "refused", reason };
      return decisions.resumeWithdrawals(author)
        ? { type: "done", value: withdrawals() }
        : { type: "refused", reason: "they did not stop" };
    },
  };
}

/** From the first registry of the first step to the last of the last one, which may have only that. */
function sidesOfRamp(ramp: RampRule | undefined): { readonly from: string; readonly to: string } | undefined {
  const [from, to] = [ramp?.steps[0]?.shares[0]?.registry, ramp?.steps.at(-1)?.shares.at(-1)?.registry];
  return from === undefined || to === undefined || from === to ? undefined : { from, to };
}

/** From where to where a service moves, by its merge rule: the last one of a list is the target. */
function sidesOf(merge: MergeRule | undefined): { readonly from?: string; readonly to?: string } {
  const order =
    merge?.type === "split"
      ? merge.shares.map(({ registry }) => registry)
      : merge?.type === "prefer" || merge?.type === "failover"
        ? merge.order
        : [];
  const [from, to] = [order[0], order.at(-1)];
  return order.length < 2 || from === undefined || to === undefined ? {} : { from, to };
}

function sideOf(
  aggregate: AggregateController,
  { candidates: explained, service }: ServiceExplanation,
  pattern: string,
): MigrationSide {
  const said = aggregate.decisions.said(service).filter(({ service: of }) => fits(pattern, of.provenance.registry));
  const instances = new Map(said.flatMap((record) => record.instances.map((one) => [one.id, one] as const)));
  const candidates = explained
    .filter(({ registry }) => fits(pattern, registry))
    .map((candidate): MigrationCandidate => {
      const instance = instances.get(candidate.id);
      return instance === undefined
        ? candidate
        : { ...candidate, labels: instance.labels, locality: instance.locality };
    });
  return {
    registries: pattern,
    sources: aggregate.status().filter(({ id }) => fits(pattern, id)),
    candidates,
    ports: said[0]?.service.ports ?? [],
  };
}

function rampView({ detail, nextAt, shares, since, state, step, steps }: RampStatus): RampView {
  const place = `step ${step + 1} of ${steps}`;
  return {
    state,
    weights: Object.fromEntries(shares.map(({ registry, weight }) => [registry, weight])),
    ...(since !== undefined && { since }),
    ...(nextAt !== undefined && { nextStepAt: nextAt }),
    detail: detail === undefined ? place : `${place}: ${detail}`,
  };
}

/** Only what a person took back can a person let go on. */
function notRolledBack({ detail, state }: RampStatus): string {
  return state === "HELD" ? `its gates hold it, not a person: ${detail ?? ""}` : `it is ${state}`;
}

function guardView({ held, holdUntil, id, mode, registry, scope, service, since, why }: GuardStatus) {
  return {
    id,
    scope,
    registry,
    ...(service !== undefined && { service }),
    since,
    removed: why.removed,
    baseline: why.baseline,
    held: held.endpoints,
    ...(holdUntil !== undefined && { holdUntil }),
    mode,
    ...(why.suspected !== undefined && { suspected: why.suspected }),
  };
}

/** A guard that holds nothing any more is gone; this is how it ended. */
function letGo(guard: GuardStatus): GuardStatus {
  const { holdUntil: _, ...rest } = guard;
  return { ...rest, held: { services: 0, endpoints: 0 } };
}

function written<T>(act: () => T): Written<T> {
  try {
    return { type: "done", value: act() };
  } catch (error) {
    if (error instanceof NoGuardError || error instanceof UnknownOverrideError || error instanceof NoRampError)
      return { type: "absent" };
    throw error;
  }
}
