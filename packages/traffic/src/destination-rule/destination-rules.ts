import type { DestinationRule } from "@signalbox/istio-objects";
import { canonicalJson, formatLocality, type Labels } from "@signalbox/model";
import type { Client } from "../client.ts";
import { wholeHost, type NameDomain } from "../host-name.ts";
import type { DestinationPolicy } from "../host-rules.ts";
import { selects } from "../labels.ts";
import type { Owners } from "../rule-book.ts";
import type { RuleIndex, Touched } from "../rule-index.ts";
import type { Rule } from "../rule.ts";
import { SameList } from "../same-list.ts";
import { exportToOf, type MergedRule } from "./merge.ts";
import { placeOf, possiblePlaceNeed, together, type LocalityDefault, type PlaceNeed } from "./place.ts";
import { DestinationPool, type Mergers } from "./pool.ts";

/** Where DestinationRules are looked up, and by which mesh-wide settings. */
export interface DestinationOptions {
  readonly rootNamespace: string;
  readonly domain: NameDomain;
  readonly localityLoadBalancing: LocalityDefault;
}

/** All DestinationRules by what they are for. */
export class DestinationRules implements RuleIndex<DestinationRule> {
  readonly #options: DestinationOptions;
  readonly #mergers: Mergers = new SameList();
  /** What clients of a namespace find in it. */
  readonly #local = new Map<string, DestinationPool>();
  /** What others may find in a namespace. */
  readonly #exported = new Map<string, DestinationPool>();
  /** What only clients of the root namespace find there. */
  readonly #rootLocal = new DestinationPool(this.#mergers);
  /** Exported, but not to all. */
  readonly #limited = new Set<Rule<DestinationRule>>();
  /** What a client's place may matter for. */
  readonly #placed = new Map<Rule<DestinationRule>, PlaceNeed>();
  readonly #selecting = new Map<string, Set<Rule<DestinationRule>>>();

  constructor(options: DestinationOptions) {
    this.#options = options;
  }

