import type { Resource } from "@signalbox/xds-server";
import type { CompiledService } from "./compiled-service.ts";
import type { Client } from "@signalbox/traffic";
import type { Directory, Touched } from "./directory.ts";
import type { TranslationFault } from "./translation-fault.ts";
import { OverlayTable, uncovered, type Cover } from "./overlay-table.ts";
import type { Steps } from "@signalbox/slices";
import { RouteTable } from "./route-table.ts";
import {
  claimRoutes,
  dependsOnEndpoints,
  portResources,
  proxyKey,
  proxyListener,
  type EnvoyScope,
  type Member,
  type Scope,
  type ScopeOptions,
} from "./scope.ts";

interface Place {
  /** What these clients see at the host. */
  readonly service: CompiledService | undefined;
  /** Is it what is seen by all? Then only names are of its own. */
  readonly same: boolean;
  /** Ports of the host, also as the others see it. */
  readonly ports: ReadonlySet<number>;
}

interface Port {
  readonly hosts: Set<string>;
  readonly routes: RouteTable;
  listeners: Cover;
  tables: Cover;
}

const none: ReadonlySet<string> = new Set();

/**
 * The shared listeners and routes as clients of one namespace, one DNS domain and equal rules have them: with the short names of its own
 * services and with what they see otherwise. Ports without such a service are shared as they are. Made empty: what is of their own is put in by
 * `filling`.
 */
export class ScopeOverlay implements Scope {
  readonly base: EnvoyScope;
  readonly listeners: OverlayTable;
  readonly routes: OverlayTable;
  readonly #directory: Directory;
  readonly #client: Client;
  readonly #options: ScopeOptions;
  readonly #places = new Map<string, Place>();
  readonly #ports = new Map<number, Port>();
  readonly #proxy: RouteTable | undefined;
  readonly #faults = new Map<number, TranslationFault>();
  /** Ports that changed while `filling` goes on; undefined when it is done. */
  #unpublished: Set<number> | undefined = new Set();
  #proxyListener: Cover = uncovered;
  #proxyTable: Cover = uncovered;

  constructor(directory: Directory, base: EnvoyScope, client: Client, dnsDomain: string) {
    this.#directory = directory;
    this.base = base;
    this.#client = client;
    this.#options = { ...base.options, dnsDomain };
    this.listeners = new OverlayTable(base.listeners);
    this.routes = new OverlayTable(base.routes);
    if (base.proxy !== undefined)
      this.#proxy = new RouteTable("http_proxy", base.options.fallback, false, () => base.proxy);
  }

