import { instanceKey } from "@signalbox/model";
import { withFinding, type Candidate, type CandidateRecord } from "../candidate.ts";
import { withHealth } from "../health/health.ts";
import type { Override } from "../override.ts";

/** Applies what people said about endpoints. Whoever else has a reason to take one out does so afterwards. */
export function manualStage(
  records: readonly CandidateRecord[],
  overrides: readonly Override[],
): readonly CandidateRecord[] {
  if (overrides.length === 0) return records;
  const byAddress = new Map(overrides.map((override) => [override.address, override]));
  return records.map((record) => ({
    ...record,
    candidates: record.candidates.map((candidate) => {
      const override = byAddress.get(instanceKey(candidate.instance.addresses[0]));
      return override === undefined ? candidate : overridden(candidate, override);
    }),
  }));
}

function overridden(candidate: Candidate, { action, since }: Override): Candidate {
  switch (action.type) {
    case "hold":
      return withFinding(withHealth(candidate, "HEALTHY"), "manual", "HELD_BY_HAND", since);
    case "drain":
      return withFinding(withHealth(candidate, "DRAINING"), "manual", "DRAINED_BY_HAND", since);
    case "weight": {
      const instance = { ...candidate.instance, weight: action.weight };
      return withFinding({ ...candidate, instance }, "manual", "WEIGHT_BY_HAND", since);
    }
  }
}
