import type { Sidecar } from "@signalbox/istio-objects";
import type { Labels } from "@signalbox/model";
import { byAge } from "../age.ts";
import type { Client } from "../client.ts";
import { selects } from "../labels.ts";
import type { RuleIndex, Touched } from "../rule-index.ts";
import type { Rule } from "../rule.ts";
import { NamespacedRules, selectorTerms } from "./namespaced-rules.ts";

/** All Sidecars by namespace. */
export class Sidecars implements RuleIndex<Sidecar> {
  readonly #rootNamespace: string;
  readonly #rules = new NamespacedRules<Sidecar>(
    (a, b) => Number(selectorOf(a) === undefined) - Number(selectorOf(b) === undefined) || byAge(a.object, b.object),
  );

  constructor(rootNamespace: string) {
    this.#rootNamespace = rootNamespace;
  }

  replace(before: Rule<Sidecar> | undefined, after: Rule<Sidecar> | undefined, touched: Touched): void {
    const namespace = this.#rules.replace(before, after);
    touched.sidecars.add(namespace);
    if (selectorTerms(before, selectorOf) !== selectorTerms(after, selectorOf)) touched.signatures = true;
  }

  /** What `RuleBook.sidecar` promises. */
  of(client: Client): Rule<Sidecar> | undefined {
    if (client.kind === "router") return undefined;
    return (
      this.#rules.in(client.namespace).find((rule) => selects(selectorOf(rule) ?? {}, client.labels)) ??
      this.#rules.in(this.#rootNamespace).find((rule) => selectorOf(rule) === undefined)
    );
  }

  /** Sets of labels that decide what clients of a namespace get. */
  selectors(namespace: string): readonly Labels[] {
    return this.#rules.in(namespace).map((rule) => selectorOf(rule) ?? {});
  }
}

function selectorOf({ spec }: Rule<Sidecar>): Labels | undefined {
  return spec.workloadSelector?.labels;
}
