import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { precedence } from "@signalbox/model";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { CompiledService } from "./compiled-service.ts";
import type { Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import type { OutboundPort } from "./outbound-port.ts";
import {
  hasOwnRouteTable,
  httpProxyListener,
  inSharedRouteTable,
  isHeadless,
  portListeners,
  virtualOutbound,
  type ListenerInit,
  type ListenerStyle,
} from "./outbound-listeners.ts";
import { portKind } from "./port-kind.ts";
import { encodeRouteConfiguration, serviceDomains, type Fallback } from "./routes.ts";
import type { Sight } from "./sight.ts";
import type { RouteClaim } from "./route-claim.ts";
import { RouteTable } from "./route-table.ts";
import { each, type Steps } from "@signalbox/slices";
import { ResourceTable, type Table } from "./tables.ts";

/** Listeners and routes that a set of equal clients shares. */
export interface Scope {
  readonly listeners: Table;
  readonly routes: Table;
  /** What cannot be made now. */
  readonly faults: Iterable<TranslationFault>;
  /** Stages in both tables what the directory says of the touched hosts, and tries again what failed before. */
  updating(touched: Touched): Steps<undefined>;
  /** Shows what is staged. */
  settle(): void;
}

/** What decides the listeners and routes of an Envoy, beside what it sees. */
export interface ScopeOptions {
  /** Names are completed with its search list. */
  readonly dnsDomain: string;
  readonly style: ListenerStyle;
  readonly fallback: Fallback;
}

/** One port of one service. */
export interface Member {
  readonly service: CompiledService;
  readonly port: OutboundPort;
}

/** What stands on one port number. */
export interface PortGroup {
  readonly members: Map<string, Member>;
  readonly routes: RouteTable;
  /** Names that the group put into the tables. */
  listeners: ReadonlySet<string>;
  tables: ReadonlySet<string>;
}

/**
 * Listeners and routes of Envoys with one sight; those who see a few things otherwise share them too. A changed service
 * rebuilds its own ports; a changed endpoint only those of headless services. Made empty: what is in sight is put in by `filling`.
 */
export class EnvoyScope implements Scope {
  readonly listeners = new ResourceTable();
  readonly routes = new ResourceTable();
  readonly options: ScopeOptions;
  readonly settings: MeshSettings;
  readonly proxy: RouteTable | undefined;
  readonly #sight: Sight;
  readonly #groups = new Map<number, PortGroup>();
  readonly #services = new Map<string, CompiledService>();
  readonly #faults = new Map<number, TranslationFault>();
  #dirty: ReadonlySet<number> = new Set();
  /** Ports that changed while `filling` goes on; undefined when it is done. */
  #unpublished: Set<number> | undefined = new Set();

  constructor(sight: Sight, settings: MeshSettings, options: ScopeOptions) {
    this.#sight = sight;
    this.settings = settings;
    this.options = options;
    if (settings.proxyHttpPort > 0) this.proxy = new RouteTable("http_proxy", options.fallback, false);
    if (options.style.captured) this.listeners.put(listenerResource(virtualOutbound(options.style, settings)));
  }

  /** Puts in everything in sight. What changes meanwhile has to be told to `updating`. */
  *filling(): Steps<undefined> {
    let due = new Set<number>();
    yield* this.#replaceAll(this.#sight.hosts(), due);
    do {
      for (const number of this.#unpublished ?? []) due.add(number);
      this.#unpublished = new Set();
      yield* this.#publishAll(due);
      due = new Set();
    } while (this.#unpublished.size > 0);
    this.#unpublished = undefined;
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  /** Ports that the last update rebuilt. */
  get dirty(): ReadonlySet<number> {
    return this.#dirty;
  }

  /** The services by host. */
  get services(): ReadonlyMap<string, CompiledService> {
    return this.#services;
  }

  /** What stands on a port. */
  group(port: number): PortGroup | undefined {
    return this.#groups.get(port);
  }

  *updating({ hosts }: Touched): Steps<undefined> {
    const relevant: string[] = [];
    this.#dirty = new Set();
    for (const [host, touch] of hosts) {
      if (touch === "service" || this.#dependsOnEndpoints(host)) relevant.push(host);
      else this.#refresh(host);
      yield;
    }
    if (relevant.length === 0 && this.#faults.size === 0) return undefined;
    const dirty = new Set<number>(this.#faults.keys());
    yield* this.#replaceAll(relevant, dirty);
    if (this.#unpublished === undefined) yield* this.#publishAll(dirty);
    else for (const number of dirty) this.#unpublished.add(number);
    return undefined;
  }

  settle(): void {
    this.listeners.settle();
    this.routes.settle();
  }

  #dependsOnEndpoints(host: string): boolean {
    return dependsOnEndpoints(this.#services.get(host), this.options.style);
  }

  /** Endpoints changed and nothing here depends on them: only remember the newer form. */
  #refresh(host: string): void {
    const service = this.#sight.visible(host);
    if (service === undefined) return;
    this.#services.set(host, service);
    for (const port of service.ports) this.#groups.get(port.port.number)?.members.set(host, { service, port });
  }

  *#replaceAll(hosts: Iterable<string>, dirty: Set<number>): Steps<undefined> {
    for (const host of [...hosts]) {
      this.#replace(host, dirty);
      this.#prepare(host);
      yield;
    }
    return undefined;
  }

  #replace(host: string, dirty: Set<number>): void {
    for (const { port } of this.#services.get(host)?.ports ?? []) {
      this.#groups.get(port.number)?.members.delete(host);
      this.#groups.get(port.number)?.routes.claim(host, undefined);
      this.proxy?.claim(proxyKey(host, port.number), undefined);
      dirty.add(port.number);
    }
    const service = this.#sight.visible(host);
    if (service === undefined) this.#services.delete(host);
    else this.#services.set(host, service);
    for (const port of service?.ports ?? []) {
      if (service !== undefined) this.#join(host, { service, port });
      dirty.add(port.port.number);
    }
  }

  /** Encodes ahead what the tables will hold of a host. What fails is a fault of its port as soon as that is published. */
  #prepare(host: string): void {
    try {
      for (const { port } of this.#services.get(host)?.ports ?? []) {
        this.#groups.get(port.number)?.routes.prepare(host);
        this.proxy?.prepare(proxyKey(host, port.number));
      }
    } catch {
      // Reported when the port is published.
    }
  }

  *#publishAll(dirty: ReadonlySet<number>): Steps<undefined> {
    for (const number of dirty) {
      this.#faults.delete(number);
      try {
        yield* this.#publish(number);
      } catch (cause) {
        this.#faults.set(number, { subject: `port ${String(number)}`, cause });
      }
    }
    this.#dirty = dirty;
    if (this.proxy === undefined) return undefined;
    this.listeners.put(proxyListener([...this.#services.values()], this.options.style, this.settings));
    this.routes.put(yield* this.proxy.making());
    return undefined;
  }

  #join(host: string, member: Member): void {
    const { number } = member.port.port;
    let group = this.#groups.get(number);
    if (group === undefined) {
      const routes = new RouteTable(String(number), this.options.fallback, true);
      group = { members: new Map(), routes, listeners: new Set(), tables: new Set() };
      this.#groups.set(number, group);
    }
    group.members.set(host, member);
    const aliases = this.#sight.aliases(member.service);
    claimRoutes(host, member, aliases, this.options, group.routes, this.proxy);
  }

  *#publish(number: number): Steps<undefined> {
    const group = this.#groups.get(number);
    if (group === undefined) return undefined;
    const members = [...group.members.values()];
    const { listeners, tables } = yield* portResources(
      number,
      members,
      group.routes,
      this.options.style,
      this.settings,
    );
    group.listeners = this.listeners.replace(group.listeners, listeners);
    group.tables = this.routes.replace(group.tables, tables);
    if (members.length === 0) this.#groups.delete(number);
    yield;
    return undefined;
  }
}

/** Do listeners of the service change with its endpoints? */
export function dependsOnEndpoints(service: CompiledService | undefined, style: ListenerStyle): boolean {
  return style.captured && service !== undefined && isHeadless(service.entry.service);
}

/** Claims what a service port wants of the table of its port, and of the one of the HTTP proxy. */
export function claimRoutes(
  host: string,
  { service, port }: Member,
  aliases: readonly string[],
  { dnsDomain, style }: ScopeOptions,
  routes: RouteTable,
  proxy: RouteTable | undefined,
): void {
  if (service.rules?.bare === true && !service.encoded.answers(port.port)) return;
  const claim: RouteClaim = {
    parts: service.encoded,
    port: port.port,
    ...serviceDomains(service.entry.service, aliases, dnsDomain),
  };
  if (inSharedRouteTable(port, style)) routes.claim(host, claim);
  const kind = portKind(port.port.protocol);
  if (kind === "http" || kind === "sniffed") proxy?.claim(proxyKey(host, port.port.number), withPorts(claim));
}

/** Listeners and route tables of one port number, in steps. */
export function* portResources(
  number: number,
  members: readonly Member[],
  routes: RouteTable,
  style: ListenerStyle,
  settings: MeshSettings,
): Steps<{ readonly listeners: readonly Resource[]; readonly tables: readonly Resource[] }> {
  // Hosts that only rules know have routes in the table of the port; nobody opens the port for them.
  if (members.every(({ service }) => service.rules?.bare === true)) return { listeners: [], tables: [] };
  const styleKey = JSON.stringify(style);
  const listeners: Resource[] = [];
  const ports = yield* inOrder(members);
  for (const { name, owner, make } of yield* portListeners(number, ports, style, settings)) {
    const made = () => listenerResource(make());
    listeners.push(owner === undefined ? made() : owner.encoded.resource(`${styleKey} ${name}`, made));
    yield;
  }
  if (listeners.length === 0) return { listeners, tables: [] };
  const tables = routes.isEmpty ? [] : [yield* routes.making()];
  yield* each(members, ({ service, port }) => {
    if (hasOwnRouteTable(port, style)) tables.push(ownRouteTable(service, port));
  });
  return { listeners, tables };
}

/** The listener of the HTTP proxy port with what these services need of it. */
export function proxyListener(
  services: readonly CompiledService[],
  style: ListenerStyle,
  settings: MeshSettings,
): Resource {
  const dynamic = services
    .flatMap(({ ports }) => ports)
    .filter(({ service, port }) => service.resolution === "DYNAMIC_DNS" && portKind(port.protocol) === "http");
  return listenerResource(httpProxyListener(style, settings, dynamic));
}

/** HTTP services share everything, so only the others need their order. */
function* inOrder(members: readonly Member[]): Steps<readonly OutboundPort[]> {
  const http: OutboundPort[] = [];
  const others: OutboundPort[] = [];
  yield* each(members, ({ port }) => {
    (portKind(port.port.protocol) === "http" ? http : others).push(port);
  });
  others.sort((a, b) => precedence(a.service, b.service));
  return [...http, ...others];
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

/** The place of a service port in the route table of the HTTP proxy. */
export function proxyKey(host: string, port: number): string {
  return `${host}:${String(port)}`;
}

/** Through one port for all, the port of the request's host tells the services apart; without one it is port 80. */
function withPorts(claim: RouteClaim): RouteClaim {
  const { number } = claim.port;
  const expand = (names: readonly string[]) =>
    names.flatMap((name) => (number === 80 ? [name, `${name}:80`] : [`${name}:${String(number)}`]));
  return { ...claim, full: expand(claim.full), derived: expand(claim.derived) };
}
