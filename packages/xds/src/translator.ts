import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import type { Revision } from "@signalbox/model";
import { resourceOf, type ChangedNames, type ResourceView } from "@signalbox/xds-server";
import { inboundClusters } from "./clusters.ts";
import type { Flavour } from "./compiled-service.ts";
import { Directory, type Touched, type TranslationFault } from "./directory.ts";
import { GrpcScope } from "./grpc-scope.ts";
import { inboundPorts, virtualInbound, type InboundPort } from "./inbound.ts";
import { meshSettings, type MeshConfig, type MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import type { ProxyNode } from "./node.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import { OverlayTable } from "./overlay-table.ts";
import type { Fallback } from "./routes.ts";
import { ScopeOverlay } from "./scope-overlay.ts";
import { EnvoyScope, type Scope } from "./scope.ts";
import { ServiceTables, SharedTables } from "./service-tables.ts";
import { TableView, LayeredView } from "./views.ts";

/** What a translator is made from. */
export interface TranslatorOptions {
  readonly mesh?: MeshConfig;
  /** DNS domain of the cluster, for nodes that name only their namespace. Default `cluster.local`. */
  readonly domain?: string;
}

/** What one event changed. */
export interface TranslationChanges {
  /** Names that changed, for each view that was handed out and has any. */
  readonly views: ReadonlyMap<ResourceView, ChangedNames>;
  /** Nodes with one of these addresses may have another view now: ask again. */
  readonly addresses: ReadonlySet<string>;
  /** All that cannot be translated now and stays as it was, whichever event brought it. */
  readonly faults: readonly TranslationFault[];
}

/** From catalog events to resources. Pure: no clock, no I/O; equal events give equal bytes. */
export interface Translator {
  /** Revision of the last event; undefined before the first snapshot. */
  readonly revision: Revision | undefined;
  /** How many services are known. */
  readonly services: number;
  /** How many resources are kept for clients, by type. */
  resources(): ReadonlyMap<TypeUrl, number>;
  /** Takes in one event and rebuilds what it touches. Views that were handed out change with it. */
  apply(event: ChangeEvent): TranslationChanges;
  /** What a node may see. Nodes of equal scope get the same object, which stays true until it is forgotten. */
  view(node: ProxyNode): ResourceView;
  /** Lets go of a view that no client holds. The last 64 of them are kept true for those who come back. */
  forget(view: ResourceView): void;
}

/** Makes a translator with an empty catalog. Throws a MeshConfigError when a mesh setting cannot be used. */
export function createTranslator({ mesh = {}, domain = "cluster.local" }: TranslatorOptions = {}): Translator {
  return new CatalogTranslator(meshSettings(mesh), domain);
}

interface BuiltScope {
  readonly scope: Scope | undefined;
  readonly tables: string;
  readonly base: TableView;
  readonly views: Map<string, ResourceView>;
}

const nothing = { listeners: false } as const;

/** So many views are kept that nobody holds: what clients say decides which views there are, so there must be a bound. */
const maximumIdle = 64;

class CatalogTranslator implements Translator {
  readonly #settings: MeshSettings;
  readonly #domain: string;
  readonly #directory: Directory;
  readonly #sharedTables = new Map<Flavour, SharedTables>();
  readonly #tables = new Map<string, ServiceTables>();
  readonly #sharedScopes = new Map<string, EnvoyScope>();
  readonly #scopes = new Map<string, BuiltScope>();
  readonly #owners = new Map<ResourceView, { readonly scope: string; readonly key: string }>();
  /** Views that nobody holds, the longest forgotten first. */
  readonly #idle = new Set<ResourceView>();
  #revision: Revision | undefined;

  constructor(settings: MeshSettings, domain: string) {
    this.#settings = settings;
    this.#domain = domain;
    this.#directory = new Directory(settings);
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
    for (const { scope } of this.#scopes.values()) {
      if (scope === undefined) continue;
      const { listeners, routes } = scope;
      add(typeUrls.listener, (listeners instanceof OverlayTable ? listeners.own : listeners).resources.size);
      add(typeUrls.route, (routes instanceof OverlayTable ? routes.own : routes).resources.size);
    }
    return counts;
  }

  apply(event: ChangeEvent): TranslationChanges {
    const touched = this.#directory.apply(
      event.type === "snapshot" ? this.#directory.difference(event.catalog) : event.delta.entries,
    );
    const parts = this.#parts();
    for (const part of parts) part.update(touched);
    const faults = [...touched.faults, ...parts.flatMap((part) => [...part.faults])];
    this.#revision = event.type === "snapshot" ? event.catalog.revision : event.revision;
    return { views: this.#takeChanges(), addresses: touched.addresses, faults };
  }

  view(node: ProxyNode): ResourceView {
    const dnsDomain = node.dnsDomain || [node.namespace, "svc", this.#domain].filter((part) => part !== "").join(".");
    const scopeKey = this.#scopeKey(node, dnsDomain);
    let built = this.#scopes.get(scopeKey);
    if (built === undefined) {
      built = this.#build(node, dnsDomain);
      this.#scopes.set(scopeKey, built);
    }
    const inbound = isCaptured(node)
      ? inboundPorts(this.#directory.servicesAt(node.addresses), node.addresses)
      : undefined;
    const key = inbound === undefined ? "" : JSON.stringify(inbound.map(({ number, protocol }) => [number, protocol]));
    let view = built.views.get(key);
    if (view === undefined) {
      view = inbound === undefined ? built.base : this.#layer(built.base, inbound, styleOf(node));
      built.views.set(key, view);
      this.#owners.set(view, { scope: scopeKey, key });
    }
    this.#idle.delete(view);
    return view;
  }

  /** All parts in the order of their updates: what is shared comes first. */
  #parts(): readonly { update(touched: Touched): void; readonly faults: Iterable<TranslationFault> }[] {
    const scopes = [...this.#scopes.values()].flatMap(({ scope }) => (scope === undefined ? [] : [scope]));
    return [...this.#sharedTables.values(), ...this.#tables.values(), ...this.#sharedScopes.values(), ...scopes];
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
    if (!left.some(({ tables }) => tables === built.tables)) this.#tables.delete(built.tables);
    for (const [flavour, shared] of this.#sharedTables)
      if (![...this.#tables.values()].some((tables) => tables.shared === shared)) this.#sharedTables.delete(flavour);
    for (const [key, shared] of this.#sharedScopes)
      if (!left.some(({ scope }) => scope instanceof ScopeOverlay && scope.base === shared))
        this.#sharedScopes.delete(key);
  }

  #scopeKey(node: ProxyNode, dnsDomain: string): string {
    if (node.type === "grpc") return JSON.stringify(["grpc", node.namespace, dnsDomain]);
    if (!hasListeners(node)) return JSON.stringify([nothing, flavourOf(node), node.namespace]);
    return JSON.stringify([node.namespace, dnsDomain, styleOf(node), this.#fallback(node)]);
  }

  #build(node: ProxyNode, dnsDomain: string): BuiltScope {
    const flavour = flavourOf(node);
    const tablesKey = JSON.stringify([flavour, node.namespace]);
    let tables = this.#tables.get(tablesKey);
    if (tables === undefined) {
      tables = new ServiceTables(this.#directory, this.#shareTables(flavour), node.namespace);
      this.#tables.set(tablesKey, tables);
    }
    const scope = this.#buildScope(node, dnsDomain);
    const base = new TableView(
      new Map([
        [typeUrls.cluster, tables.clusters],
        [typeUrls.endpoint, tables.assignments],
        ...(scope === undefined
          ? []
          : ([
              [typeUrls.listener, scope.listeners],
              [typeUrls.route, scope.routes],
            ] as const)),
      ]),
    );
    return { scope, tables: tablesKey, base, views: new Map() };
  }

  #buildScope(node: ProxyNode, dnsDomain: string): Scope | undefined {
    if (node.type === "grpc") return new GrpcScope(this.#directory, node.namespace, dnsDomain);
    if (!hasListeners(node)) return undefined;
    const options = { dnsDomain: searchedBy(dnsDomain), style: styleOf(node), fallback: this.#fallback(node) };
    const key = JSON.stringify(options);
    let base = this.#sharedScopes.get(key);
    if (base === undefined) {
      base = new EnvoyScope(this.#directory, this.#settings, options);
      this.#sharedScopes.set(key, base);
    }
    return new ScopeOverlay(this.#directory, base, node.namespace, dnsDomain);
  }

  #shareTables(flavour: Flavour): SharedTables {
    let shared = this.#sharedTables.get(flavour);
    if (shared === undefined) {
      shared = new SharedTables(this.#directory, flavour, this.#settings);
      this.#sharedTables.set(flavour, shared);
    }
    return shared;
  }

  /** A proxy that binds its own ports has no original destination to let unknown hosts through to. */
  #fallback(node: ProxyNode): Fallback {
    if (node.type === "plain") return "not-found";
    return isCaptured(node) && !this.#settings.registryOnly ? "passthrough" : "block";
  }

  #layer(base: TableView, ports: readonly InboundPort[], style: ListenerStyle): ResourceView {
    const clusters = inboundClusters(ports, this.#settings);
    const listener = virtualInbound(ports, style, this.#settings);
    return new LayeredView(
      base,
      new Map([
        [typeUrls.cluster, clusters.map((cluster) => resourceOf(cluster.name, encoded(ClusterSchema, cluster)))],
        [typeUrls.listener, [resourceOf(listener.name, encoded(ListenerSchema, listener))]],
      ]),
    );
  }

  #takeChanges(): ReadonlyMap<ResourceView, ChangedNames> {
    const views = new Map<ResourceView, ChangedNames>();
    for (const { base, views: handedOut } of this.#scopes.values()) {
      const changed = nonEmpty([...base.tables].map(([type, table]) => [type, table.changed] as const));
      if (changed.size > 0) for (const view of handedOut.values()) views.set(view, changed);
    }
    for (const tables of [...this.#sharedTables.values(), ...this.#tables.values()]) tables.settle();
    for (const scope of this.#sharedScopes.values()) settle(scope);
    for (const { scope } of this.#scopes.values()) if (scope !== undefined) settle(scope);
    return views;
  }
}

function settle({ listeners, routes }: Scope): void {
  listeners.settle();
  routes.settle();
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

function isCaptured(node: ProxyNode): boolean {
  return node.type === "sidecar" && node.interception === "CAPTURED";
}

/** A router has no listeners before a Gateway gives it some. */
function hasListeners(node: ProxyNode): boolean {
  return node.type !== "router" && node.listeners;
}

function flavourOf(node: ProxyNode): Flavour {
  if (node.type === "grpc") return "grpc";
  return isCaptured(node) ? "captured" : "direct";
}

function styleOf(node: ProxyNode): ListenerStyle {
  if (!isCaptured(node))
    return { captured: false, bindAddress: node.listenAddress, wildcards: ["0.0.0.0"], privileged: node.privileged };
  const v4 = node.addresses.some((address) => !address.includes(":")) || node.addresses.length === 0;
  const v6 = node.addresses.some((address) => address.includes(":"));
  const wildcards: ListenerStyle["wildcards"] = v4 ? (v6 ? ["0.0.0.0", "::"] : ["0.0.0.0"]) : ["::"];
  return { captured: true, bindAddress: v4 ? "127.0.0.1" : "::1", wildcards, privileged: true };
}
