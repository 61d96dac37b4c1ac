import { byCodeUnit } from "@signalbox/model";
import type { Catalog, CatalogDelta, CatalogEntry, Service, ServiceKey } from "@signalbox/model";
import { CompiledService } from "./compiled-service.ts";
import type { MeshSettings } from "./mesh.ts";

/** What an event did to a host: something about the service, or only its endpoints. */
export type Touch = "service" | "endpoints";

/** A service that could not be translated; its last good form stays in use. */
export interface TranslationFault {
  /** The service's key, or what else was being built, for example `port 8080`. */
  readonly subject: string;
  readonly cause: unknown;
}

/** What one event touched. */
export interface Touched {
  readonly hosts: ReadonlyMap<string, Touch>;
  /** Addresses whose services changed: nodes with such an address may have other inbound ports now. */
  readonly addresses: ReadonlySet<string>;
  readonly faults: readonly TranslationFault[];
}

/** Longest chain of aliases that is followed. */
const maximumAliases = 8;

/** The services of the catalog by hostname, visibility, alias and address. */
export class Directory {
  readonly #settings: MeshSettings;
  readonly #services = new Map<ServiceKey, CompiledService>();
  readonly #byHost = new Map<string, readonly CompiledService[]>();
  readonly #byAddress = new Map<string, Set<ServiceKey>>();
  readonly #byTarget = new Map<string, Set<ServiceKey>>();

  constructor(settings: MeshSettings) {
    this.#settings = settings;
  }

  get size(): number {
    return this.#services.size;
  }

  /** Takes in a delta. A service that cannot be compiled keeps its last form and is reported. */
  apply(delta: CatalogDelta["entries"]): Touched {
    const hosts = new Map<string, Touch>();
    const addresses = new Set<string>();
    const faults: TranslationFault[] = [];
    for (const key of delta.removed) this.#replace(key, undefined, hosts, addresses);
    for (const entry of delta.upserted) {
      try {
        this.#replace(
          entry.key,
          new CompiledService(entry, this.#settings, this.#services.get(entry.key)),
          hosts,
          addresses,
        );
      } catch (cause) {
        faults.push({ subject: entry.key, cause });
      }
    }
    this.#spread(hosts);
    return { hosts, addresses, faults };
  }

