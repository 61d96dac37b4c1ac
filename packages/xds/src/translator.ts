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
import { PatchedView } from "./patches/patched-view.ts";
import { faultOf, Patchers } from "./patches/patchers.ts";
import { RuleUse } from "./rule-use.ts";
import { ScopeOverlay } from "./scope-overlay.ts";
import { EnvoyScope, type Scope, type ScopeOptions } from "./scope.ts";
import { RouterSecrets, SecretTable, type SecretChanges } from "./secrets/router-secrets.ts";
import { ServiceTables, SharedTables } from "./service-tables.ts";
import { SidecarScope } from "./sidecar-scope.ts";
import { atOnce, type Steps } from "@signalbox/slices";
import type { Table } from "./tables.ts";
import { DiscoveredHostsView } from "./vhds/discovered-hosts-view.ts";
import { splittingAhead } from "./vhds/split-table.ts";
import { TableView, type StagedView } from "./views.ts";

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

/** A part of a scope, or shared by several. */
interface Part {
  updating(touched: Touched): Steps<undefined>;
  readonly faults: Iterable<TranslationFault>;
  settle(): void;
}

interface BuiltScope {
  readonly scope: Scope | undefined;
  readonly secrets: SecretTable | undefined;
  /** Undefined where the scope has clusters and assignments of its own. */
  readonly tables: ServiceTables | undefined;
  readonly clientKey: string;
  readonly base: TableView;
  readonly views: Map<string, StagedView>;
}

/** What is being put into a scope. */
interface Underway {
  readonly clientKey: string;
  /** In the order of their updates. */
  readonly parts: Part[];
}

/** So many views are kept that nobody holds: what clients say decides which views there are, so there must be a bound. */
const maximumIdle = 64;

