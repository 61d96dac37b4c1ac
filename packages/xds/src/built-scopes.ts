import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { Sidecar } from "@signalbox/istio-objects";
import { atOnce, type Steps } from "@signalbox/slices";
import { anyClient, type Rule, type RuleBook } from "@signalbox/traffic";
import type { ChangedNames, ResourceView } from "@signalbox/xds-server";
import type { Flavour } from "./compiled-service.ts";
import type { Directory, Touched } from "./directory.ts";
import { RouterScope } from "./gateway/router-scope.ts";
import { GrpcScope } from "./grpc-scope.ts";
import { JoinedTable } from "./joined-table.ts";
import type { MeshSettings } from "./mesh.ts";
import { fallbackOf, flavourOf, hasListeners, styleOf, wildcardsOf } from "./node-kind.ts";
import type { NodeScope, NodeScopes } from "./node-scope.ts";
import { OverlayTable } from "./overlay-table.ts";
import { ScopeOverlay } from "./scope-overlay.ts";
import { EnvoyScope, type Scope, type ScopeOptions } from "./scope.ts";
import { SecretTable, type RouterSecrets } from "./secrets/router-secrets.ts";
import { ServiceTables, SharedTables } from "./service-tables.ts";
import { SidecarScope } from "./sidecar-scope.ts";
import type { Table } from "./tables.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { DiscoveredHostsView } from "./vhds/discovered-hosts-view.ts";
import { splittingAhead } from "./vhds/split-table.ts";
import { TableView, type StagedView } from "./views.ts";

/** What scopes are made of. */
export interface BuiltScopesOptions {
  readonly settings: MeshSettings;
  readonly book: RuleBook;
  readonly directory: Directory;
  readonly nodes: NodeScopes;
  readonly secrets: RouterSecrets;
}

/** A part of a scope, or shared by several. */
interface Part {
  updating(touched: Touched): Steps<undefined>;
  readonly faults: Iterable<TranslationFault>;
  settle(): void;
}

/** What the clients of one kind get. */
export interface BuiltScope {
  readonly scope: Scope | undefined;
  readonly secrets: SecretTable | undefined;
  /** Undefined where the scope has clusters and assignments of its own. */
  readonly tables: ServiceTables | undefined;
  readonly clientKey: string;
  readonly base: TableView;
  /** Views of it that were taken, by what tells them apart. */
  readonly views: Map<string, StagedView>;
}

/** What is being put into a scope. */
interface Underway {
  readonly clientKey: string;
  /** In the order of their updates. */
  readonly parts: Part[];
}

/** So many scopes are kept that were made ahead and of which nobody has a view: a client may leave before its view is there. */
const maximumAhead = 8;

/** Makes scopes for kinds of clients, once each, and keeps what they share. */
export class BuiltScopes {
  readonly #settings: MeshSettings;
  readonly #book: RuleBook;
  readonly #directory: Directory;
  readonly #nodes: NodeScopes;
  readonly #secrets: RouterSecrets;
  readonly #sharedTables = new Map<Flavour, SharedTables>();
  /** By kind of client. */
  readonly #tables = new Map<string, ServiceTables>();
  readonly #sharedScopes = new Map<string, EnvoyScope>();
  readonly #scopes = new Map<string, BuiltScope>();
  /** Keys of scopes that were made ahead, the oldest first. */
  readonly #ahead = new Set<string>();
  /** Scopes that are being made. They follow events as finished ones do. */
  readonly #underway = new Set<Underway>();

  constructor({ book, directory, nodes, secrets, settings }: BuiltScopesOptions) {
    this.#settings = settings;
    this.#book = book;
    this.#directory = directory;
    this.#nodes = nodes;
    this.#secrets = secrets;
  }

  has(key: string): boolean {
    return this.#scopes.has(key);
  }

  get(key: string): BuiltScope | undefined {
    return this.#scopes.get(key);
  }

  /** The scope of a kind of clients, for whoever takes a view of it: made now where there is none. */
  take(wanted: NodeScope): BuiltScope {
    const built = this.#scopes.get(wanted.key) ?? atOnce(this.#building(wanted, false));
    this.#ahead.delete(wanted.key);
    return built;
  }

  /** All views that were taken. */
  *views(): Iterable<StagedView> {
    for (const { views } of this.#scopes.values()) yield* views.values();
  }

  /** Makes a scope ahead, in steps, where there is none; with `vhds`, also what a view with virtual hosts one by one has more. */
  *making(wanted: NodeScope, vhds: boolean): Steps<undefined> {
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
      this.drop(oldest);
    }
  }

  /** The secrets of all scopes that have any. */
  secretTables(): readonly SecretTable[] {
    return [...this.#scopes.values()].flatMap(({ secrets }) => (secrets === undefined ? [] : [secrets]));
  }

  /** How many resources are kept, by type. */
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

  /** All parts in the order of their updates: what is shared comes first. */
  parts(): readonly Part[] {
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

  /** Lets go of a scope without views, and of what only it had. */
  drop(key: string): void {
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
      // Nobody told it of secrets that came meanwhile.
      made.secrets?.update();
      made.secrets?.settle();
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
    const tables = new SharedTables(this.#directory.sight(anyClient), flavour, this.#settings);
    yield;
    const made = yield* filled(tables, parts);
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
  *changing(): Steps<ReadonlyMap<ResourceView, ChangedNames>> {
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
  settle(): void {
    for (const part of this.parts()) part.settle();
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
