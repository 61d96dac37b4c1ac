import type { TypeUrl } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import type { CatalogDelta, Revision } from "@signalbox/model";
import { createRuleBook, type NameDomain, type RuleBook, type RuleStatus } from "@signalbox/traffic";
import type { ChangedNames, ResourceView } from "@signalbox/xds-server";
import { Directory, type PreparedServices } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { inboundLayer, inboundOf } from "./inbound-layer.ts";
import { KnownObjects } from "./known-objects.ts";
import { meshSettings, type MeshConfig, type MeshSettings } from "./mesh.ts";
import { clientOf, isCaptured, isRouter, styleOf } from "./node-kind.ts";
import { NodeScopes } from "./node-scope.ts";
import type { ProxyNode } from "./node.ts";
import { PatchedView } from "./patches/patched-view.ts";
import { faultOf, Patchers } from "./patches/patchers.ts";
import { RuleUse } from "./rule-use.ts";
import { RouterSecrets, type SecretChanges } from "./secrets/router-secrets.ts";
import { atOnce, type Steps } from "@signalbox/slices";
import { DiscoveredHostsView } from "./vhds/discovered-hosts-view.ts";
import { BuiltScopes } from "./built-scopes.ts";

/** What a translator is made from. */
export interface TranslatorOptions {
  readonly mesh?: MeshConfig;
  /** DNS domain of the cluster, for nodes that name only their namespace. Default `cluster.local`. */
  readonly domain?: string;
  /** How short names in rules end. The domain where absent. */
  readonly shortNames?: NameDomain;
}

/** What one event changed. */
export interface TranslationChanges {
  /** Names that changed, for each view that was handed out and has any. */
  readonly views: ReadonlyMap<ResourceView, ChangedNames>;
  /** Nodes with one of these addresses may have another view now: ask again. */
  readonly addresses: { has(address: string): boolean };
  /** Any node may have another view now: ask again for all. */
  readonly everyone: boolean;
  /** All that cannot be translated now and stays as it was, whichever event brought it. */
  readonly faults: readonly TranslationFault[];
}

/** How one Istio object fares here. */
export interface RuleReport extends RuleStatus {
  /** What of it cannot be put into resources now, for some client. Faults whose object is not known are the translator's alone. */
  readonly faults: readonly string[];
}

/** From catalog events to resources. Pure: no clock, no I/O; equal events give equal bytes. */
export interface Translator {
  /** Revision of the last event; undefined before the first snapshot. */
  readonly revision: Revision | undefined;
  /** How many services are known. */
  readonly services: number;
  /** How many resources are kept for clients, by type. */
  resources(): ReadonlyMap<TypeUrl, number>;
  /** Does ahead, in steps, most of the work of taking in an event. Takes nothing in: no view changes. */
  preparing(event: ChangeEvent): Steps<PreparedServices>;
  /**
   * Takes in one event and rebuilds what it touches, in steps. Views that were handed out change with the last of them; until then they are as
   * before, and no other one may be asked for. One event at a time. `prepared`: what was made ahead for it.
   */
  applying(event: ChangeEvent, prepared?: PreparedServices): Steps<TranslationChanges>;
  /** The same at once. */
  apply(event: ChangeEvent): TranslationChanges;
  /**
   * Does ahead, in steps, the work that the next `view` of a node has because it is the first of its kind; undefined where there is none. Nodes
   * of equal `kind` need it once. Events may be taken in between the steps.
   */
  preparingView(
    node: ProxyNode,
    trusted?: boolean,
    vhds?: boolean,
  ): { readonly kind: string; readonly steps: Steps<undefined> } | undefined;
  /** Takes in secrets that came, changed or went, and rebuilds what names them. Not between the steps of an event. */
  setSecrets(changes: SecretChanges): TranslationChanges;
  /**
   * What a node may see. Nodes of equal scope get the same object, which stays true until it is forgotten. Secrets are in it only for a router
   * that was found to be what it says (`trusted`). With `vhds`, virtual hosts are resources of their own.
   */
  view(node: ProxyNode, trusted?: boolean, vhds?: boolean): ResourceView;
  /** How every Istio object fares, by key. */
  rules(): readonly RuleReport[];
  /**
   * The nodes whose resources each of these objects (`<kind>/<namespace>/<name>`) has a part in, in their order. Work is proportional to the objects and to the
   * nodes that rules tell apart.
   */
  ruleUsers(keys: readonly string[], nodes: readonly ProxyNode[]): ReadonlyMap<string, readonly ProxyNode[]>;
  /** Lets go of a view that no client holds. The last 64 of them are kept true for those who come back. */
  forget(view: ResourceView): void;
}

