import { randomUUID } from "node:crypto";
import type { AggregateController } from "@signalbox/aggregate";
import type { AcceptedWrite, ApiSources, Written } from "@signalbox/api";
import type { ServiceKey } from "@signalbox/model";
import {
  fits,
  migrationReport,
  NoGuardError,
  UnknownOverrideError,
  type GuardStatus,
  type MergeRule,
  type MigrationCandidate,
  type MigrationSide,
} from "@signalbox/policy";
import type { Clock } from "@signalbox/registry";

/** What the API's sources are made of. */
export interface ApiSourcesOptions {
  readonly aggregate: AggregateController;
  readonly clock: Clock;
  /** Told of every write that was accepted. */
  readonly journalled?: (write: AcceptedWrite) => void;
  /** The newest entries of the journal; absent where there is none. */
  readonly journal?: NonNullable<ApiSources["journal"]>;
}

/** What must hold before a service may move, where nobody says otherwise. */
const migrationRules = { parity: 0.95, forMs: 0 } as const;

/** What the API shows of an aggregate, and may do to it. */
export function apiSources({ aggregate, clock, journal, journalled }: ApiSourcesOptions): ApiSources {
  const { decisions } = aggregate;
  return {
    catalog: () => aggregate.catalog(),
    sources: () => aggregate.status(),
    explain: (service) => decisions.explain(service),
    drift: () => decisions.drift().rows,
    guards: () => decisions.guards().map(guardView),
    decideGuard: (id, decision) => {
      const before = decisions.guards().find((guard) => guard.id === id);
      if (before === undefined) return { type: "absent" };
      const ruling = decision.type === "accept" ? decision : ({ type: "extend", untilMs: decision.until } as const);
      return written(() => {
        decisions.decideGuard(id, ruling, "api");
        return guardView(decisions.guards().find((guard) => guard.id === id) ?? letGo(before));
      });
    },
    overrides: () => decisions.overrides(),
    addOverride: (override) => {
      const made = { ...override, id: randomUUID() };
      decisions.addOverride(made);
      return { type: "done", value: made };
    },
    removeOverride: (id) =>
      written(() => {
        const override = decisions.overrides().find((one) => one.id === id);
        if (override === undefined) throw new UnknownOverrideError(id);
        decisions.removeOverride(id, "api");
        return override;
      }),
    migration: (service, sides) => {
      const explained = decisions.explain(service);
      const { from, to } = { ...sidesOf(explained?.merge), ...sides };
      if (explained === undefined || from === undefined || to === undefined) return undefined;
      const side = (pattern: string): MigrationSide => sideOf(aggregate, service, pattern);
      return {
        report: migrationReport({
          service,
          from: side(from),
          to: side(to),
          now: clock.now(),
          paritySince: clock.now(),
          rules: migrationRules,
        }),
      };
    },
    ...(journal && { journal }),
    ...(journalled && { journalled }),
  };
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

function sideOf(aggregate: AggregateController, service: ServiceKey, pattern: string): MigrationSide {
  const { decisions } = aggregate;
  const said = decisions.said(service).filter(({ service: of }) => fits(pattern, of.provenance.registry));
  const instances = new Map(said.flatMap((record) => record.instances.map((one) => [one.id, one] as const)));
  const candidates = (decisions.explain(service)?.candidates ?? [])
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
    if (error instanceof NoGuardError || error instanceof UnknownOverrideError) return { type: "absent" };
    throw error;
  }
}
