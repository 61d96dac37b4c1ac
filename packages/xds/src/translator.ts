import { isDeepStrictEqual } from "node:util";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import type { ChangeEvent } from "@signalbox/event-bus";
import type { Sidecar } from "@signalbox/istio-objects";
import {
  contentHash,
  objectKey,
  type CatalogDelta,
  type ConfigObject,
  type ObjectKey,
  type Revision,
} from "@signalbox/model";
import {
  anyClient,
  createRuleBook,
  portPolicy,
  type Client,
  type NameDomain,
  type Rule,
  type RuleBook,
} from "@signalbox/traffic";
import { resourceOf, type ChangedNames, type ResourceView } from "@signalbox/xds-server";
import { inboundClusters } from "./clusters.ts";
import type { Flavour } from "./compiled-service.ts";
import { Directory, type Touched, type TranslationFault } from "./directory.ts";
import type { TargetPorts } from "./gateway/merge.ts";
import { RouterScope } from "./gateway/router-scope.ts";
import { targetPorts } from "./gateway/target-ports.ts";
import { GrpcScope } from "./grpc-scope.ts";
import { inboundHosts, inboundPorts, virtualInbound, type InboundPort } from "./inbound.ts";
import { withLimits } from "./inbound-limits.ts";
import { JoinedTable } from "./joined-table.ts";
import { meshSettings, type MeshConfig, type MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { inboundCluster } from "./names.ts";
import type { ProxyNode } from "./node.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import { OverlayTable } from "./overlay-table.ts";
import type { PatchContext } from "./patches/match.ts";
import { PatchedView } from "./patches/patched-view.ts";
import type { Patcher } from "./patches/patcher.ts";
import { faultOf, Patchers } from "./patches/patchers.ts";
import type { Fallback } from "./routes.ts";
import { ScopeOverlay } from "./scope-overlay.ts";
import { EnvoyScope, type Scope } from "./scope.ts";
import { ServiceTables, SharedTables } from "./service-tables.ts";
import { atEndpoint, ingressPorts } from "./sidecar-ingress.ts";
import { SidecarScope } from "./sidecar-scope.ts";
import type { Table } from "./tables.ts";
import { TableView, LayeredView } from "./views.ts";

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
export function createTranslator({
  mesh = {},
  domain = "cluster.local",
  shortNames = domain,
}: TranslatorOptions = {}): Translator {
  return new CatalogTranslator(meshSettings(mesh), domain, shortNames);
}

interface BuiltScope {
  readonly scope: Scope | undefined;
  /** Undefined where the scope has clusters and assignments of its own. */
  readonly tables: string | undefined;
  readonly clientKey: string;
  readonly base: TableView;
  readonly views: Map<string, ResourceView>;
}

/** What decides everything that a node gets, but for its inbound ports. */
interface NodeScope {
  readonly node: ProxyNode;
  readonly dnsDomain: string;
  readonly client: Client;
  readonly clientKey: string;
  readonly sidecar: Rule<Sidecar> | undefined;
  readonly settings: MeshSettings;
  /** Where a router listens for ports that Gateways name; undefined for all others. */
  readonly targets: TargetPorts | undefined;
  readonly patcher: Patcher | undefined;
  readonly key: string;
}

const nothing = { listeners: false } as const;

/** So many views are kept that nobody holds: what clients say decides which views there are, so there must be a bound. */
const maximumIdle = 64;

class CatalogTranslator implements Translator {
  readonly #settings: MeshSettings;
  /** The settings with the other policy for unknown hosts. */
  readonly #opposite: MeshSettings;
  readonly #domain: string;
  readonly #book: RuleBook;
  readonly #directory: Directory;
  readonly #objects = new Map<ObjectKey, ConfigObject>();
  readonly #clients = new Map<string, Client>();
  readonly #patchers: Patchers;
  readonly #sharedTables = new Map<Flavour, SharedTables>();
  readonly #tables = new Map<string, ServiceTables>();
  readonly #sharedScopes = new Map<string, EnvoyScope>();
  readonly #scopes = new Map<string, BuiltScope>();
  readonly #owners = new Map<ResourceView, { readonly scope: string; readonly key: string }>();
  /** Views that nobody holds, the longest forgotten first. */
  readonly #idle = new Set<ResourceView>();
  #revision: Revision | undefined;

  constructor(settings: MeshSettings, domain: string, shortNames: NameDomain) {
    this.#settings = settings;
    this.#opposite = { ...settings, registryOnly: !settings.registryOnly };
    this.#domain = domain;
    this.#book = createRuleBook({
      rootNamespace: settings.rootNamespace,
      domain: shortNames,
      localityLoadBalancing: settings.localityLb,
    });
    this.#directory = new Directory(settings, this.#book);
    this.#patchers = new Patchers(this.#book);
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
      if (scope instanceof RouterScope) add(typeUrls.cluster, scope.clusters.resources.size);
      add(typeUrls.listener, (listeners instanceof OverlayTable ? listeners.own : listeners).resources.size);
      add(typeUrls.route, (routes instanceof OverlayTable ? routes.own : routes).resources.size);
    }
    return counts;
  }

  apply(event: ChangeEvent): TranslationChanges {
    const rules = this.#book.apply(
      event.type === "snapshot" ? this.#difference(event.catalog.objects) : this.#remember(event.delta.objects),
    );
    const touched = this.#directory.apply(
      event.type === "snapshot" ? this.#directory.difference(event.catalog) : event.delta.entries,
      rules,
    );
    const parts = this.#parts();
    for (const part of parts) part.update(touched);
    if (rules.envoyFilters.size > 0 || rules.signatures) this.#patchers.forget();
    const everyone = rules.signatures || rules.sidecars.size > 0 || rules.envoyFilters.size > 0;
    this.#revision = event.type === "snapshot" ? event.catalog.revision : event.revision;
    const views = this.#takeChanges();
    const faults = [...this.#directory.faults, ...parts.flatMap((part) => [...part.faults]), ...this.#patchFaults()];
    return { views, addresses: touched.addresses, everyone, faults };
  }

  /** The delta from what is held to these objects. */
  #difference(objects: ReadonlyMap<ObjectKey, ConfigObject>): CatalogDelta["objects"] {
    const upserted = [...objects].flatMap(([key, object]) =>
      isDeepStrictEqual(object, this.#objects.get(key)) ? [] : [object],
    );
    return this.#remember({ upserted, removed: [...this.#objects.keys()].filter((key) => !objects.has(key)) });
  }

  #remember(delta: CatalogDelta["objects"]): CatalogDelta["objects"] {
    for (const key of delta.removed) this.#objects.delete(key);
    for (const object of delta.upserted) this.#objects.set(objectKey(object), object);
    return delta;
  }

  view(node: ProxyNode): ResourceView {
    const wanted = this.#scopeOf(node);
    let built = this.#scopes.get(wanted.key);
    if (built === undefined) {
      built = this.#build(wanted);
      this.#scopes.set(wanted.key, built);
    }
    const inbound = isCaptured(node) ? this.#inbound(wanted) : undefined;
    const key = inbound === undefined ? "" : JSON.stringify(inbound);
    let view = built.views.get(key);
    if (view === undefined) {
      view = inbound === undefined ? built.base : this.#layer(built.base, inbound, styleOf(node));
      if (wanted.patcher !== undefined) view = new PatchedView(view, wanted.patcher);
      built.views.set(key, view);
      this.#owners.set(view, { scope: wanted.key, key });
    }
    this.#idle.delete(view);
    return view;
  }

  #scopeOf(node: ProxyNode): NodeScope {
    const { namespace, labels, locality } = node;
    const dnsDomain = node.dnsDomain || [namespace, "svc", this.#domain].filter((part) => part !== "").join(".");
    const kind = node.type === "router" ? "router" : "mesh";
    const asking: Client = { namespace, labels, locality, kind };
    const clientKey = JSON.stringify([kind, namespace, this.#book.signature(asking)]);
    let client = this.#clients.get(clientKey);
    if (client === undefined) {
      client = asking;
      this.#clients.set(clientKey, client);
    }
    const sidecar = node.type === "sidecar" ? this.#book.sidecar(client) : undefined;
    const settings = this.#settingsFor(sidecar);
    const targets = isRouter(node)
      ? targetPorts(this.#directory.servicesAt(node.addresses), node.addresses)
      : undefined;
    const chosen = this.#patchers.of(node, client, () => this.#aroundPatches(node, targets));
    const parts = hasListeners(node)
      ? [dnsDomain, styleOf(node), fallbackOf(node, settings)]
      : [nothing, flavourOf(node)];
    const key = JSON.stringify([
      node.type === "grpc",
      clientKey,
      sidecar === undefined ? "" : `${sidecar.key} ${contentHash(sidecar.spec)}`,
      ...parts,
      targets === undefined ? "" : [node.privileged, wildcardsOf(node.addresses), ...targets],
      chosen?.key ?? "",
    ]);
    return { node, dnsDomain, client, clientKey, sidecar, settings, targets, patcher: chosen?.patcher, key };
  }

  /** What patches may ask of a proxy beside its resources. */
  #aroundPatches(
    node: ProxyNode,
    targets: TargetPorts | undefined,
  ): Pick<PatchContext, "inboundHosts" | "gatewayPorts"> {
    if (targets !== undefined) {
      const gatewayPorts = new Map<number, Set<number>>();
      for (const [port, target] of targets) {
        const ports = gatewayPorts.get(target) ?? new Set();
        gatewayPorts.set(target, ports.add(port));
      }
      return { gatewayPorts };
    }
    return isCaptured(node)
      ? { inboundHosts: inboundHosts(this.#directory.servicesAt(node.addresses), node.addresses) }
      : {};
  }

  #patchFaults(): readonly TranslationFault[] {
    const views = [...this.#scopes.values()].flatMap((built) => [...built.views.values()]);
    const patched = views.flatMap((view) => (view instanceof PatchedView ? view.faults : []));
    return [...this.#patchers.faults, ...patched.map(faultOf)];
  }

  /** A Sidecar may say otherwise than the mesh what becomes of traffic to unknown hosts. */
  #settingsFor(sidecar: Rule<Sidecar> | undefined): MeshSettings {
    const mode = sidecar?.spec.outboundTrafficPolicy?.mode;
    if (mode === undefined) return this.#settings;
    const registryOnly = mode === "REGISTRY_ONLY";
    return registryOnly === this.#settings.registryOnly ? this.#settings : this.#opposite;
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
    if (built.tables !== undefined && !left.some(({ tables }) => tables === built.tables))
      this.#tables.delete(built.tables);
    if (!left.some(({ clientKey }) => clientKey === built.clientKey)) this.#clients.delete(built.clientKey);
    for (const [flavour, shared] of this.#sharedTables)
      if (![...this.#tables.values()].some((tables) => tables.shared === shared)) this.#sharedTables.delete(flavour);
    for (const [key, shared] of this.#sharedScopes)
      if (!left.some(({ scope }) => scope instanceof ScopeOverlay && scope.base === shared))
        this.#sharedScopes.delete(key);
  }

  #build(wanted: NodeScope): BuiltScope {
    const { client, clientKey, node, sidecar } = wanted;
    if (sidecar !== undefined && sidecar.spec.egress.length > 0) {
      const scope = this.#behindSidecar(wanted, sidecar);
      return { scope, tables: undefined, clientKey, base: tableView(scope.tables, scope), views: new Map() };
    }
    const flavour = flavourOf(node);
    const tablesKey = JSON.stringify([flavour, clientKey]);
    let tables = this.#tables.get(tablesKey);
    if (tables === undefined) {
      tables = new ServiceTables(this.#directory, this.#shareTables(flavour), client);
      this.#tables.set(tablesKey, tables);
    }
    const scope = this.#buildScope(wanted);
    return { scope, tables: tablesKey, clientKey, base: tableView(tables, scope), views: new Map() };
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

  #buildScope({ client, dnsDomain, node, settings, targets }: NodeScope): Scope | undefined {
    if (targets !== undefined) {
      return new RouterScope({
        book: this.#book,
        client,
        sight: this.#directory.sight(client),
        find: (host) => this.#directory.reached(host, client.namespace),
        settings,
        targetPorts: targets,
        style: { wildcards: wildcardsOf(node.addresses), privileged: node.privileged },
      });
    }
    if (node.type === "grpc") return new GrpcScope(this.#directory.sight(client), dnsDomain, settings);
    if (!hasListeners(node)) return undefined;
    const options = { dnsDomain: searchedBy(dnsDomain), style: styleOf(node), fallback: fallbackOf(node, settings) };
    const key = JSON.stringify([options, settings.registryOnly]);
    let base = this.#sharedScopes.get(key);
    if (base === undefined) {
      base = new EnvoyScope(this.#directory.sight(anyClient), settings, options);
      this.#sharedScopes.set(key, base);
    }
    return new ScopeOverlay(this.#directory, base, client, dnsDomain);
  }

  #shareTables(flavour: Flavour): SharedTables {
    let shared = this.#sharedTables.get(flavour);
    if (shared === undefined) {
      shared = new SharedTables(this.#directory.sight(anyClient), flavour, this.#settings);
      this.#sharedTables.set(flavour, shared);
    }
    return shared;
  }

  #inbound({ client, node, sidecar }: NodeScope): readonly InboundPort[] {
    if (sidecar !== undefined && sidecar.spec.ingress.length > 0) return ingressPorts(sidecar.spec);
    const pool = sidecar?.spec.inboundConnectionPool;
    return inboundPorts(this.#directory.servicesAt(node.addresses), node.addresses, (service, { number }) => {
      const rules = this.#book.destination(service.hostname.toLowerCase(), service.namespace, client);
      const policy = portPolicy(rules, number, "");
      return { retryBudget: policy?.retryBudget, connectionPool: pool ?? policy?.connectionPool };
    });
  }

  #layer(base: TableView, ports: readonly InboundPort[], style: ListenerStyle): ResourceView {
    const byName = new Map(ports.map((port) => [inboundCluster(port.number), port]));
    const clusters = inboundClusters(ports, this.#settings).map((cluster) => {
      const { endpoint, limits, protocol = "UNSUPPORTED" } = byName.get(cluster.name) ?? {};
      const limited = limits === undefined ? cluster : withLimits(cluster, protocol, limits, this.#settings);
      return endpoint === undefined ? limited : atEndpoint(limited, endpoint);
    });
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
      if (changed.size === 0) continue;
      for (const view of handedOut.values()) {
        const seen = view instanceof PatchedView ? view.changedNames(changed) : changed;
        if (seen.size > 0) views.set(view, seen);
      }
    }
    for (const tables of [...this.#sharedTables.values(), ...this.#tables.values()]) tables.settle();
    for (const scope of this.#sharedScopes.values()) scope.settle();
    for (const { scope } of this.#scopes.values()) scope?.settle();
    return views;
  }
}

function tableView(
  { assignments, clusters }: Record<"clusters" | "assignments", Table>,
  scope: Scope | undefined,
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
    ]),
  );
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

/** Gateways give a router its listeners. */
function isRouter(node: ProxyNode): boolean {
  return node.type === "router" && node.listeners;
}

function hasListeners(node: ProxyNode): boolean {
  return node.type !== "router" && node.listeners;
}

/** A proxy that binds its own ports has no original destination to let unknown hosts through to. */
function fallbackOf(node: ProxyNode, settings: MeshSettings): Fallback {
  if (node.type === "plain") return "not-found";
  return isCaptured(node) && !settings.registryOnly ? "passthrough" : "block";
}

function flavourOf(node: ProxyNode): Flavour {
  if (node.type === "grpc") return "grpc";
  return isCaptured(node) ? "captured" : "direct";
}

function styleOf(node: ProxyNode): ListenerStyle {
  if (!isCaptured(node))
    return { captured: false, bindAddress: node.listenAddress, wildcards: ["0.0.0.0"], privileged: node.privileged };
  const wildcards = wildcardsOf(node.addresses);
  return { captured: true, bindAddress: wildcards[0] === "::" ? "::1" : "127.0.0.1", wildcards, privileged: true };
}

function wildcardsOf(addresses: readonly string[]): ListenerStyle["wildcards"] {
  const v4 = addresses.some((address) => !address.includes(":")) || addresses.length === 0;
  const v6 = addresses.some((address) => address.includes(":"));
  return v4 ? (v6 ? ["0.0.0.0", "::"] : ["0.0.0.0"]) : ["::"];
}
