import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { CompiledService } from "./compiled-service.ts";
import { precedence, type Directory, type Touched, type TranslationFault } from "./directory.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import {
  hasOwnRouteTable,
  httpProxyListener,
  inSharedRouteTable,
  isHeadless,
  portKind,
  portListeners,
  virtualOutbound,
  type ListenerInit,
  type ListenerStyle,
  type OutboundPort,
} from "./outbound-listeners.ts";
import { encodeRouteConfiguration, serviceDomains, type Fallback } from "./routes.ts";
import { RouteTable, type RouteClaim } from "./route-table.ts";
import { ResourceTable } from "./tables.ts";

/** Listeners and routes that a set of equal clients shares. */
export interface Scope {
  readonly listeners: ResourceTable;
  readonly routes: ResourceTable;
  /** Brings both tables to what the directory says of the touched hosts. */
  update(touched: Touched, faults: TranslationFault[]): void;
}

/** What decides the listeners and routes of an Envoy. */
export interface ScopeOptions {
  readonly namespace: string;
  readonly dnsDomain: string;
  readonly style: ListenerStyle;
  readonly fallback: Fallback;
}

interface PortGroup {
  readonly members: Map<string, Member>;
  readonly routes: RouteTable;
  /** Names that the group put into the tables. */
  listeners: ReadonlySet<string>;
  tables: ReadonlySet<string>;
}

interface Member {
  readonly service: CompiledService;
  readonly port: OutboundPort;
}

/** Listeners and routes of Envoys. A changed service rebuilds its own ports; a changed endpoint only those of headless services. */
export class EnvoyScope implements Scope {
  readonly listeners = new ResourceTable();
  readonly routes = new ResourceTable();
  readonly #directory: Directory;
  readonly #settings: MeshSettings;
  readonly #options: ScopeOptions;
  readonly #styleKey: string;
  readonly #groups = new Map<number, PortGroup>();
  readonly #services = new Map<string, CompiledService>();
  readonly #proxy: RouteTable | undefined;

  constructor(directory: Directory, settings: MeshSettings, options: ScopeOptions, faults: TranslationFault[]) {
    this.#directory = directory;
    this.#settings = settings;
    this.#options = options;
    this.#styleKey = JSON.stringify(options.style);
    if (settings.proxyHttpPort > 0) this.#proxy = new RouteTable("http_proxy", options.fallback, false);
    if (options.style.captured) this.listeners.put(listenerResource(virtualOutbound(options.style, settings)));
    this.#rebuild(directory.hosts(), faults);
    this.listeners.takeChanged();
    this.routes.takeChanged();
  }

  update({ hosts }: Touched, faults: TranslationFault[]): void {
    const relevant: string[] = [];
    for (const [host, touch] of hosts) {
      if (touch === "service" || this.#dependsOnEndpoints(host)) relevant.push(host);
      else this.#refresh(host);
    }
    if (relevant.length > 0) this.#rebuild(relevant, faults);
  }

  #dependsOnEndpoints(host: string): boolean {
    const service = this.#services.get(host);
    return this.#options.style.captured && service !== undefined && isHeadless(service.entry.service);
  }

