import { checkObject } from "@signalbox/istio-objects";
import { registryId, type ConfigObject } from "@signalbox/model";
import fc from "fast-check";
import { destinationRule } from "./arbitrary-destination-rule.ts";
import { envoyFilter } from "./arbitrary-envoy-filter.ts";
import { namespace } from "./arbitrary-parts.ts";
import { gateway, sidecar } from "./arbitrary-selected.ts";
import { virtualService } from "./arbitrary-virtual-service.ts";

const body = fc.oneof(
  { weight: 4, arbitrary: virtualService },
  { weight: 3, arbitrary: destinationRule },
  { weight: 2, arbitrary: gateway },
  { weight: 1, arbitrary: sidecar },
  { weight: 1, arbitrary: envoyFilter },
);

/** Objects of every kind, most of which Istio takes; `createdAt` decides which of two is the older. */
const anyRule = fc
  .record({ namespace, name: fc.constantFrom("front", "x", "y"), createdAt: fc.nat(3), body })
  .map(({ body: { kind, spec }, ...rest }): ConfigObject => {
    const provenance = { registry: registryId("test", "one"), object: `${kind} ${rest.namespace}/${rest.name}` };
    return { ...rest, kind, spec: withoutAbsent(spec), labels: {}, annotations: {}, provenance };
  });

/** An object that Istio takes. */
export const validRule = anyRule.filter((object) => checkObject(object).every(({ severity }) => severity !== "error"));

function withoutAbsent(spec: object): ConfigObject["spec"] {
  return JSON.parse(JSON.stringify(spec)) as ConfigObject["spec"];
}
