import { canonicalJson, type Labels } from "@signalbox/model";
import type { Rule } from "../rule.ts";

/** Rules of one kind by namespace, each namespace in one order. */
export class NamespacedRules<Spec> {
  readonly #order: (a: Rule<Spec>, b: Rule<Spec>) => number;
  readonly #rules = new Map<string, Set<Rule<Spec>>>();
  readonly #sorted = new Map<string, readonly Rule<Spec>[]>();

  constructor(order: (a: Rule<Spec>, b: Rule<Spec>) => number) {
    this.#order = order;
  }

  /** Puts one rule in the place of another form of it, and says in which namespace. */
  replace(before: Rule<Spec> | undefined, after: Rule<Spec> | undefined): string {
    const namespace = (after ?? before)?.object.namespace ?? "";
    const rules = this.#rules.get(namespace) ?? new Set();
    if (before !== undefined) rules.delete(before);
    if (after !== undefined) rules.add(after);
    if (rules.size === 0) this.#rules.delete(namespace);
    else this.#rules.set(namespace, rules);
    this.#sorted.delete(namespace);
    return namespace;
  }

  /** The rules of a namespace in order. */
  in(namespace: string): readonly Rule<Spec>[] {
    const rules = this.#rules.get(namespace);
    if (rules === undefined) return [];
    let sorted = this.#sorted.get(namespace);
    if (sorted === undefined) {
      sorted = [...rules].sort(this.#order);
      this.#sorted.set(namespace, sorted);
    }
    return sorted;
  }
}

/** What a rule's selector asks, as one text; empty where it selects all. */
export function selectorTerms<Spec>(
  rule: Rule<Spec> | undefined,
  selectorOf: (rule: Rule<Spec>) => Labels | undefined,
): string {
  const selector = rule === undefined ? undefined : selectorOf(rule);
  return selector === undefined || Object.keys(selector).length === 0 ? "" : canonicalJson(selector);
}
