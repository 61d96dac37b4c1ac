import type { CatalogEntry, CatalogInstance } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../candidate.ts";
import type { Conflict, Outcome } from "../explanation.ts";
import type { MergeRule } from "../merge-rule.ts";
import { conflictsOf } from "./conflicts.ts";
import { eligibility } from "./eligible.ts";
import { endpointIdentity, gather } from "./gather.ts";
import type { Endpoint, Gathered } from "./gather.ts";
import { mergeGathered } from "./merge-service.ts";
import type { MergeResult, MergeServiceInput } from "./merge-service.ts";

/** A merge with its reasons. */
export interface MergeExplanation extends MergeResult {
  /**
   * What became of each candidate of the input, by the object itself. `SERVED`, `STANDBY`, `WEIGHT_ZERO` and `MERGED` are in the entry. The
   * others are not: by a stage, or by the rule (`NOT_PREFERRED`, `NO_SHARE`, `SHADOW`), or because the merged service does not have their
   * port (`PORT_CONFLICT`, `NO_PORT`). One that was taken out keeps its reason, even if another registry knows the same endpoint.
   */
  readonly outcomes: ReadonlyMap<Candidate, Outcome>;
  /** Where registries contradict each other, sorted by field, and by precedence within one. */
  readonly conflicts: readonly Conflict[];
}

/** Merges as `mergeService` does, and says why. Much slower than that: for those who ask, not for every change. */
export function explainMerge(input: MergeServiceInput): MergeExplanation {
  const gathered = gather(input);
  const merged = mergeGathered(input, gathered);
  if (merged === undefined)
    return {
      entry: undefined,
      unserved: new Map<string, number>(),
      outcomes: new Map<Candidate, Outcome>(),
      conflicts: [],
    };
  const { entry, found, unserved } = merged;
  const active = activePriorities(entry);
  const places = new Map(found.map(([identity], at) => [identity, at]));
  const outcomes = new Map<Candidate, Outcome>();
  const knowing = new Map<string, Candidate[]>();
  for (const record of input.records) {
    for (const candidate of record.candidates) {
      if (candidate.excluded !== undefined) {
        outcomes.set(candidate, candidate.excluded);
        continue;
      }
      const servicePort = gathered.portNames.get(record)?.get(candidate.instance.servicePort);
      const identity = servicePort === undefined ? undefined : endpointIdentity(servicePort, candidate);
      const place = identity === undefined ? undefined : places.get(identity);
      const [endpoint, instance] = place === undefined ? [] : [found[place]?.[1], entry.instances[place]];
      if (identity === undefined || endpoint === undefined || instance === undefined) {
        outcomes.set(candidate, absence(candidate, record, servicePort, input.rule, gathered));
        continue;
      }
      const all = knowing.get(identity);
      if (all === undefined) knowing.set(identity, [candidate]);
      else all.push(candidate);
      outcomes.set(candidate, presence(candidate, endpoint, instance, active.get(instance.servicePort)));
    }
  }
  const endpoints = found.map(([identity, { speaker }]) => ({ speaker, all: knowing.get(identity) ?? [] }));
  return { entry, unserved, outcomes, conflicts: conflictsOf(input.records, gathered, endpoints) };
}

/** The priority at which each port takes traffic: the first that has endpoints which can. */
function activePriorities({ instances }: CatalogEntry): ReadonlyMap<string, { priority: number; fallback: boolean }> {
  const active = new Map<string, { priority: number; fallback: boolean }>();
  for (const instance of instances) {
    const { priority, servicePort } = instance;
    const eligible = eligibility(instance);
    if (eligible === "none") continue;
    const fallback = eligible === "fallback";
    const known = active.get(servicePort);
    const better =
      known === undefined || (fallback === known.fallback ? priority < known.priority : known.fallback && !fallback);
    if (better) active.set(servicePort, { priority, fallback });
  }
  return active;
}

function presence(
  candidate: Candidate,
  { speaker }: Endpoint,
  { healthStatus, priority, weight }: CatalogInstance,
  active: { readonly priority: number; readonly fallback: boolean } | undefined,
): Outcome {
  if (candidate !== speaker) return merge("MERGED", `${speaker.registry} speaks for this endpoint`);
  if (!(weight > 0)) {
    return candidate.instance.weight > 0
      ? merge("WEIGHT_ZERO", "its group's share leaves no weight for it")
      : { stage: "weights", code: "WEIGHT_ZERO", detail: "its weight is 0" };
  }
  const eligible = eligibility({ healthStatus, weight });
  if (eligible === "none") return merge("STANDBY", `it is sent as ${healthStatus}`);
  if (active !== undefined && active.fallback !== (eligible === "fallback"))
    return merge("STANDBY", `it is sent as ${healthStatus}, and there are healthy endpoints`);
  if (active !== undefined && priority !== active.priority)
    return merge("STANDBY", `its priority is ${priority}, and there are endpoints at ${active.priority}`);
  return merge("SERVED", `its weight is ${weight}`);
}

function absence(
  { instance, registry }: Candidate,
  { service }: CandidateRecord,
  servicePort: string | undefined,
  rule: MergeRule,
  { grouping, preferred }: Gathered,
): Outcome {
  const code = grouping.absent(grouping.groupOf(registry));
  if (code === "SHADOW") return merge(code, `only ${rule.type === "authoritative" ? rule.registry : "another"} counts`);
  if (code === "NO_SHARE") return merge(code, `no share of the split is for ${registry}`);
  if (servicePort !== undefined) {
    const first = rule.type === "prefer" ? rule.order[preferred.get(servicePort) ?? -1] : undefined;
    return merge(
      "NOT_PREFERRED",
      first === undefined ? "registries without a preference count" : `${first} is preferred`,
    );
  }
  const port = service.ports.find(({ name }) => name === instance.servicePort);
  return port === undefined
    ? merge("NO_PORT", `the service has no port ${instance.servicePort}`)
    : merge(
        "PORT_CONFLICT",
        `port ${port.name} ${port.number} contradicts the ports of a registry with higher precedence`,
      );
}

function merge(code: string, detail: string): Outcome {
  return { stage: "merge", code, detail };
}
