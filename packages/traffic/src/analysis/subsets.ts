import type { DestinationRule } from "@signalbox/istio-objects";
import { hostsMatch, isWildcard, wholeHost } from "../host-name.ts";
import { selects } from "../labels.ts";
import type { Rule } from "../rule.ts";
import { isExportedTo } from "../virtual-service/reach.ts";
import type { Said } from "./finding.ts";
import type { AnalyzedService } from "./input.ts";
import { labelText } from "./selectors.ts";
import type { Services } from "./services.ts";

/** DestinationRules for hosts that are not there, and subsets without endpoints. */
export function* destinationRuleFindings(
  { object, spec }: Rule<DestinationRule>,
  index: Services,
  services: readonly AnalyzedService[],
  domain: string,
): Generator<Said, void, undefined> {
  const host = wholeHost(spec.host, object.namespace, domain);
  const found = isWildcard(host) ? covered(host, object.namespace, services) : index.find(host, object.namespace);
  if (found.length === 0) {
    yield {
      code: "IST0174",
      path: ["spec", "host"],
      message: `${spec.host} is not a service that ${object.namespace} sees`,
    };
    return;
  }
  for (const [place, { name, labels }] of spec.subsets.entries()) {
    if (found.some(({ instances }) => instances.some((instance) => selects(labels, instance.labels)))) continue;
    const message = `subset ${name} has no endpoints: none of ${spec.host} has the labels ${labelText(labels)}`;
    yield { code: "IST0173", path: ["spec", "subsets", place, "labels"], message };
  }
}

function covered(host: string, namespace: string, services: readonly AnalyzedService[]): readonly AnalyzedService[] {
  return services.filter(
    (service) =>
      hostsMatch(host, service.hostname.toLowerCase()) && isExportedTo(service.exportTo, service.namespace, namespace),
  );
}
