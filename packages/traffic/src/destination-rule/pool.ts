import type { DestinationRule } from "@signalbox/istio-objects";
import { byAge } from "../age.ts";
import { HostIndex } from "../host-index.ts";
import type { Rule } from "../rule.ts";
import type { SameList } from "../same-list.ts";
import { mergeRules, type MergedRule } from "./merge.ts";

/** Merged rules by the rules that were merged. */
export type Mergers = SameList<Rule<DestinationRule>, readonly MergedRule[]>;

/** Rules of one namespace that are looked up together. */
export class DestinationPool {
  readonly #index = new HostIndex<Rule<DestinationRule>>();
  readonly #mergers: Mergers;

  constructor(mergers: Mergers) {
    this.#mergers = mergers;
  }

  add(host: string, rule: Rule<DestinationRule>): void {
    this.#index.add(host, rule);
  }

  delete(host: string, rule: Rule<DestinationRule>): void {
    this.#index.delete(host, rule);
  }

  get empty(): boolean {
    return this.#index.empty;
  }

  /** All hosts that rules are for. */
  hosts(): IterableIterator<string> {
    return this.#index.hosts();
  }

  /** The rules for exactly this host. */
  at(host: string): ReadonlySet<Rule<DestinationRule>> {
    return this.#index.get(host) ?? new Set();
  }

  /** The merged rules of the most specific host that covers this one; undefined where none does. */
  find(host: string): readonly MergedRule[] | undefined {
    for (const { values } of this.#index.covering(host)) {
      const rules = [...values].sort(bySelectorAndAge);
      return this.#mergers.of(rules, () => mergeRules(rules));
    }
    return undefined;
  }
}

function bySelectorAndAge(a: Rule<DestinationRule>, b: Rule<DestinationRule>): number {
  const selecting = (rule: Rule<DestinationRule>) => Number(rule.spec.workloadSelector === undefined);
  return selecting(a) - selecting(b) || byAge(a.object, b.object);
}