  /** The delta from what is held to this catalog. */
  difference(catalog: Catalog): CatalogDelta["entries"] {
    const upserted: CatalogEntry[] = [];
    for (const entry of catalog.entries.values()) {
      const { service, instances } = this.#services.get(entry.key)?.entry.versions ?? {};
      if (service !== entry.versions.service || instances !== entry.versions.instances) upserted.push(entry);
    }
    return { upserted, removed: [...this.#services.keys()].filter((key) => !catalog.entries.has(key)) };
  }

  /** Every host name in use, in the form that compares. */
  hosts(): IterableIterator<string> {
    return this.#byHost.keys();
  }

  /** The service that clients in a namespace reach by a host name: their own namespace's first, else the oldest they may see. */
  resolve(host: string, namespace: string): CompiledService | undefined {
    const visible = this.#byHost
      .get(host)
      ?.filter(({ entry: { service } }) => isVisible(service.namespace, service.exportTo, namespace));
    return visible?.find(({ entry }) => entry.service.namespace === namespace) ?? visible?.[0];
  }

  /** The service that an alias stands for; undefined when it is not an alias, or its target is not there. */
  target(service: CompiledService, namespace: string): CompiledService | undefined {
    let current: CompiledService | undefined = service;
    for (let step = 0; step < maximumAliases && current !== undefined; step++) {
      const host = aliasOf(current);
      if (host === undefined) return current === service ? undefined : current;
      current = this.resolve(host, namespace);
    }
    return undefined;
  }

  /** Names of the aliases of a service that clients in a namespace see, sorted. */
  aliases(service: CompiledService, namespace: string): readonly string[] {
    if (!this.#byTarget.has(service.host)) return [];
    const found = new Set<string>();
    const queue = [service.host];
    for (let host = queue.pop(); host !== undefined; host = queue.pop()) {
      for (const key of this.#byTarget.get(host) ?? []) {
        const alias = this.#services.get(key);
        if (alias === undefined || found.has(alias.entry.service.hostname)) continue;
        if (this.resolve(alias.host, namespace) !== alias || this.target(alias, namespace) !== service) continue;
        found.add(alias.entry.service.hostname);
        queue.push(alias.host);
      }
    }
    return [...found].sort(byCodeUnit);
  }

  /** Services that have an endpoint at one of these addresses, in order of precedence. */
  servicesAt(addresses: readonly string[]): readonly CompiledService[] {
    const keys = new Set(addresses.flatMap((address) => [...(this.#byAddress.get(address) ?? [])]));
    return [...keys].flatMap((key) => this.#services.get(key) ?? []).sort(byPrecedence);
  }

  #replace(
    key: ServiceKey,
    next: CompiledService | undefined,
    hosts: Map<string, Touch>,
    addresses: Set<string>,
  ): void {
    const before = this.#services.get(key);
    if (before === undefined && next === undefined) return;
    const sameService = before?.entry.versions.service === next?.entry.versions.service;
    const touch = sameService && next !== undefined && aliasOf(next) === undefined ? "endpoints" : "service";
    for (const service of [before, next]) {
      if (service !== undefined && hosts.get(service.host) !== "service") hosts.set(service.host, touch);
    }
    this.#moveAddresses(key, before, next, touch, addresses);
    this.#moveAlias(key, before, next, hosts);
    if (next === undefined) this.#services.delete(key);
    else this.#services.set(key, next);
    this.#moveHost(before, next);
  }

  #moveHost(before: CompiledService | undefined, next: CompiledService | undefined): void {
    const host = next?.host ?? before?.host ?? "";
    const others = (this.#byHost.get(host) ?? []).filter((service) => service !== before);
    const all = next === undefined ? others : [...others, next].sort(byPrecedence);
    if (all.length === 0) this.#byHost.delete(host);
    else this.#byHost.set(host, all);
  }

  #moveAddresses(
    key: ServiceKey,
    before: CompiledService | undefined,
    next: CompiledService | undefined,
    touch: Touch,
    changed: Set<string>,
  ): void {
    const old = endpointsByAddress(before);
    const now = endpointsByAddress(next);
    for (const [address, ports] of old) {
      if (touch === "service" || now.get(address) !== ports) changed.add(address);
      if (now.has(address)) continue;
      const keys = this.#byAddress.get(address);
      keys?.delete(key);
      if (keys?.size === 0) this.#byAddress.delete(address);
    }
    for (const [address, ports] of now) {
      if (touch === "service" || old.get(address) !== ports) changed.add(address);
      const keys = this.#byAddress.get(address);
      if (keys === undefined) this.#byAddress.set(address, new Set([key]));
      else keys.add(key);
    }
  }

  #moveAlias(
    key: ServiceKey,
    before: CompiledService | undefined,
    next: CompiledService | undefined,
    hosts: Map<string, Touch>,
  ): void {
    const old = before === undefined ? undefined : aliasOf(before);
    const now = next === undefined ? undefined : aliasOf(next);
    if (old !== undefined && old !== now) {
      const keys = this.#byTarget.get(old);
      keys?.delete(key);
      if (keys?.size === 0) this.#byTarget.delete(old);
    }
    if (now !== undefined) {
      const keys = this.#byTarget.get(now);
      if (keys === undefined) this.#byTarget.set(now, new Set([key]));
      else keys.add(key);
    }
    for (const host of [old, now]) if (host !== undefined) hosts.set(host, "service");
  }

  /** Who is touched through aliases: a changed target touches its aliases, a changed alias its target. */
  #spread(hosts: Map<string, Touch>): void {
    const queue = [...hosts].flatMap(([host, touch]) => (touch === "service" ? [host] : []));
    const seen = new Set(queue);
    const visit = (host: string) => {
      if (seen.has(host)) return;
      seen.add(host);
      hosts.set(host, "service");
      queue.push(host);
    };
    for (let host = queue.pop(); host !== undefined; host = queue.pop()) {
      for (const key of this.#byTarget.get(host) ?? []) {
        const alias = this.#services.get(key);
        if (alias !== undefined) visit(alias.host);
      }
      for (const service of this.#byHost.get(host) ?? []) {
        const target = aliasOf(service);
        if (target !== undefined) visit(target);
      }
    }
  }
}

/** Istio's order of services that want the same thing: the oldest first, then by name. */
export function precedence(a: Service, b: Service): number {
  return (
    (a.createdAt ?? 0) - (b.createdAt ?? 0) ||
    byCodeUnit(a.hostname, b.hostname) ||
    byCodeUnit(a.namespace, b.namespace)
  );
}

/** `exportTo` as Istio reads it: empty or `*` is everybody, `.` the service's own namespace, `~` nobody. */
export function isVisible(owner: string, exportTo: readonly string[], namespace: string): boolean {
  if (exportTo.length === 0 || exportTo.includes("*") || exportTo.includes(namespace)) return true;
  return exportTo.includes(".") && owner === namespace;
}

/** The host that an alias points to: the first endpoint that is a name. */
function aliasOf(service: CompiledService): string | undefined {
  const {
    service: { resolution },
    instances,
  } = service.entry;
  if (resolution !== "ALIAS") return undefined;
  for (const {
    addresses: [first],
  } of instances)
    if (first.type === "hostname") return first.hostname.toLowerCase();
  return undefined;
}

/** For each IP address among the endpoints, what stands there; equal text, equal inbound ports. */
function endpointsByAddress(service: CompiledService | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { servicePort, addresses } of service?.entry.instances ?? []) {
    for (const address of addresses) {
      if (address.type !== "ip") continue;
      found.set(address.ip, `${found.get(address.ip) ?? ""} ${servicePort}:${String(address.port)}`);
    }
  }
  return found;
}

function byPrecedence(a: CompiledService, b: CompiledService): number {
  return precedence(a.entry.service, b.entry.service);
}