  /** Endpoints changed and nothing here depends on them: only remember the newer form. */
  #refresh(host: string): void {
    const service = this.#visible(host);
    if (service === undefined) return;
    this.#services.set(host, service);
    for (const port of service.ports) this.#groups.get(port.port.number)?.members.set(host, { service, port });
  }

  #rebuild(hosts: Iterable<string>, faults: TranslationFault[]): void {
    const dirty = new Set<number>();
    for (const host of hosts) {
      for (const { port } of this.#services.get(host)?.ports ?? []) {
        this.#groups.get(port.number)?.members.delete(host);
        this.#groups.get(port.number)?.routes.claim(host, undefined);
        this.#proxy?.claim(proxyKey(host, port.number), undefined);
        dirty.add(port.number);
      }
      const service = this.#visible(host);
      if (service === undefined) this.#services.delete(host);
      else this.#services.set(host, service);
      for (const port of service?.ports ?? []) {
        if (service !== undefined) this.#join(host, { service, port });
        dirty.add(port.port.number);
      }
    }
    for (const number of dirty) {
      try {
        this.#publish(number);
      } catch (cause) {
        faults.push({ subject: `port ${String(number)}`, cause });
      }
    }
    this.#publishProxy();
  }

  #visible(host: string): CompiledService | undefined {
    const service = this.#directory.resolve(host, this.#options.namespace);
    if (service === undefined || this.#directory.target(service, this.#options.namespace) !== undefined)
      return undefined;
    return service;
  }

  #join(host: string, member: Member): void {
    const {
      service,
      port: { port },
    } = member;
    let group = this.#groups.get(port.number);
    if (group === undefined) {
      const routes = new RouteTable(String(port.number), this.#options.fallback, true);
      group = { members: new Map(), routes, listeners: new Set(), tables: new Set() };
      this.#groups.set(port.number, group);
    }
    group.members.set(host, member);
    const aliases = this.#directory.aliases(service, this.#options.namespace);
    const claim: RouteClaim = {
      parts: service.encoded,
      port,
      ...serviceDomains(service.entry.service, aliases, this.#options.dnsDomain),
    };
    if (inSharedRouteTable(member.port, this.#options.style)) group.routes.claim(host, claim);
    const kind = portKind(port.protocol);
    if (kind === "http" || kind === "sniffed") this.#proxy?.claim(proxyKey(host, port.number), withPorts(claim));
  }

  #publish(number: number): void {
    const group = this.#groups.get(number);
    if (group === undefined) return;
    const { style } = this.#options;
    const members = [...group.members.values()];
    const listeners = portListeners(number, inOrder(members), style, this.#settings).map(({ name, owner, make }) =>
      owner === undefined
        ? listenerResource(make())
        : owner.encoded.resource(`${this.#styleKey} ${name}`, () => listenerResource(make())),
    );
    const tables: Resource[] = [];
    if (listeners.length > 0) {
      if (!group.routes.isEmpty) tables.push(resourceOf(String(number), group.routes.encode()));
      for (const { service, port } of members)
        if (hasOwnRouteTable(port, style)) tables.push(ownRouteTable(service, port));
    }
    group.listeners = this.listeners.replace(group.listeners, listeners);
    group.tables = this.routes.replace(group.tables, tables);
    if (members.length === 0) this.#groups.delete(number);
  }

  #publishProxy(): void {
    if (this.#proxy === undefined) return;
    const dynamic = [...this.#services.values()]
      .flatMap(({ ports }) => ports)
      .filter(({ service, port }) => service.resolution === "DYNAMIC_DNS" && portKind(port.protocol) === "http");
    this.listeners.put(listenerResource(httpProxyListener(this.#options.style, this.#settings, dynamic)));
    this.routes.put(resourceOf("http_proxy", this.#proxy.encode()));
  }
}

/** HTTP services share everything, so only the others need their order. */
function inOrder(members: readonly Member[]): readonly OutboundPort[] {
  const ports = members.map(({ port }) => port);
  const others = ports.filter(({ port }) => portKind(port.protocol) !== "http");
  others.sort((a, b) => precedence(a.service, b.service));
  return [...ports.filter(({ port }) => portKind(port.protocol) === "http"), ...others];
}

function listenerResource(listener: ListenerInit): Resource {
  return resourceOf(listener.name, encoded(ListenerSchema, listener));
}

/** The table of a listener that belongs to one service: any host will do. */
function ownRouteTable(service: CompiledService, { port }: OutboundPort): Resource {
  const name = `${service.entry.service.hostname}:${String(port.number)}`;
  return service.encoded.resource(`table ${name}`, () =>
    resourceOf(name, encodeRouteConfiguration(name, [service.encoded.virtualHost(port, ["*"])], true)),
  );
}

function proxyKey(host: string, port: number): string {
  return `${host}:${String(port)}`;
}

/** Through one port for all, the port of the request's host tells the services apart; without one it is port 80. */
function withPorts(claim: RouteClaim): RouteClaim {
  const { number } = claim.port;
  const expand = (names: readonly string[]) =>
    names.flatMap((name) => (number === 80 ? [name, `${name}:80`] : [`${name}:${String(number)}`]));
  return { ...claim, full: expand(claim.full), derived: expand(claim.derived) };
}
