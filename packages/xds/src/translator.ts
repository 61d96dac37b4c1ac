import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import type { Sidecar } from "@signalbox/istio-objects";
import type { CatalogDelta, Revision } from "@signalbox/model";
import {
  anyClient,
  createRuleBook,
  type NameDomain,
  type Rule,
  type RuleBook,
  type RuleStatus,
} from "@signalbox/traffic";
import type { ChangedNames, ResourceView } from "@signalbox/xds-server";
import type { Flavour } from "./compiled-service.ts";
import { Directory, type PreparedServices, type Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { RouterScope } from "./gateway/router-scope.ts";
import { GrpcScope } from "./grpc-scope.ts";
import { inboundLayer, inboundOf } from "./inbound-layer.ts";
import { JoinedTable } from "./joined-table.ts";
import { KnownObjects } from "./known-objects.ts";
import { meshSettings, type MeshConfig, type MeshSettings } from "./mesh.ts";
import {
  clientOf,
  fallbackOf,
  flavourOf,
  hasListeners,
  isCaptured,
  isRouter,
  styleOf,
  wildcardsOf,
} from "./node-kind.ts";
import { NodeScopes, type NodeScope } from "./node-scope.ts";
import type { ProxyNode } from "./node.ts";
import { OverlayTable } from "./overlay-table.ts";
import { PartsAhead } from "./parts-ahead.ts";
import { PatchedView } from "./patches/patched-view.ts";
import { faultOf, Patchers } from "./patches/patchers.ts";
import { RuleUse } from "./rule-use.ts";
import { ScopeOverlay } from "./scope-overlay.ts";
import { EnvoyScope, type Scope, type ScopeOptions } from "./scope.ts";
import { RouterSecrets, SecretTable, type SecretChanges } from "./secrets/router-secrets.ts";
import { ServiceTables, SharedTables } from "./service-tables.ts";
import { SidecarScope } from "./sidecar-scope.ts";
import type { Steps } from "@signalbox/slices";
import type { Table } from "./tables.ts";
import { changedIn, DiscoveredHostsView } from "./vhds/discovered-hosts-view.ts";
import { TableView } from "./views.ts";

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
  readonly addresses: ReadonlySet<string>;
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
  /** Takes in one event and rebuilds what it touches. Views that were handed out change with it. `prepared`: what was made ahead for it. */
  apply(event: ChangeEvent, prepared?: PreparedServices): TranslationChanges;
  /**
   * Does ahead, in steps, most of the work that the next `view` of a node has because it is the first of its kind; undefined where that is
   * little. Nodes of equal `kind` need it once.
   */
  preparingView(
    node: ProxyNode,
    trusted?: boolean,
  ): { readonly kind: string; readonly steps: Steps<undefined> } | undefined;
  /** Takes in secrets that came, changed or went, and rebuilds what names them. */
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

interface BuiltScope {
  readonly scope: Scope | undefined;
  readonly secrets: SecretTable | undefined;
  /** Undefined where the scope has clusters and assignments of its own. */
  readonly tables: string | undefined;
  readonly clientKey: string;
  readonly base: TableView;
  readonly views: Map<string, ResourceView>;
}

/** A scope that belongs to one kind of views alone. */
type OwnScope = GrpcScope | RouterScope | SidecarScope;

/** So many views are kept that nobody holds: what clients say decides which views there are, so there must be a bound. */
const maximumIdle = 64;

/** So many shared scopes are kept that were made ahead and that no view has taken up: a client may leave before its view is there. */
const maximumAhead = 8;

class CatalogTranslator implements Translator {
  readonly #settings: MeshSettings;
  readonly #book: RuleBook;
  readonly #directory: Directory;
  readonly #objects = new KnownObjects();
  readonly #patchers: Patchers;
  readonly #nodes: NodeScopes;
  readonly #secrets: RouterSecrets;
  readonly #sharedTables = new Map<Flavour, SharedTables>();
  readonly #tables = new Map<string, ServiceTables>();
  readonly #sharedScopes = new Map<string, EnvoyScope>();
  readonly #scopes = new Map<string, BuiltScope>();
  readonly #owners = new Map<ResourceView, { readonly scope: string; readonly key: string }>();
  /** Views that nobody holds, the longest forgotten first. */
  readonly #idle = new Set<ResourceView>();
  readonly #tablesAhead = new PartsAhead<SharedTables>();
  readonly #sharedAhead = new PartsAhead<EnvoyScope>();
  readonly #ownAhead = new PartsAhead<OwnScope>();
  /** Shared scopes that were made ahead, by key, the oldest first. */
  readonly #ahead = new Set<string>();
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
  }

  get revision(): Revision | undefined {
    return this.#revision;
  }

  get services(): number {
    return this.#directory.size;
  }

  resources(): ReadonlyMap<TypeUrl, number> {
    const counts = new Map<TypeUrl, number>();
    const add = (type: TypeUrl, count: number) => counts.set(type, (counts.get(type) ?? 0) + count);
    for (const { clusters, assignments } of this.#sharedTables.values()) {
      add(typeUrls.cluster, clusters.resources.size);
      add(typeUrls.endpoint, assignments.resources.size);
    }
    for (const { clusters, assignments } of this.#tables.values()) {
      add(typeUrls.cluster, clusters.own.resources.size);
      add(typeUrls.endpoint, assignments.own.resources.size);
    }
    for (const { listeners, routes } of this.#sharedScopes.values()) {
      add(typeUrls.listener, listeners.resources.size);
      add(typeUrls.route, routes.resources.size);
    }
    for (const { secrets, views } of this.#scopes.values()) {
      for (const view of views.values())
        if (view instanceof DiscoveredHostsView) add(typeUrls.virtualHost, view.resources(typeUrls.virtualHost).size);
      if (secrets !== undefined) add(typeUrls.secret, secrets.resources.size);
    }
    const scopes = [...this.#scopes.values()].flatMap(({ scope }) => (scope === undefined ? [] : [scope]));
    for (const scope of [...scopes, ...this.#ownAhead.full]) {
      const { listeners, routes } = scope;
      if (scope instanceof RouterScope) add(typeUrls.cluster, scope.clusters.resources.size);
      add(typeUrls.listener, (listeners instanceof OverlayTable ? listeners.own : listeners).resources.size);
      add(typeUrls.route, (routes instanceof OverlayTable ? routes.own : routes).resources.size);
    }
    return counts;
  }

  *preparing(event: ChangeEvent): Steps<PreparedServices> {
    return yield* this.#directory.preparing(this.#entriesOf(event).upserted);
  }

  #entriesOf(event: ChangeEvent): CatalogDelta["entries"] {
    return event.type === "snapshot" ? this.#directory.difference(event.catalog) : event.delta.entries;
  }

  apply(event: ChangeEvent, prepared?: PreparedServices): TranslationChanges {
    const objects =
      event.type === "snapshot"
        ? this.#objects.takeAll(event.catalog.objects)
        : this.#objects.take(event.delta.objects);
    const rules = this.#book.apply(objects);
    const touched = this.#directory.apply(this.#entriesOf(event), rules, prepared);
    const parts = this.#parts();
    for (const part of parts) part.update(touched);
    if (this.#secrets.apply(objects, rules)) for (const table of this.#secretTables()) table.update();
    if (rules.envoyFilters.size > 0 || rules.signatures) this.#patchers.forget();
    const everyone = rules.signatures || rules.sidecars.size > 0 || rules.envoyFilters.size > 0;
    this.#revision = event.type === "snapshot" ? event.catalog.revision : event.revision;
    const views = this.#takeChanges();
    return { views, addresses: touched.addresses, everyone, faults: this.#faults() };
  }

  setSecrets(changes: SecretChanges): TranslationChanges {
    this.#secrets.set(changes);
    for (const table of this.#secretTables()) table.update();
    return { views: this.#takeChanges(), addresses: new Set(), everyone: false, faults: this.#faults() };
  }

  #secretTables(): readonly SecretTable[] {
    return [...this.#scopes.values()].flatMap(({ secrets }) => (secrets === undefined ? [] : [secrets]));
  }

  #faults(): readonly TranslationFault[] {
    return [
      ...this.#directory.faults,
      ...this.#parts().flatMap((part) => [...part.faults]),
      ...this.#secretTables().flatMap(({ faults }) => faults),
      ...this.#patchFaults(),
    ];
  }

  preparingView(node: ProxyNode, trusted = false) {
    const wanted = this.#nodes.of(node, trusted);
    if (this.#scopes.has(wanted.key) || this.#isPrepared(wanted)) return undefined;
    // Nobody may ask for the view after all.
    if (![...this.#scopes.values()].some(({ clientKey }) => clientKey === wanted.clientKey))
      this.#nodes.forgetClient(wanted.clientKey);
    const options = this.#sharedOptions(wanted);
    const what = hasOwnScope(wanted) ? wanted.key : [options, wanted.settings.registryOnly];
    return { kind: JSON.stringify([flavourOf(node), what]), steps: this.#preparingView(wanted) };
  }

  #isPrepared(wanted: NodeScope): boolean {
    if (hasOwnScope(wanted) && !this.#ownAhead.has(wanted.key)) return false;
    if (isBehindSidecar(wanted)) return true;
    if (!this.#sharedTables.has(flavourOf(wanted.node))) return false;
    const options = this.#sharedOptions(wanted);
    return options === undefined || this.#sharedScopes.has(sharedScopeKey(options, wanted.settings));
  }

  /** Makes what is costly and hands it over where it is shared, or keeps it for the view. Events that come meanwhile change it as all the rest. */
  *#preparingView(wanted: NodeScope): Steps<undefined> {
    const { key, node, settings } = wanted;
    const flavour = flavourOf(node);
    if (!isBehindSidecar(wanted) && !this.#sharedTables.has(flavour)) {
      yield* this.#tablesAhead.making(flavour, () => this.#emptyTables(flavour));
      if (this.#tablesAhead.has(flavour)) this.#shareTables(flavour);
    }
    if (hasOwnScope(wanted)) return yield* this.#ownAhead.making(key, () => this.#emptyScope(wanted));
    const options = this.#sharedOptions(wanted);
    if (options === undefined) return undefined;
    const sharedKey = sharedScopeKey(options, settings);
    if (this.#sharedScopes.has(sharedKey)) return undefined;
    yield* this.#sharedAhead.making(sharedKey, () => this.#emptySharedScope(options, settings));
    if (!this.#sharedAhead.has(sharedKey)) return undefined;
    this.#shareScope(options, settings);
    this.#keepAhead(sharedKey);
    return undefined;
  }

  /** What is made ahead for views that are not there yet, what is shared first. All of it follows events. */
  #underConstruction(): readonly (SharedTables | Scope)[] {
    return [...this.#tablesAhead.all, ...this.#sharedAhead.all, ...this.#ownAhead.all];
  }

  #keepAhead(key: string): void {
    this.#ahead.add(key);
    for (const oldest of this.#ahead) {
      if (this.#ahead.size <= maximumAhead) return;
      this.#ahead.delete(oldest);
      const made = this.#sharedScopes.get(oldest);
      if (made !== undefined && !this.#isUsed(made)) this.#sharedScopes.delete(oldest);
    }
  }

  /** Is a scope below that of some view? */
  #isUsed(shared: EnvoyScope): boolean {
    return [...this.#scopes.values()].some(({ scope }) => scope instanceof ScopeOverlay && scope.base === shared);
  }

  view(node: ProxyNode, trusted = false, vhds = false): ResourceView {
    const wanted = this.#nodes.of(node, trusted);
    let built = this.#scopes.get(wanted.key);
    if (built === undefined) {
      built = this.#build(wanted);
      this.#scopes.set(wanted.key, built);
    }
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
    const views = [...this.#scopes.values()].flatMap((built) => [...built.views.values()]);
    const below = views.map((view) => (view instanceof DiscoveredHostsView ? view.base : view));
    const patched = below.flatMap((view) => (view instanceof PatchedView ? view.faults : []));
    return [...this.#patchers.faults, ...patched.map(faultOf)];
  }

  /** All parts in the order of their updates: what is shared comes first. */
  #parts(): readonly { update(touched: Touched): void; readonly faults: Iterable<TranslationFault> }[] {
    const scopes = [...this.#scopes.values()].flatMap(({ scope }) => (scope === undefined ? [] : [scope]));
    return [
      ...this.#sharedTables.values(),
      ...this.#tables.values(),
      ...this.#sharedScopes.values(),
      ...scopes,
      ...this.#underConstruction(),
    ];
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
    if (built.views.size > 0) return;
    this.#scopes.delete(owner.scope);
    const left = [...this.#scopes.values()];
    if (built.tables !== undefined && !left.some(({ tables }) => tables === built.tables))
      this.#tables.delete(built.tables);
    if (!left.some(({ clientKey }) => clientKey === built.clientKey)) this.#nodes.forgetClient(built.clientKey);
    for (const [flavour, shared] of this.#sharedTables)
      if (![...this.#tables.values()].some((tables) => tables.shared === shared)) this.#sharedTables.delete(flavour);
    for (const [key, shared] of this.#sharedScopes) if (!this.#isUsed(shared)) this.#sharedScopes.delete(key);
  }

  #build(wanted: NodeScope): BuiltScope {
    const { client, clientKey, key, node } = wanted;
    const own = hasOwnScope(wanted) ? this.#ownAhead.take(key, () => this.#emptyScope(wanted)) : undefined;
    if (own instanceof SidecarScope) {
      return {
        scope: own,
        tables: undefined,
        clientKey,
        base: tableView(own.tables, own),
        secrets: undefined,
        views: new Map(),
      };
    }
    const flavour = flavourOf(node);
    const tablesKey = JSON.stringify([flavour, clientKey]);
    let tables = this.#tables.get(tablesKey);
    if (tables === undefined) {
      tables = new ServiceTables(this.#directory, this.#shareTables(flavour), client);
      this.#tables.set(tablesKey, tables);
    }
    const scope = own ?? this.#buildScope(wanted);
    const secrets = wanted.secrets ? new SecretTable(this.#secrets, client) : undefined;
    const base = tableView(tables, scope, secrets);
    return { scope, secrets, tables: tablesKey, clientKey, base, views: new Map() };
  }

  /** A scope that its view does not share with other kinds of views. */
  #emptyScope(wanted: NodeScope): OwnScope {
    const { client, dnsDomain, node, settings, sidecar, targets } = wanted;
    const sight = this.#directory.sight(client);
    if (sidecar !== undefined && isBehindSidecar(wanted)) return this.#behindSidecar(wanted, sidecar);
    if (targets === undefined) return new GrpcScope(sight, dnsDomain, settings);
    return new RouterScope({
      book: this.#book,
      client,
      sight,
      find: (host) => this.#directory.reached(host, client.namespace),
      settings,
      targetPorts: targets,
      style: { wildcards: wildcardsOf(node.addresses), privileged: node.privileged },
    });
  }

  #behindSidecar({ client, dnsDomain, node, settings }: NodeScope, sidecar: Rule<Sidecar>): SidecarScope {
    return new SidecarScope({
      directory: this.#directory,
      book: this.#book,
      client,
      sidecar,
      flavour: flavourOf(node),
      settings,
      scope: hasListeners(node) ? { dnsDomain, style: styleOf(node), fallback: fallbackOf(node, settings) } : undefined,
    });
  }

  /** A scope on top of one that views share. */
  #buildScope(wanted: NodeScope): Scope | undefined {
    const { client, dnsDomain, settings } = wanted;
    const options = this.#sharedOptions(wanted);
    if (options === undefined) return undefined;
    return new ScopeOverlay(this.#directory, this.#shareScope(options, settings), client, dnsDomain);
  }

  /** What the shared scope of a node depends on; undefined where it has none. */
  #sharedOptions(wanted: NodeScope): ScopeOptions | undefined {
    return hasOwnScope(wanted) ? undefined : scopeOptions(wanted);
  }

  #shareScope(options: ScopeOptions, settings: MeshSettings): EnvoyScope {
    const key = sharedScopeKey(options, settings);
    let shared = this.#sharedScopes.get(key);
    if (shared === undefined) {
      shared = this.#sharedAhead.take(key, () => this.#emptySharedScope(options, settings));
      this.#sharedScopes.set(key, shared);
    }
    return shared;
  }

  #emptySharedScope(options: ScopeOptions, settings: MeshSettings): EnvoyScope {
    return new EnvoyScope(this.#directory.sight(anyClient), settings, options);
  }

  #shareTables(flavour: Flavour): SharedTables {
    let shared = this.#sharedTables.get(flavour);
    if (shared === undefined) {
      shared = this.#tablesAhead.take(flavour, () => this.#emptyTables(flavour));
      this.#sharedTables.set(flavour, shared);
    }
    return shared;
  }

  #emptyTables(flavour: Flavour): SharedTables {
    return new SharedTables(this.#directory.sight(anyClient), flavour, this.#settings, []);
  }

  #takeChanges(): ReadonlyMap<ResourceView, ChangedNames> {
    const views = new Map<ResourceView, ChangedNames>();
    for (const { base, views: handedOut } of this.#scopes.values()) {
      const changed = nonEmpty([...base.tables].map(([type, table]) => [type, table.changed] as const));
      if (changed.size === 0) continue;
      for (const view of handedOut.values()) {
        const seen = changedIn(view, changed);
        if (seen.size > 0) views.set(view, seen);
      }
    }
    for (const tables of [...this.#sharedTables.values(), ...this.#tables.values()]) tables.settle();
    for (const scope of this.#sharedScopes.values()) scope.settle();
    for (const { scope, secrets } of this.#scopes.values()) {
      scope?.settle();
      secrets?.settle();
    }
    // Nobody has seen any of it: what changed in it is no change for whoever will have it.
    for (const part of this.#underConstruction()) part.settle();
    return views;
  }
}

function tableView(
  { assignments, clusters }: Record<"clusters" | "assignments", Table>,
  scope: Scope | undefined,
  secrets?: SecretTable,
): TableView {
  return new TableView(
    new Map([
      [typeUrls.cluster, scope instanceof RouterScope ? new JoinedTable(clusters, scope.clusters) : clusters],
      [typeUrls.endpoint, assignments],
      ...(scope === undefined
        ? []
        : ([
            [typeUrls.listener, scope.listeners],
            [typeUrls.route, scope.routes],
          ] as const)),
      ...(secrets === undefined ? [] : ([[typeUrls.secret, secrets]] as const)),
    ]),
  );
}

/** Does a Sidecar with egress listeners decide all that a node gets? */
function isBehindSidecar({ sidecar }: NodeScope): boolean {
  return (sidecar?.spec.egress.length ?? 0) > 0;
}

/** Has the node a scope that it shares with nodes of equal scope only? */
function hasOwnScope(wanted: NodeScope): boolean {
  return isBehindSidecar(wanted) || wanted.targets !== undefined || wanted.node.type === "grpc";
}

/** What the listeners and routes depend on that all namespaces share; undefined for clients that take none. */
function scopeOptions({ dnsDomain, node, settings }: NodeScope): ScopeOptions | undefined {
  if (!hasListeners(node)) return undefined;
  return { dnsDomain: searchedBy(dnsDomain), style: styleOf(node), fallback: fallbackOf(node, settings) };
}

function sharedScopeKey(options: ScopeOptions, { registryOnly }: MeshSettings): string {
  return JSON.stringify([options, registryOnly]);
}

/** The part of a DNS domain that all its namespaces have in common: from `svc` on. */
function searchedBy(dnsDomain: string): string {
  const labels = dnsDomain.split(".");
  const service = labels.indexOf("svc");
  return service < 0 ? "" : labels.slice(service).join(".");
}

function nonEmpty(changes: readonly (readonly [TypeUrl, ReadonlySet<string>])[]): ChangedNames {
  const kept = new Map<TypeUrl, ReadonlySet<string>>();
  for (const [type, names] of changes) if (names.size > 0) kept.set(type, names);
  return kept;
}
