import type { DestinationRule, Subset, TrafficPolicy } from "@signalbox/istio-objects";
import type { Labels } from "@signalbox/model";
import { canonicalJson, contentHash, formatLocality } from "@signalbox/model";
import type { Client } from "../client.ts";
import type { DestinationPolicy } from "../host-rules.ts";
import type { Rule } from "../rule.ts";
import { placeNeed, placeOf, type LocalityDefault, type PlaceNeed } from "./place.ts";

/** What several DestinationRules of one namespace say of one host together. */
export class MergedRule {
  readonly namespace: string;
  readonly exportTo: ReadonlySet<string>;
  /** Only workloads with these labels, if it is there. */
  readonly selector: Labels | undefined;
  readonly #objects: string[];
  #trafficPolicy: TrafficPolicy | undefined;
  readonly #subsets: Subset[];
  readonly #names: Set<string>;
  #need: PlaceNeed | undefined;
  readonly #byPlace = new Map<string, DestinationPolicy>();

  constructor({ object, spec }: Rule<DestinationRule>) {
    this.namespace = object.namespace;
    this.exportTo = exportToOf(spec);
    this.selector = spec.workloadSelector?.matchLabels;
    this.#objects = [`${object.namespace}/${object.name}`];
    this.#trafficPolicy = spec.trafficPolicy;
    this.#subsets = [...spec.subsets];
    this.#names = new Set(spec.subsets.map(({ name }) => name));
  }

  /** Adds what a later rule says besides: its other subsets, and its policy where there is none. */
  add({ object, spec }: Rule<DestinationRule>): void {
    this.#objects.push(`${object.namespace}/${object.name}`);
    // Of one rule all subsets are added, also two of one name.
    const added = spec.subsets.filter(({ name }) => !this.#names.has(name));
    for (const subset of added) this.#subsets.push(subset);
    for (const { name } of added) this.#names.add(name);
    this.#trafficPolicy ??= spec.trafficPolicy;
  }

  /** The policy for a client that this rule is for. Called only when nothing is added any more. */
  policy(client: Client, mesh: LocalityDefault): DestinationPolicy {
    const says = { trafficPolicy: this.#trafficPolicy, subsets: this.#subsets };
    this.#need ??= placeNeed(says, mesh);
    const { locality, labels } = placeOf(client, this.#need);
    const place = canonicalJson([locality === undefined ? "" : formatLocality(locality), labels ?? {}]);
    let policy = this.#byPlace.get(place);
    if (policy === undefined) {
      const whole = { objects: this.#objects, namespace: this.namespace, ...says, locality, labels };
      policy = { ...whole, version: contentHash(whole) };
      this.#byPlace.set(place, policy);
    }
    return policy;
  }
}

/** Where a rule is seen. One with a selector is seen in its own namespace only, whatever it says. */
export function exportToOf(spec: DestinationRule): ReadonlySet<string> {
  return new Set(spec.workloadSelector === undefined ? spec.exportTo : ["."]);
}

/**
 * Merges rules of one namespace for one host; those with a selector come first, then the oldest. A rule joins those that are seen in the
 * same namespaces and select the same workloads. It also joins one that is seen in fewer namespaces, and then stands for itself besides.
 */
export function mergeRules(rules: readonly Rule<DestinationRule>[]): readonly MergedRule[] {
  const merged: MergedRule[] = [];
  for (const rule of rules) {
    const exportTo = exportToOf(rule.spec);
    const selector = rule.spec.workloadSelector?.matchLabels;
    let alone = true;
    for (const other of merged) {
      alone = !equal(exportTo, other.exportTo);
      if (alone && (other.exportTo.size === 0 || ![...other.exportTo].every((one) => exportTo.has(one)))) continue;
      if (selector !== undefined && other.selector !== undefined) {
        alone = !sameLabels(selector, other.selector);
        if (alone) continue;
      } else if (selector === undefined && other.selector === undefined) {
        alone = false;
      }
      other.add(rule);
    }
    if (alone) merged.push(new MergedRule(rule));
  }
  return merged;
}

function equal(a: ReadonlySet<string>, b: ReadonlySet<string>): boolean {
  return a.size === b.size && [...a].every((one) => b.has(one));
}

function sameLabels(a: Labels, b: Labels): boolean {
  return canonicalJson(a) === canonicalJson(b);
}
