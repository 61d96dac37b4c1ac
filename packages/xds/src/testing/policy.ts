import { FaultList, readDestinationRule } from "@signalbox/istio-objects";
import type { DestinationPolicy } from "@signalbox/traffic";
import type { AppliedRules } from "../applied-rules.ts";

/** A policy as one DestinationRule with this `spec` gives it. Throws where the rule has faults. */
export function policyOf(
  spec: object,
  place: Partial<Pick<DestinationPolicy, "locality" | "labels">> = {},
): DestinationPolicy {
  const faults = new FaultList();
  const { subsets, trafficPolicy } = readDestinationRule({ host: "web.test", ...spec }, ["spec"], faults);
  const errors = faults.faults.filter(({ severity }) => severity === "error");
  if (errors.length > 0) throw new Error(JSON.stringify(errors));
  return {
    objects: ["default/web"],
    namespace: "default",
    trafficPolicy,
    subsets,
    locality: place.locality,
    labels: place.labels,
    version: JSON.stringify([spec, place]),
  };
}

/** Rules of a host that say no more than this policy. */
export function governedBy(destination: DestinationPolicy): AppliedRules {
  return {
    key: destination.version,
    routing: undefined,
    destination,
    destinations: { service: () => undefined, policy: () => undefined },
  };
}