/** So many scopes are kept that were made ahead and of which nobody has a view: a client may leave before its view is there. */
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
  /** By kind of client. */
  readonly #tables = new Map<string, ServiceTables>();
  readonly #sharedScopes = new Map<string, EnvoyScope>();
  readonly #scopes = new Map<string, BuiltScope>();
  readonly #owners = new Map<ResourceView, { readonly scope: string; readonly key: string }>();
  /** Views that nobody holds, the longest forgotten first. */
  readonly #idle = new Set<ResourceView>();
  /** Keys of scopes that were made ahead, the oldest first. */
  readonly #ahead = new Set<string>();
  /** Scopes that are being made. They follow events as finished ones do. */
  readonly #underway = new Set<Underway>();
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
    for (const { scope, secrets, views } of this.#scopes.values()) {
      for (const view of views.values())
        if (view instanceof DiscoveredHostsView) add(typeUrls.virtualHost, view.resources(typeUrls.virtualHost).size);
      if (secrets !== undefined) add(typeUrls.secret, secrets.resources.size);
      if (scope === undefined) continue;
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
    const touched = yield* this.#directory.applying(this.#entriesOf(event), rules, prepared);
    for (const part of this.#parts()) yield* part.updating(touched);
    if (this.#secrets.apply(objects, rules)) for (const table of this.#secretTables()) table.update();
    if (rules.envoyFilters.size > 0 || rules.signatures) this.#patchers.forget();
    const everyone = rules.signatures || rules.sidecars.size > 0 || rules.envoyFilters.size > 0;
    const views = yield* this.#changing();
    this.#settle();
    this.#revision = event.type === "snapshot" ? event.catalog.revision : event.revision;
    return { views, addresses: touched.addresses, everyone, faults: this.#faults() };
  }

  setSecrets(changes: SecretChanges): TranslationChanges {
    this.#secrets.set(changes);
    for (const table of this.#secretTables()) table.update();
    const views = atOnce(this.#changing());
    this.#settle();
    return { views, addresses: new Set(), everyone: false, faults: this.#faults() };
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

  preparingView(node: ProxyNode, trusted = false, vhds = false) {
    const wanted = this.#nodes.of(node, trusted);
    if (this.#scopes.has(wanted.key)) return undefined;
    return { kind: `${vhds ? "vhds " : ""}${wanted.key}`, steps: this.#preparing(wanted, vhds) };
  }

  *#preparing(wanted: NodeScope, vhds: boolean): Steps<undefined> {
    if (this.#scopes.has(wanted.key)) return undefined;
    const { views } = yield* this.#building(wanted, vhds);
    if (views.size === 0) this.#keepAhead(wanted.key);
    return undefined;
  }

  /** Keeps a scope that was made before anybody took a view of it. */
  #keepAhead(key: string): void {
    this.#ahead.add(key);
    for (const oldest of this.#ahead) {
      if (this.#ahead.size <= maximumAhead) return;
      this.#ahead.delete(oldest);
      this.#dropScope(oldest);
    }
  }

  view(node: ProxyNode, trusted = false, vhds = false): ResourceView {
    if (this.#applying) throw new Error("a view was asked for while an event is taken in");
    const wanted = this.#nodes.of(node, trusted);
    let built = this.#scopes.get(wanted.key);
    if (built === undefined) {
      built = atOnce(this.#building(wanted, false));
    }
    this.#ahead.delete(wanted.key);
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
  #parts(): readonly Part[] {
    const scopes = [...this.#scopes.values()].flatMap(({ scope }) => (scope === undefined ? [] : [scope]));
    const underway = [...this.#underway].flatMap(({ parts }) => parts);
    const finished = [
      ...this.#sharedTables.values(),
      ...this.#tables.values(),
      ...this.#sharedScopes.values(),
      ...scopes,
    ];
    return [...new Set<Part>([...finished, ...underway])];
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
    this.#dropScope(owner.scope);
  }

  /** Lets go of a scope without views, and of what only it had. */
  #dropScope(key: string): void {
    const built = this.#scopes.get(key);
    if (built === undefined || built.views.size > 0) return;
    this.#scopes.delete(key);
    this.#forgetUnused(built.clientKey);
  }

  #forgetUnused(clientKey: string): void {
    const scopes = [...this.#scopes.values()];
    const underway = [...this.#underway];
    if (![...scopes, ...underway].some((one) => one.clientKey === clientKey)) this.#nodes.forgetClient(clientKey);
    const used = new Set<unknown>([
      ...underway.flatMap(({ parts }) => parts),
      ...scopes.flatMap(({ scope, tables }) => [tables, scope instanceof ScopeOverlay ? scope.base : undefined]),
    ]);
    for (const [kind, tables] of this.#tables) {
      if (used.has(tables)) used.add(tables.shared);
      else this.#tables.delete(kind);
    }
    for (const [flavour, shared] of this.#sharedTables) if (!used.has(shared)) this.#sharedTables.delete(flavour);
    for (const [options, shared] of this.#sharedScopes) if (!used.has(shared)) this.#sharedScopes.delete(options);
  }

  /** Makes a scope in steps; with `vhds`, also what a view with virtual hosts one by one has more. */
  *#building(wanted: NodeScope, vhds: boolean): Steps<BuiltScope> {
    const underway: Underway = { clientKey: wanted.clientKey, parts: [] };
    this.#underway.add(underway);
    try {
      const made = yield* this.#build(wanted, underway.parts);
      yield* this.#makingViews(wanted, made.base, vhds);
      // Somebody who could not wait may have one by now.
      const built = this.#scopes.get(wanted.key) ?? made;
      this.#scopes.set(wanted.key, built);
      return built;
    } finally {
      this.#underway.delete(underway);
      this.#forgetUnused(wanted.clientKey);
    }
  }

  /** What views of a scope are made of beside its tables: whoever makes them finds it done. */
  *#makingViews({ patcher }: NodeScope, base: TableView, vhds: boolean): Steps<undefined> {
    for (const [type, { resources }] of patcher === undefined ? [] : base.tables) {
      for (const resource of patcher?.concerns(type) === true ? [...resources.values()] : []) {
        patcher?.patch(type, resource);
        yield;
      }
    }
    if (vhds) yield* splittingAhead([...base.resources(typeUrls.route).values()]);
    return undefined;
  }

  *#build(wanted: NodeScope, parts: Part[]): Steps<BuiltScope> {
    const { client, clientKey, node, sidecar } = wanted;
    if (sidecar !== undefined && sidecar.spec.egress.length > 0) {
      const scope = this.#behindSidecar(wanted, sidecar);
      yield* filled(scope, parts);
      const base = tableView(scope.tables, scope);
      return { scope, tables: undefined, clientKey, base, secrets: undefined, views: new Map() };
    }
    const flavour = flavourOf(node);
    const tablesKey = JSON.stringify([flavour, clientKey]);
    let tables = this.#tables.get(tablesKey);
    if (tables === undefined) {
      tables = new ServiceTables(this.#directory, yield* this.#sharedTablesOf(flavour, parts), client);
      yield* filled(tables, parts);
      tables = setOnce(this.#tables, tablesKey, tables);
    } else parts.push(tables);
    const scope = yield* this.#buildScope(wanted, parts);
    const secrets = wanted.secrets ? new SecretTable(this.#secrets, client) : undefined;
    const base = tableView(tables, scope, secrets);
    return { scope, secrets, tables, clientKey, base, views: new Map() };
  }

  *#buildScope(wanted: NodeScope, parts: Part[]): Steps<Scope | undefined> {
    const { client, dnsDomain, node, settings, targets } = wanted;
    if (targets !== undefined) {
      const router = new RouterScope({
        book: this.#book,
        client,
        sight: this.#directory.sight(client),
        find: (host) => this.#directory.reached(host, client.namespace),
        settings,
        targetPorts: targets,
        style: { wildcards: wildcardsOf(node.addresses), privileged: node.privileged },
      });
      return yield* filled(router, parts);
    }
    if (node.type === "grpc")
      return yield* filled(new GrpcScope(this.#directory.sight(client), dnsDomain, settings), parts);
    const options = scopeOptions(wanted);
    if (options === undefined) return undefined;
    const base = yield* this.#sharedScopeOf(options, settings, parts);
    return yield* filled(new ScopeOverlay(this.#directory, base, client, dnsDomain), parts);
  }

  *#sharedTablesOf(flavour: Flavour, parts: Part[]): Steps<SharedTables> {
    const known = this.#sharedTables.get(flavour);
    if (known !== undefined) {
      parts.push(known);
      return known;
    }
    const made = yield* filled(new SharedTables(this.#directory.sight(anyClient), flavour, this.#settings, []), parts);
    return setOnce(this.#sharedTables, flavour, made);
  }

  *#sharedScopeOf(options: ScopeOptions, settings: MeshSettings, parts: Part[]): Steps<EnvoyScope> {
    const key = JSON.stringify([options, settings.registryOnly]);
    const known = this.#sharedScopes.get(key);
    if (known !== undefined) {
      parts.push(known);
      return known;
    }
    const made = yield* filled(new EnvoyScope(this.#directory.sight(anyClient), settings, options), parts);
    return setOnce(this.#sharedScopes, key, made);
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

  /** What is staged, as the views have it that were handed out. */
  *#changing(): Steps<ReadonlyMap<ResourceView, ChangedNames>> {
    const views = new Map<ResourceView, ChangedNames>();
    for (const { base, views: handedOut } of [...this.#scopes.values()]) {
      yield;
      const changed = nonEmpty([...base.tables].map(([type, table]) => [type, table.changed] as const));
      if (changed.size === 0) continue;
      for (const view of [...handedOut.values()]) {
        const seen = yield* view.changing(changed);
        if (seen.size > 0) views.set(view, seen);
      }
    }
    return views;
  }

  /** Shows what is staged, in all views at once. */
  #settle(): void {
    for (const part of this.#parts()) part.settle();
    for (const { secrets, views } of this.#scopes.values()) {
      secrets?.settle();
      for (const view of views.values()) view.settle();
    }
  }
}

/** Puts into a part what belongs there, while it follows events. */
function* filled<T extends Part & { filling(): Steps<undefined> }>(part: T, parts: Part[]): Steps<T> {
  parts.push(part);
  yield* part.filling();
  return part;
}

/** The value of a key, which is this one where there is none yet. */
function setOnce<K, V>(map: Map<K, V>, key: K, value: V): V {
  const known = map.get(key);
  if (known !== undefined) return known;
  map.set(key, value);
  return value;
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

/** What the listeners and routes depend on that all namespaces share; undefined for clients that take none. */
function scopeOptions({ dnsDomain, node, settings }: NodeScope): ScopeOptions | undefined {
  if (!hasListeners(node)) return undefined;
  return { dnsDomain: searchedBy(dnsDomain), style: styleOf(node), fallback: fallbackOf(node, settings) };
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
