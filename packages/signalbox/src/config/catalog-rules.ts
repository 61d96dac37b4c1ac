import type { CatalogRules, WithdrawalRule } from "@signalbox/aggregate";
import { registryId, type RegistryId, type ServiceKey } from "@signalbox/model";
import {
  defaultRules,
  fits,
  type DriftActions,
  type GuardRule,
  type HealthRule,
  type MergeRule,
  type MigrationRules,
  type RampRule,
  type ServiceRules,
  type Share,
  type SlowStartRule,
} from "@signalbox/policy";
import { durationMs } from "./duration.ts";
import { rememberLast } from "./remember-last.ts";
import type { SignalboxConfig } from "./schema.ts";

type ServiceEntry = SignalboxConfig["services"][number];
type Withdraw = NonNullable<NonNullable<SignalboxConfig["drift"]>["withdraw"]>;
type GuardFields = NonNullable<ServiceEntry["guard"]>;

/** The rules of the catalog that a configuration asks for. */
export function catalogRules(
  config: Pick<SignalboxConfig, "identity" | "services" | "drift" | "guards">,
): CatalogRules {
  const { drift, guards, identity, services } = config;
  const { registries: guarded, ...guardFields } = guards;
  const guard = guardRule(guardFields, defaultRules.guard);
  return {
    identity: identity.map(({ collisions, ...rule }) => ({ ...rule, strict: collisions === "strict" })),
    of: serviceRules(services, guard),
    guarded,
    guard,
    ...(drift && {
      drift: {
        clusters: drift.clusters.map(({ podCidrs, registry }) => ({ registry: idOf(registry), podCidrs })),
        checked: drift.check,
        ghostAfterMs: durationMs(drift.ghostAfter),
        skewMs: durationMs(drift.skew),
        serviceLabels: drift.serviceLabels,
      },
    }),
    ...(drift?.withdraw && { withdrawal: withdrawalRule(drift.withdraw) }),
  };
}

function withdrawalRule({ every, ghostFor, mode, ...plain }: Withdraw): WithdrawalRule {
  return { ...plain, dryRun: mode !== "delete", ghostForMs: durationMs(ghostFor), everyMs: durationMs(every) };
}

function idOf(text: string): RegistryId {
  const slash = text.indexOf("/");
  return registryId(text.slice(0, slash), text.slice(slash + 1));
}

/** Rules are asked for with every change of a service, and the list of entries may be long: of so many services they are known. */
const rememberedServices = 20_000;

/** Where no entry can fit, nothing has to be remembered. */
function serviceRules(entries: readonly ServiceEntry[], guard: GuardRule): CatalogRules["of"] {
  const plain: ServiceRules = { ...defaultRules, guard };
  if (entries.length === 0) return () => plain;
  return rememberLast(rememberedServices, (key) => rulesOf(key, entries, plain));
}

function rulesOf(key: ServiceKey, entries: readonly ServiceEntry[], plain: ServiceRules): ServiceRules {
  const slash = key.indexOf("/");
  const [namespace, hostname] = [key.slice(0, slash), key.slice(slash + 1)];
  const fitting = entries.filter(
    ({ match, namespaces }) =>
      [match].flat().some((pattern) => fits(pattern, hostname)) && namespaces.some((one) => fits(one, namespace)),
  );
  // One object for all of them, however many there are.
  if (fitting.length === 0) return plain;
  const sharing = fitting.find(({ merge, ramp }) => merge !== undefined || ramp !== undefined);
  const migration = fitting.find((entry) => entry.migration !== undefined)?.migration;
  const drift = fitting.find((entry) => entry.drift !== undefined)?.drift;
  const health = fitting.find((entry) => entry.health !== undefined)?.health;
  const slowStart = fitting.find((entry) => entry.slowStart !== undefined)?.slowStart;
  const own = fitting.find((entry) => entry.guard !== undefined)?.guard;
  return {
    merge: sharing?.merge === undefined ? defaultRules.merge : mergeRule(sharing.merge),
    ...(sharing?.ramp && { ramp: rampRule(sharing.ramp) }),
    ...(migration && { migration: migrationRules(migration) }),
    drift: drift === undefined ? defaultRules.drift : driftActions(drift),
    health: health === undefined ? defaultRules.health : healthRule(health),
    ...(slowStart && { slowStart: slowStartRule(slowStart) }),
    guard: own === undefined ? plain.guard : guardRule(own, plain.guard),
  };
}

function mergeRule(merge: NonNullable<ServiceEntry["merge"]>): MergeRule {
  if (merge === "union") return { type: "union" };
  if ("prefer" in merge) return { type: "prefer", order: merge.prefer };
  if ("failover" in merge) return { type: "failover", order: merge.failover };
  if ("authoritative" in merge) return { type: "authoritative", registry: merge.authoritative };
  return { type: "split", shares: sharesOf(merge.split), onEmpty: merge.onEmpty };
}

function sharesOf(split: Readonly<Record<string, number>>): readonly Share[] {
  return Object.entries(split).map(([registry, weight]) => ({ registry, weight }));
}

function rampRule({ gates, onEmpty, steps }: NonNullable<ServiceEntry["ramp"]>): RampRule {
  return {
    steps: steps.map(({ at, split }) => ({ at: Date.parse(at), shares: sharesOf(split) })),
    gates,
    onEmpty,
  };
}

function migrationRules({ for: held, parity }: NonNullable<ServiceEntry["migration"]>): MigrationRules {
  return { parity, forMs: durationMs(held) };
}

function driftActions(drift: NonNullable<ServiceEntry["drift"]>): DriftActions {
  if (typeof drift !== "string") return { ...defaultRules.drift, ...drift };
  return { NOT_READY: drift, TERMINATING: drift, GHOST: drift, IMPOSTOR: drift, PORT_MISMATCH: drift };
}

function healthRule({ drainFor, ignore }: NonNullable<ServiceEntry["health"]>): HealthRule {
  return {
    ...defaultRules.health,
    ...(ignore && { ignore }),
    ...(drainFor !== undefined && { drainForMs: durationMs(drainFor) }),
  };
}

function slowStartRule({ flapWindow, over, steps }: NonNullable<ServiceEntry["slowStart"]>): SlowStartRule {
  return { overMs: durationMs(over), steps, flapMs: durationMs(flapWindow) };
}

function guardRule({ holdFor, releaseEvery, window, ...plain }: GuardFields, base: GuardRule): GuardRule {
  return {
    ...base,
    ...plain,
    ...(window !== undefined && { windowMs: durationMs(window) }),
    // Who holds for ever has no time after which it ends.
    ...(holdFor !== undefined && { holdForMs: holdFor === "never" ? 0 : durationMs(holdFor) }),
    ...(releaseEvery !== undefined && { releaseEveryMs: durationMs(releaseEvery) }),
  };
}
