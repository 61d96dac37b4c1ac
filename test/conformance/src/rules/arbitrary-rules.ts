import { checkObject } from "@signalbox/istio-objects";
import { registryId, type ConfigObject } from "@signalbox/model";
import fc from "fast-check";
import { destinationRule } from "./arbitrary-destination-rule.ts";
import { envoyFilter } from "./arbitrary-envoy-filter.ts";
import { namespace, ruleName } from "./arbitrary-parts.ts";
import { gateway, sidecar } from "./arbitrary-selected.ts";
import { delegate, virtualService } from "./arbitrary-virtual-service.ts";

const body = fc.oneof(
  { weight: 4, arbitrary: virtualService },
  { weight: 2, arbitrary: delegate },
  { weight: 3, arbitrary: destinationRule },
  { weight: 2, arbitrary: gateway },
  { weight: 1, arbitrary: sidecar },
  { weight: 1, arbitrary: envoyFilter },
);

/** Objects of every kind, most of which Istio takes; `createdAt` decides which of two is the older. */
const anyRule = fc
  .record({ namespace, name: ruleName, createdAt: fc.nat(3), body })
  .map(({ body: { kind, spec }, createdAt, ...id }) => ruleOf({ kind, ...id, spec, createdAt }));

/** A VirtualService whose first route is that of another one, and the other one: by chance they would seldom meet. */
const family = fc
  .record({ namespace, owner: namespace, root: virtualService, leaf: delegate, narrowed: fc.boolean() })
  .map(({ leaf, narrowed, root: { spec }, ...namespaces }) => {
    const first = {
      delegate: { name: "leaf", namespace: namespaces.owner },
      ...(narrowed ? { match: [{ uri: { prefix: "/" } }] } : {}),
    };
    return [
      ruleOf({
        kind: "VirtualService",
        namespace: namespaces.namespace,
        name: "root",
        spec: { ...spec, http: [first, ...spec.http] },
        createdAt: 1,
      }),
      ruleOf({ kind: "VirtualService", namespace: namespaces.owner, name: "leaf", spec: leaf.spec, createdAt: 1 }),
    ];
  });

/** Sets of objects that Istio takes. */
export const ruleSet = fc
  .array(fc.oneof({ weight: 8, arbitrary: anyRule.map((rule) => [rule]).filter(isTaken) }, family.filter(isTaken)), {
    minLength: 1,
    maxLength: 8,
  })
  .map((all) => all.flat());

function isTaken(objects: readonly ConfigObject[]): boolean {
  return objects.flatMap(checkObject).every(({ severity }) => severity !== "error");
}

function ruleOf({
  spec,
  ...rest
}: Pick<ConfigObject, "kind" | "namespace" | "name"> & {
  readonly spec: object;
  readonly createdAt: number;
}): ConfigObject {
  const provenance = { registry: registryId("test", "one"), object: `${rest.kind} ${rest.namespace}/${rest.name}` };
  return { ...rest, spec: withoutAbsent(spec), labels: {}, annotations: {}, provenance };
}

function withoutAbsent(spec: object): ConfigObject["spec"] {
  return JSON.parse(JSON.stringify(spec)) as ConfigObject["spec"];
}
