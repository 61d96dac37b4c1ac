import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import type { Revision } from "@signalbox/model";
import { resourceOf, type ChangedNames, type ResourceView } from "@signalbox/xds-server";
import { inboundClusters } from "./clusters.ts";
import type { Flavour } from "./compiled-service.ts";
import { Directory, type TranslationFault } from "./directory.ts";
import { GrpcScope } from "./grpc-scope.ts";
import { inboundPorts, virtualInbound, type InboundPort } from "./inbound.ts";
import { meshSettings, type MeshConfig, type MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import type { ProxyNode } from "./node.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import type { Fallback } from "./routes.ts";
import { EnvoyScope, type Scope } from "./scope.ts";
import { ServiceTables } from "./service-tables.ts";
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
  /** What could not be translated and stays as it was. */
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
  /** Lets go of a view that no client holds. */
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

class CatalogTranslator implements Translator {
  readonly #settings: MeshSettings;
  readonly #domain: string;
  readonly #directory: Directory;
  readonly #tables = new Map<string, ServiceTables>();
  readonly #scopes = new Map<string, BuiltScope>();
  readonly #owners = new Map<ResourceView, { readonly scope: string; readonly key: string }>();
  /** Faults met while a view was built; reported with the next event. */
  #faults: TranslationFault[] = [];
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
    for (const { clusters, assignments } of this.#tables.values()) {
      add(typeUrls.cluster, clusters.resources.size);
      add(typeUrls.endpoint, assignments.resources.size);
    }
    for (const { scope } of this.#scopes.values()) {
      if (scope === undefined) continue;
      add(typeUrls.listener, scope.listeners.resources.size);
      add(typeUrls.route, scope.routes.resources.size);
    }
    return counts;
  }

  apply(event: ChangeEvent): TranslationChanges {
    const touched = this.#directory.apply(
      event.type === "snapshot" ? this.#directory.difference(event.catalog) : event.delta.entries,
    );
    const faults = [...this.#faults, ...touched.faults];
    this.#faults = [];
    for (const tables of this.#tables.values()) tables.update(touched, faults);
    for (const { scope } of this.#scopes.values()) scope?.update(touched, faults);
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
    return view;
  }

  forget(view: ResourceView): void {
    const owner = this.#owners.get(view);
    const built = owner === undefined ? undefined : this.#scopes.get(owner.scope);
    if (owner === undefined || built === undefined) return;
    this.#owners.delete(view);
    built.views.delete(owner.key);
    if (built.views.size > 0) return;
    this.#scopes.delete(owner.scope);
    if (![...this.#scopes.values()].some(({ tables }) => tables === built.tables)) this.#tables.delete(built.tables);
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
      tables = new ServiceTables(this.#directory, flavour, node.namespace, this.#settings, this.#faults);
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
    if (node.type === "grpc") return new GrpcScope(this.#directory, node.namespace, dnsDomain, this.#faults);
    if (!hasListeners(node)) return undefined;
    const options = { namespace: node.namespace, dnsDomain, style: styleOf(node), fallback: this.#fallback(node) };
    return new EnvoyScope(this.#directory, this.#settings, options, this.#faults);
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
    const byTables = new Map(
      [...this.#tables].map(([key, tables]) => [
        key,
        [tables.clusters.takeChanged(), tables.assignments.takeChanged()] as const,
      ]),
    );
    const views = new Map<ResourceView, ChangedNames>();
    for (const { scope, tables, views: handedOut } of this.#scopes.values()) {
      const [clusters, assignments] = byTables.get(tables) ?? [];
      const changed = nonEmpty([
        [typeUrls.cluster, clusters],
        [typeUrls.endpoint, assignments],
        [typeUrls.listener, scope?.listeners.takeChanged()],
        [typeUrls.route, scope?.routes.takeChanged()],
      ]);
      if (changed.size > 0) for (const view of handedOut.values()) views.set(view, changed);
    }
    return views;
  }
}

function nonEmpty(changes: readonly (readonly [TypeUrl, ReadonlySet<string> | undefined])[]): ChangedNames {
  const kept = new Map<TypeUrl, ReadonlySet<string>>();
  for (const [type, names] of changes) if (names !== undefined && names.size > 0) kept.set(type, names);
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
