import { byCodeUnit, instanceKey } from "@signalbox/model";
import type { CatalogInstance, ServiceInstance, ServiceRecord } from "@signalbox/model";
import type { Candidate, CandidateRecord, ExplainedCandidate, MergeExplanation } from "@signalbox/policy";

/**
 * One line for each endpoint that a registry knows, or that is still drained: what its registry said, what clients are told, and the one reason for it.
 * Sorted by registry as in `staged`, then by port and address. `said`: the records that went through the stages.
 */
export function explainCandidates(
  said: readonly ServiceRecord[],
  staged: readonly CandidateRecord[],
  { entry, outcomes }: MergeExplanation,
): readonly ExplainedCandidate[] {
  const served = new Map((entry?.instances ?? []).map((instance) => [addressKey(instance), instance]));
  return staged.flatMap(({ candidates }, index) => {
    const reported = new Map(said[index]?.instances.map((instance) => [instance.id, instance]));
    return candidates
      .map((candidate) => explained(candidate, reported.get(candidate.instance.id), served, outcomes))
      .sort((a, b) => byCodeUnit(a.servicePort, b.servicePort) || byCodeUnit(a.address, b.address));
  });
}

function explained(
  candidate: Candidate,
  reported: ServiceInstance | undefined,
  served: ReadonlyMap<string, CatalogInstance>,
  outcomes: MergeExplanation["outcomes"],
): ExplainedCandidate {
  const { findings, instance, registry } = candidate;
  const { healthStatus, weight } = reported ?? instance;
  const outcome = outcomes.get(candidate) ?? { stage: "merge", code: "UNKNOWN", detail: "no stage gave a reason" };
  const there = inCatalog.has(outcome.code) ? served.get(addressKey(instance)) : undefined;
  return {
    registry,
    object: instance.provenance.object,
    id: instance.id,
    servicePort: instance.servicePort,
    address: instanceKey(instance.addresses[0]),
    reported: { healthStatus, weight },
    ...(there && { served: { healthStatus: there.healthStatus, weight: there.weight, priority: there.priority } }),
    outcome,
    findings,
  };
}

const inCatalog: ReadonlySet<string> = new Set(["SERVED", "STANDBY", "WEIGHT_ZERO", "MERGED"]);

// A port may have another name in the merged service; its endpoints' addresses tell them apart well enough here.
function addressKey({ addresses }: Pick<ServiceInstance, "addresses">): string {
  return instanceKey(addresses[0]);
}
