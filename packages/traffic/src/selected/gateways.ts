import type { Gateway } from "@signalbox/istio-objects";
import type { Labels } from "@signalbox/model";
import { byAge } from "../age.ts";
import type { Client } from "../client.ts";
import { selects } from "../labels.ts";
import type { RuleIndex, Touched } from "../rule-index.ts";
import type { Rule } from "../rule.ts";
import { SameList } from "../same-list.ts";
import { selectorTerms } from "./namespaced-rules.ts";

/** All Gateways. A selector is for routers of every namespace, as it is with Istio unless told otherwise. */
export class Gateways implements RuleIndex<Gateway> {
  readonly #rules = new Set<Rule<Gateway>>();
  #sorted: readonly Rule<Gateway>[] | undefined;
  readonly #lists = new SameList<Rule<Gateway>, readonly Rule<Gateway>[]>();

  replace(before: Rule<Gateway> | undefined, after: Rule<Gateway> | undefined, touched: Touched): void {
    for (const rule of [before, after]) {
      if (rule !== undefined) touched.gateways.add(`${rule.object.namespace}/${rule.object.name}`);
    }
    if (before !== undefined) this.#rules.delete(before);
    if (after !== undefined) this.#rules.add(after);
    this.#sorted = undefined;
    if (selectorTerms(before, selectorOf) !== selectorTerms(after, selectorOf)) touched.signatures = true;
  }

  /** What `RuleBook.gateways` promises. */
  of(client: Client): readonly Rule<Gateway>[] {
    if (client.kind !== "router") return this.#lists.of([], () => []);
    this.#sorted ??= [...this.#rules].sort((a, b) => byAge(a.object, b.object));
    const list = this.#sorted.filter(({ spec }) => selects(spec.selector, client.labels));
    return this.#lists.of(list, () => list);
  }

  /** Sets of labels that decide what routers get. */
  *selectors(): Generator<Labels, void, undefined> {
    for (const rule of this.#rules) yield selectorOf(rule);
  }
}

function selectorOf({ spec }: Rule<Gateway>): Labels {
  return spec.selector;
}