/** Makes a translator with an empty catalog. Throws a MeshConfigError when a mesh setting cannot be used. */
export function createTranslator({
  mesh = {},
  domain = "cluster.local",
  shortNames = domain,
}: TranslatorOptions = {}): Translator {
  return new CatalogTranslator(meshSettings(mesh), domain, shortNames);
}

/** So many views are kept that nobody holds: what clients say decides which views there are, so there must be a bound. */
const maximumIdle = 64;

class CatalogTranslator implements Translator {
  readonly #settings: MeshSettings;
  readonly #book: RuleBook;
  readonly #directory: Directory;
  readonly #objects = new KnownObjects();
  readonly #patchers: Patchers;
  readonly #nodes: NodeScopes;
  readonly #secrets: RouterSecrets;
  readonly #scopes: BuiltScopes;
  readonly #owners = new Map<ResourceView, { readonly scope: string; readonly key: string }>();
  /** Views that nobody holds, the longest forgotten first. */
  readonly #idle = new Set<ResourceView>();
  /** Whether an event is being taken in. */
  #applying = false;
  #revision: Revision | undefined;

  constructor(settings: MeshSettings, domain: string, shortNames: NameDomain) {
    this.#settings = settings;
    this.#book = createRuleBook({
      rootNamespace: settings.rootNamespace,
      domain: shortNames,
      localityLoadBalancing: settings.localityLb,
    });
    this.#directory = new Directory(settings, this.#book);
    this.#patchers = new Patchers(this.#book);
    this.#nodes = new NodeScopes({
      settings,
      domain,
      book: this.#book,
      directory: this.#directory,
      patchers: this.#patchers,
    });
    this.#secrets = new RouterSecrets(this.#book);
    this.#scopes = new BuiltScopes({
      settings,
      book: this.#book,
      directory: this.#directory,
      nodes: this.#nodes,
      secrets: this.#secrets,
    });
  }

  get revision(): Revision | undefined {
    return this.#revision;
  }

  get services(): number {
    return this.#directory.size;
  }

  resources(): ReadonlyMap<TypeUrl, number> {
    return this.#scopes.resources();
  }

  *preparing(event: ChangeEvent): Steps<PreparedServices> {
    return yield* this.#directory.preparing((yield* this.#entriesOf(event)).upserted);
  }

  *#entriesOf(event: ChangeEvent): Steps<CatalogDelta["entries"]> {
    return event.type === "snapshot" ? yield* this.#directory.difference(event.catalog) : event.delta.entries;
  }

  apply(event: ChangeEvent): TranslationChanges {
    return atOnce(this.applying(event));
  }

  *applying(event: ChangeEvent, prepared?: PreparedServices): Steps<TranslationChanges> {
    this.#applying = true;
    try {
      return yield* this.#apply(event, prepared);
    } finally {
      this.#applying = false;
    }
  }

  *#apply(event: ChangeEvent, prepared: PreparedServices | undefined): Steps<TranslationChanges> {
    const objects =
      event.type === "snapshot"
        ? this.#objects.takeAll(event.catalog.objects)
        : this.#objects.take(event.delta.objects);
    const rules = yield* this.#book.applying(objects);
    yield;
    const entries = yield* this.#entriesOf(event);
    const touched = yield* this.#directory.applying(entries, rules, prepared);
    for (const part of this.#scopes.parts()) yield* part.updating(touched);
    if (this.#secrets.apply(objects, rules)) for (const table of this.#scopes.secretTables()) table.update();
    if (rules.envoyFilters.size > 0 || rules.signatures) this.#patchers.forget();
    const everyone = rules.signatures || rules.sidecars.size > 0 || rules.envoyFilters.size > 0;
    const views = yield* this.#scopes.changing();
    this.#scopes.settle();
    this.#revision = event.type === "snapshot" ? event.catalog.revision : event.revision;
    return { views, addresses: touched.addresses, everyone, faults: this.#faults() };
  }

  setSecrets(changes: SecretChanges): TranslationChanges {
    this.#secrets.set(changes);
    for (const table of this.#scopes.secretTables()) table.update();
    const views = atOnce(this.#scopes.changing());
    this.#scopes.settle();
    return { views, addresses: new Set(), everyone: false, faults: this.#faults() };
  }

  #faults(): readonly TranslationFault[] {
    return [
      ...this.#directory.faults,
      ...this.#scopes.parts().flatMap((part) => [...part.faults]),
      ...this.#scopes.secretTables().flatMap(({ faults }) => faults),
      ...this.#patchFaults(),
    ];
  }

  preparingView(node: ProxyNode, trusted = false, vhds = false) {
    const wanted = this.#nodes.of(node, trusted);
    if (this.#scopes.has(wanted.key)) return undefined;
    return { kind: `${vhds ? "vhds " : ""}${wanted.key}`, steps: this.#scopes.making(wanted, vhds) };
  }

  view(node: ProxyNode, trusted = false, vhds = false): ResourceView {
    if (this.#applying) throw new Error("a view was asked for while an event is taken in");
    const wanted = this.#nodes.of(node, trusted);
    const built = this.#scopes.take(wanted);
    const inbound = isCaptured(node) ? inboundOf(wanted, this.#directory, this.#book) : undefined;
    const key = `${vhds ? "vhds " : ""}${inbound === undefined ? "" : JSON.stringify(inbound)}`;
    let view = built.views.get(key);
    if (view === undefined) {
      view = inbound === undefined ? built.base : inboundLayer(built.base, inbound, styleOf(node), this.#settings);
      if (wanted.patcher !== undefined) view = new PatchedView(view, wanted.patcher);
      if (vhds) view = new DiscoveredHostsView(view);
      built.views.set(key, view);
      this.#owners.set(view, { scope: wanted.key, key });
    }
    this.#idle.delete(view);
    return view;
  }

  rules(): readonly RuleReport[] {
    const faults = new Map<string, string[]>();
    for (const { cause, objects = [], subject } of this.#faults()) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      for (const key of objects) {
        const own = subject === key.replace("/", " ");
        const text = own ? reason : `${subject}: ${reason}`;
        const told = faults.get(key) ?? [];
        if (!told.includes(text)) faults.set(key, [...told, text]);
      }
    }
    return this.#book.status().map((status) => ({ ...status, faults: faults.get(status.key) ?? [] }));
  }

  ruleUsers(keys: readonly string[], nodes: readonly ProxyNode[]): ReadonlyMap<string, readonly ProxyNode[]> {
    const use = new RuleUse(this.#book, this.#directory);
    const used = new Map<string, ReadonlySet<string>>();
    const users = new Map<string, ProxyNode[]>(keys.map((key) => [key, []]));
    for (const node of nodes) {
      const client = clientOf(node);
      const { listeners, type } = node;
      const like = JSON.stringify([type, listeners, client.namespace, this.#book.signature(client)]);
      let own = used.get(like);
      if (own === undefined) {
        const sidecar = type === "sidecar" ? this.#book.sidecar(client) : undefined;
        own = use.of(keys, { client, sidecar, serves: isRouter(node), patched: type !== "grpc" });
        used.set(like, own);
      }
      for (const key of own) users.get(key)?.push(node);
    }
    return users;
  }

  #patchFaults(): readonly TranslationFault[] {
    const below = [...this.#scopes.views()].map((view) => (view instanceof DiscoveredHostsView ? view.base : view));
    const patched = below.flatMap((view) => (view instanceof PatchedView ? view.faults : []));
    return [...this.#patchers.faults, ...patched.map(faultOf)];
  }

  forget(view: ResourceView): void {
    if (!this.#owners.has(view)) return;
    this.#idle.add(view);
    for (const oldest of this.#idle) {
      if (this.#idle.size <= maximumIdle) return;
      this.#idle.delete(oldest);
      this.#drop(oldest);
    }
  }

  #drop(view: ResourceView): void {
    const owner = this.#owners.get(view);
    const built = owner === undefined ? undefined : this.#scopes.get(owner.scope);
    if (owner === undefined || built === undefined) return;
    this.#owners.delete(view);
    built.views.delete(owner.key);
    this.#scopes.drop(owner.scope);
  }
}
