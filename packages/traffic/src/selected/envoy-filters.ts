import type { EnvoyFilter } from "@signalbox/istio-objects";
import { byCodeUnit, canonicalJson, type Labels } from "@signalbox/model";
import { byDate } from "../age.ts";
import type { Client } from "../client.ts";
import { selects } from "../labels.ts";
import type { EnvoyPatch } from "../rule-book.ts";
import type { RuleIndex, Touched } from "../rule-index.ts";
import type { Rule } from "../rule.ts";
import { SameList } from "../same-list.ts";
import { NamespacedRules } from "./namespaced-rules.ts";

/** The label by which a workload says that it serves a Gateway of Kubernetes' Gateway API. */
const gatewayNameLabel = "gateway.networking.k8s.io/gateway-name";

/** All EnvoyFilters by namespace. */
export class EnvoyFilters implements RuleIndex<EnvoyFilter> {
  readonly #rootNamespace: string;
  readonly #rules = new NamespacedRules<EnvoyFilter>((a, b) => byCodeUnit(a.object.name, b.object.name));
  readonly #lists = new SameList<Rule<EnvoyFilter>, readonly EnvoyPatch[]>();

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  replace(before: Rule<EnvoyFilter> | undefined, after: Rule<EnvoyFilter> | undefined, touched: Touched): void {
    touched.envoyFilters.add(this.#rules.replace(before, after));
    if (termsOf(before) !== termsOf(after)) touched.signatures = true;
  }

  /** What `RuleBook.envoyPatches` promises. */
  patches(client: Client): readonly EnvoyPatch[] {
    const rules = this.#for(client.namespace)
      .filter((rule) => isFor(rule, client))
      .sort((a, b) => this.#order(a, b));
    return this.#lists.of(rules, () =>
      rules.flatMap(({ object, spec }) =>
        spec.configPatches.flatMap((patch) =>
          patch.patch === undefined ? [] : [{ object: `${object.namespace}/${object.name}`, patch }],
        ),
      ),
    );
  }

  /** Sets of labels that decide what clients of a namespace get. */
  selectors(namespace: string): readonly Labels[] {
    return this.#for(namespace).flatMap(({ spec }) => [
      ...spec.targetRefs.map(({ name }) => ({ [gatewayNameLabel]: name })),
      spec.workloadSelector?.labels ?? {},
    ]);
  }

  #for(namespace: string): readonly Rule<EnvoyFilter>[] {
    const global = this.#rules.in(this.#rootNamespace);
    return namespace === this.#rootNamespace ? global : [...global, ...this.#rules.in(namespace)];
  }

  /** By priority; the root namespace's first; then the oldest. */
  #order(a: Rule<EnvoyFilter>, b: Rule<EnvoyFilter>): number {
    const local = ({ object }: Rule<EnvoyFilter>) => Number(object.namespace !== this.#rootNamespace);
    const name = ({ object }: Rule<EnvoyFilter>) => `${object.name}.${object.namespace}`;
    return (
      a.spec.priority - b.spec.priority ||
      local(a) - local(b) ||
      byDate(a.object, b.object) ||
      byCodeUnit(name(a), name(b))
    );
  }
}

/** A filter with targets is for workloads that serve one of them, in its own namespace; any other is for those that it selects. */
function isFor({ object, spec }: Rule<EnvoyFilter>, client: Client): boolean {
  if (spec.targetRefs.length === 0) return selects(spec.workloadSelector?.labels ?? {}, client.labels);
  const serves = Object.hasOwn(client.labels, gatewayNameLabel) ? client.labels[gatewayNameLabel] : undefined;
  if (serves === undefined || object.namespace !== client.namespace) return false;
  return spec.targetRefs.some(
    ({ group, kind, name, namespace }) =>
      group === "gateway.networking.k8s.io" &&
      kind === "Gateway" &&
      name === serves &&
      (namespace === "" || namespace === client.namespace),
  );
}

function termsOf(rule: Rule<EnvoyFilter> | undefined): string {
  if (rule === undefined) return "";
  const { workloadSelector, targetRefs } = rule.spec;
  const labels = workloadSelector?.labels ?? {};
  return Object.keys(labels).length + targetRefs.length === 0 ? "" : canonicalJson([labels, targetRefs]);
}