  replace(before: Rule<DestinationRule> | undefined, after: Rule<DestinationRule> | undefined, touched: Touched): void {
    for (const rule of [before, after]) if (rule !== undefined) touched.hosts.add(this.hostOf(rule));
    if (before !== undefined) this.#remove(before);
    if (after !== undefined) this.#add(after);
    if (this.#terms(before) !== this.#terms(after)) touched.signatures = true;
  }

  /** What `RuleBook.destination` promises. */
  destination(host: string, owner: string, client: Client): DestinationPolicy | undefined {
    const name = host.toLowerCase();
    for (const merged of this.#lookups(name, owner, client.namespace)) {
      const rule = forClient(merged, client);
      return rule?.policy(client, this.#options.localityLoadBalancing);
    }
    return undefined;
  }

  /** Hosts whose policy may be another for this client than for `anyClient`. */
  *particular(client: Client, owners: Owners | undefined): Generator<string, void, undefined> {
    const { namespace } = client;
    const root = namespace === this.#options.rootNamespace;
    const local = root ? this.#rootLocal : this.#local.get(namespace);
    for (const host of local?.hosts() ?? []) {
      if (root || !this.#sameForAll(host, namespace, local, owners)) yield host;
    }
    for (const rule of this.#limited) if (exportToOf(rule.spec).has(namespace)) yield this.hostOf(rule);
    for (const [rule, need] of this.#placed) {
      if (this.#sees(rule, namespace) && placeText(client, need) !== "") yield this.hostOf(rule);
    }
  }

  /** Sets of labels that decide what clients of a namespace get. */
  *selectors(namespace: string): Generator<Labels, void, undefined> {
    for (const { spec } of this.#selecting.get(namespace) ?? []) yield spec.workloadSelector?.matchLabels ?? {};
  }

  /** What of their place decides what clients of a namespace get. */
  placeNeed(namespace: string): PlaceNeed {
    return together([...this.#placed].flatMap(([rule, need]) => (this.#sees(rule, namespace) ? [need] : [])));
  }

  /** The merged rules by Istio's order; the first that there are decide, even where none of them is for the client. */
  *#lookups(host: string, owner: string, namespace: string): Generator<readonly MergedRule[], void, undefined> {
    const { rootNamespace } = this.#options;
    const own = namespace === rootNamespace ? this.#rootLocal : this.#local.get(namespace);
    const local = own?.find(host);
    if (local !== undefined) yield local;
    for (const from of [owner, rootNamespace]) {
      const found = this.#exported.get(from)?.find(host) ?? [];
      const seen = found.filter(({ exportTo }) => isExported(exportTo, namespace));
      if (seen.length > 0) yield seen;
    }
  }

  #add(rule: Rule<DestinationRule>): void {
    const { namespace } = rule.object;
    for (const pool of this.#poolsOf(rule, (map) => poolOf(map, namespace, this.#mergers)))
      pool?.add(this.hostOf(rule), rule);
    if (!isPrivate(rule) && !isPublicSet(exportToOf(rule.spec))) this.#limited.add(rule);
    const need = possiblePlaceNeed(rule.spec, this.#options.localityLoadBalancing);
    if (need.locality) this.#placed.set(rule, need);
    if (rule.spec.workloadSelector !== undefined) {
      const selecting = this.#selecting.get(namespace) ?? new Set();
      this.#selecting.set(namespace, selecting.add(rule));
    }
  }

  #remove(rule: Rule<DestinationRule>): void {
    const { namespace } = rule.object;
    for (const pool of this.#poolsOf(rule, (map) => map.get(namespace))) pool?.delete(this.hostOf(rule), rule);
    for (const map of [this.#local, this.#exported]) if (map.get(namespace)?.empty === true) map.delete(namespace);
    this.#limited.delete(rule);
    this.#placed.delete(rule);
    const selecting = this.#selecting.get(namespace);
    if (selecting?.delete(rule) === true && selecting.size === 0) this.#selecting.delete(namespace);
  }

  #poolsOf(
    rule: Rule<DestinationRule>,
    pool: (map: Map<string, DestinationPool>) => DestinationPool | undefined,
  ): readonly (DestinationPool | undefined)[] {
    const { namespace } = rule.object;
    const exportTo = exportToOf(rule.spec);
    const local =
      exportTo.size === 0 || ["*", ".", namespace].some((one) => exportTo.has(one)) ? [pool(this.#local)] : [];
    if (!isPrivate(rule)) return [...local, pool(this.#exported)];
    return namespace === this.#options.rootNamespace ? [...local, this.#rootLocal] : local;
  }

  /** The whole name of the host that a rule is for. */
  hostOf({ object, spec }: Rule<DestinationRule>): string {
    return wholeHost(spec.host, object.namespace, this.#options.domain);
  }

  #sees(rule: Rule<DestinationRule>, namespace: string): boolean {
    return rule.object.namespace === namespace || (!isPrivate(rule) && isExported(exportToOf(rule.spec), namespace));
  }

  /** Whether clients of a namespace find for its own services what all others find. */
  #sameForAll(
    host: string,
    namespace: string,
    local: DestinationPool | undefined,
    owners: Owners | undefined,
  ): boolean {
    if (owners === undefined || host.startsWith("*")) return false;
    const rules = [...(local?.at(host) ?? [])];
    if (rules.some((rule) => !isPublicSet(exportToOf(rule.spec)))) return false;
    const exported = this.#exported.get(namespace)?.at(host) ?? new Set();
    return exported.size === rules.length && owners(host).every((owner) => owner === namespace);
  }

  #terms(rule: Rule<DestinationRule> | undefined): string {
    if (rule === undefined) return "";
    const { workloadSelector, exportTo } = rule.spec;
    const place = possiblePlaceNeed(rule.spec, this.#options.localityLoadBalancing);
    if (workloadSelector === undefined && !place.locality) return "";
    return canonicalJson([workloadSelector?.matchLabels ?? null, place, exportTo]);
  }
}

/** What of a client's place a need names, as one text; empty where the client does not say it. */
export function placeText(client: Client, need: PlaceNeed): string {
  const { locality, labels } = placeOf(client, need);
  const where = locality === undefined ? "" : formatLocality(locality);
  return labels === undefined || Object.keys(labels).length === 0 ? where : `${where}|${canonicalJson(labels)}`;
}

/** The first with a selector for the client, else the last without one. */
function forClient(merged: readonly MergedRule[], client: Client): MergedRule | undefined {
  const selected = merged.find(
    ({ selector, namespace }) =>
      selector !== undefined && namespace === client.namespace && selects(selector, client.labels),
  );
  return selected ?? merged.findLast(({ selector }) => selector === undefined);
}

/** Whether only clients of the rule's own namespace find it. */
function isPrivate({ object, spec }: Rule<DestinationRule>): boolean {
  const exportTo = exportToOf(spec);
  return exportTo.size === 1 && (exportTo.has(".") || exportTo.has(object.namespace));
}

function isPublicSet(exportTo: ReadonlySet<string>): boolean {
  return exportTo.size === 0 || exportTo.has("*");
}

function isExported(exportTo: ReadonlySet<string>, namespace: string): boolean {
  return isPublicSet(exportTo) || exportTo.has(namespace);
}

function poolOf(map: Map<string, DestinationPool>, namespace: string, mergers: Mergers): DestinationPool {
  let pool = map.get(namespace);
  if (pool === undefined) {
    pool = new DestinationPool(mergers);
    map.set(namespace, pool);
  }
  return pool;
}