  /** Puts in what these clients have otherwise. What changes meanwhile has to be told to `updating`. */
  *filling(): Steps<undefined> {
    let due = new Set<number>();
    for (const host of yield* this.#directory.particular(this.#client, this.#options.dnsDomain)) {
      this.#place(host, due);
      yield;
    }
    do {
      for (const number of this.#unpublished ?? []) due.add(number);
      this.#unpublished = new Set();
      yield* this.#publishAll(due, true);
      due = new Set();
    } while (this.#unpublished.size > 0);
    this.#unpublished = undefined;
    this.settle();
    return undefined;
  }

  get faults(): Iterable<TranslationFault> {
    return this.#faults.values();
  }

  /** Follows the shared scope, which must be brought up to date first. */
  *updating({ hosts }: Touched): Steps<undefined> {
    const dirty = new Set(this.#faults.keys());
    for (const [host, touch] of hosts) {
      if (touch === "service") this.#place(host, dirty);
      else this.#refresh(host, dirty);
      yield;
    }
    for (const number of this.base.dirty) if (this.#ports.has(number)) dirty.add(number);
    if (this.#unpublished === undefined) yield* this.#publishAll(dirty, this.base.dirty.size > 0);
    else for (const number of dirty) this.#unpublished.add(number);
    return undefined;
  }

  settle(): void {
    this.listeners.settle();
    this.routes.settle();
  }

  #place(host: string, dirty: Set<number>): void {
    const before = this.#places.get(host);
    const particular = this.#directory.isParticular(host, this.#client, this.#options.dnsDomain);
    if (!particular && before === undefined) return;
    for (const number of before?.ports ?? []) {
      this.#leave(host, number);
      dirty.add(number);
    }
    this.#places.delete(host);
    if (!particular) return;
    const shared = this.base.services.get(host);
    const service = this.#directory.visible(host, this.#client);
    const ports = new Set([...(shared?.ports ?? []), ...(service?.ports ?? [])].map(({ port }) => port.number));
    this.#places.set(host, { service, same: service === shared, ports });
    const aliases = service === undefined ? [] : this.#directory.aliases(service, this.#client.namespace);
    for (const number of ports) {
      const port = this.#port(number);
      port.hosts.add(host);
      port.routes.hide(host, true);
      this.#proxy?.hide(proxyKey(host, number), true);
      const member = memberOf(service, number);
      if (member !== undefined) claimRoutes(host, member, aliases, this.#options, port.routes, this.#proxy);
      dirty.add(number);
    }
  }

  /** Endpoints changed; listeners depend on them only where the service is headless. */
  #refresh(host: string, dirty: Set<number>): void {
    const before = this.#places.get(host);
    if (before === undefined) return;
    const service = this.#directory.visible(host, this.#client);
    this.#places.set(host, { ...before, service, same: service === this.base.services.get(host) });
    if (dependsOnEndpoints(service, this.#options.style)) for (const number of before.ports) dirty.add(number);
  }

  #port(number: number): Port {
    let port = this.#ports.get(number);
    if (port === undefined) {
      const routes = this.#table(number);
      port = { hosts: new Set(), routes, listeners: uncovered, tables: uncovered };
      this.#ports.set(number, port);
    }
    return port;
  }

  #table(number: number): RouteTable {
    const below = () => this.base.group(number)?.routes;
    return new RouteTable(String(number), this.#options.fallback, true, below);
  }

  #leave(host: string, number: number): void {
    const port = this.#ports.get(number);
    port?.hosts.delete(host);
    port?.routes.claim(host, undefined);
    port?.routes.hide(host, false);
    this.#proxy?.claim(proxyKey(host, number), undefined);
    this.#proxy?.hide(proxyKey(host, number), false);
  }

  *#publishAll(dirty: ReadonlySet<number>, rebuilt: boolean): Steps<undefined> {
    for (const number of dirty) {
      this.#faults.delete(number);
      try {
        yield* this.#publish(number);
      } catch (cause) {
        this.#faults.set(number, { subject: `port ${String(number)}`, cause });
      }
    }
    if (this.#proxy !== undefined && (rebuilt || dirty.size > 0)) yield* this.#publishProxy(this.#proxy);
    return undefined;
  }

  *#publish(number: number): Steps<undefined> {
    const port = this.#ports.get(number);
    if (port === undefined) return undefined;
    yield;
    const group = this.base.group(number);
    const { style } = this.#options;
    const own = [...port.hosts].filter((host) => this.#places.get(host)?.same === false);
    if (port.hosts.size === 0) {
      port.listeners = this.listeners.cover(port.listeners, none, []);
      port.tables = this.routes.cover(port.tables, none, []);
      this.#ports.delete(number);
      return undefined;
    }
    if (own.length === 0) {
      const resources = yield* this.#sharedPortTable(number, port);
      port.listeners = this.listeners.cover(port.listeners, none, []);
      port.tables = this.routes.cover(port.tables, none, resources);
      return undefined;
    }
    const members = new Map(group?.members);
    for (const host of own) {
      members.delete(host);
      const member = memberOf(this.#places.get(host)?.service, number);
      if (member !== undefined) members.set(host, member);
    }
    const made = yield* portResources(number, [...members.values()], port.routes, style, this.base.settings);
    port.listeners = this.listeners.cover(port.listeners, group?.listeners ?? none, made.listeners);
    port.tables = this.routes.cover(port.tables, group?.tables ?? none, made.tables);
    return undefined;
  }

  /** Only names differ: where the others have a table of the port, there is one here. */
  *#sharedPortTable(number: number, { routes }: Port): Steps<readonly Resource[]> {
    const name = String(number);
    if (this.base.routes.next(name) === undefined || routes.isEmpty) return [];
    return [yield* routes.making()];
  }

  *#publishProxy(proxy: RouteTable): Steps<undefined> {
    if (this.#places.size === 0) {
      this.#proxyListener = this.listeners.cover(this.#proxyListener, none, []);
      this.#proxyTable = this.routes.cover(this.#proxyTable, none, []);
      return undefined;
    }
    const services = new Map(this.base.services);
    for (const [host, { service }] of this.#places) {
      if (service === undefined) services.delete(host);
      else services.set(host, service);
    }
    const listener = proxyListener([...services.values()], this.#options.style, this.base.settings);
    this.#proxyListener = this.listeners.cover(this.#proxyListener, none, [listener]);
    this.#proxyTable = this.routes.cover(this.#proxyTable, none, [yield* proxy.making()]);
    return undefined;
  }
}

function memberOf(service: CompiledService | undefined, number: number): Member | undefined {
  const port = service?.ports.find((one) => one.port.number === number);
  return service === undefined || port === undefined ? undefined : { service, port };
}
