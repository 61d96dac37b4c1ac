import { instanceKey, type HealthStatus, type RegistryId } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import { fits } from "../patterns.ts";
import type { HealthRule } from "../rules.ts";

/**
 * How bad a status is: drained is worse than unhealthy, that than degraded, that than healthy. Nobody who does not know says anything, so
 * `UNKNOWN` counts as healthy, as it does for Envoy.
 */
const severity: Readonly<Record<HealthStatus, number>> = {
  HEALTHY: 0,
  UNKNOWN: 0,
  DEGRADED: 1,
  UNHEALTHY: 2,
  TERMINATING: 3,
  DRAINING: 3,
};

/** The worse of two; the first where they are equally bad. */
export function worse(one: HealthStatus, other: HealthStatus): HealthStatus {
  return severity[other] > severity[one] ? other : one;
}

/**
 * Composes the health of each endpoint: the worst that any registry says of it. The rule ignores some registries: an endpoint that only they
 * know has an unknown health. A registry in `expired` is heard only where no other one speaks. Records come back as they are where
 * nothing changes.
 */
export function healthStage(
  records: readonly CandidateRecord[],
  rule: HealthRule,
  expired: { has(registry: RegistryId): boolean },
): readonly CandidateRecord[] {
  const heard = records.filter(({ registry }) => !rule.ignore.some((pattern) => fits(pattern, registry)));
  if (records.length < 2 && heard.length === records.length) return records;
  const worst = worstOf(heard.filter(({ registry }) => !expired.has(registry)));
  for (const [key, status] of worstOf(heard.filter(({ registry }) => expired.has(registry))))
    if (!worst.has(key)) worst.set(key, status);
  return records.map((record) => {
    const candidates = record.candidates.map((candidate) => {
      const status = worst.get(endpointKey(candidate.instance)) ?? "UNKNOWN";
      return status === candidate.instance.healthStatus ? candidate : withHealth(candidate, status);
    });
    return candidates.every((candidate, index) => candidate === record.candidates[index])
      ? record
      : { ...record, candidates };
  });
}

function worstOf(records: readonly CandidateRecord[]): Map<string, HealthStatus> {
  const worst = new Map<string, HealthStatus>();
  for (const { candidates } of records) {
    for (const { instance } of candidates) {
      const key = endpointKey(instance);
      const known = worst.get(key);
      worst.set(key, known === undefined ? instance.healthStatus : worse(known, instance.healthStatus));
    }
  }
  return worst;
}

/** A candidate with another health. */
export function withHealth(candidate: Candidate, healthStatus: HealthStatus): Candidate {
  return { ...candidate, instance: { ...candidate.instance, healthStatus } };
}

function endpointKey({ addresses, servicePort }: Candidate["instance"]): string {
  return `${servicePort}\0${instanceKey(addresses[0])}`;
}
