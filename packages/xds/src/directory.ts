import { byCodeUnit, precedence } from "@signalbox/model";
import { AddressSet, type Catalog, type CatalogDelta, type CatalogEntry, type ServiceKey } from "@signalbox/model";
import { anyClient, type Client, type Routing, type RuleBook, type RuleTouches } from "@signalbox/traffic";
import { AddressIndex, addressesOf } from "./address-index.ts";
import { CompiledService } from "./compiled-service.ts";
import { coversHost, HostPatterns, isWildcard, wildcardsOver } from "./host-patterns.ts";
import type { MeshSettings } from "./mesh.ts";
import { NameIndex } from "./name-index.ts";
import { RuledServices } from "./ruled-services.ts";
import type { Sight } from "./sight.ts";
import { each, type Steps } from "@signalbox/slices";
import type { TranslationFault } from "./translation-fault.ts";

/** What an event did to a host: something about the service, or only its endpoints. */
export type Touch = "service" | "endpoints";

/** Services that were compiled ahead. */
export type PreparedServices = ReadonlyMap<ServiceKey, CompiledService>;

const nonePrepared: PreparedServices = new Map();

/** What one event touched. */
export interface Touched {
  readonly hosts: ReadonlyMap<string, Touch>;
  /** Addresses whose services changed: nodes with such an address may have other inbound ports now. */
  readonly addresses: Pick<AddressSet, "has">;
  readonly rules: RuleTouches;
}

/** Longest chain of aliases that is followed. */
const maximumAliases = 8;

/** The services of the catalog by hostname, visibility, alias and address. */
export class Directory {
  readonly #settings: MeshSettings;
  readonly #services = new Map<ServiceKey, CompiledService>();
  readonly #byHost = new Map<string, readonly CompiledService[]>();
  readonly #addresses = new AddressIndex();
  readonly #byTarget = new Map<string, Set<ServiceKey>>();
  readonly #names = new NameIndex();
  readonly #faults = new Map<ServiceKey, unknown>();
  readonly #book: RuleBook;
  readonly #ruled: RuledServices;
  /** Hosts and wildcards that VirtualServices name; those without a service may have routes all the same. */
  readonly #named = new Set<string>();
  /** For whom some hosts have other rules than for everybody. */
  #particularRules = new WeakMap<Client, HostPatterns>();

  constructor(settings: MeshSettings, book: RuleBook) {
    this.#settings = settings;
    this.#book = book;
    this.#ruled = new RuledServices(book, settings, (host, client) => this.reached(host, client.namespace));
  }

  get size(): number {
    return this.#services.size;
  }

  /** Services as they will be after these entries were taken in, made in steps. Takes nothing in; what cannot be made is left out. */
  *preparing(entries: readonly CatalogEntry[]): Steps<PreparedServices> {
    const prepared = new Map<ServiceKey, CompiledService>();
    for (const entry of entries) {
      try {
        prepared.set(entry.key, new CompiledService(entry, this.#settings, this.#services.get(entry.key)));
      } catch {
        // Said when the entry is taken in.
      }
      yield;
    }
    return prepared;
  }

  /**
   * Takes in a delta, and what rules touched, in steps; what is known between two of them is partly old. A service that cannot be compiled keeps its last form and is reported. Entries that were
   * `prepared` cost little.
   */
  *applying(
    delta: CatalogDelta["entries"],
    rules: RuleTouches,
    prepared: PreparedServices = nonePrepared,
  ): Steps<Touched> {
    const hosts = new Map<string, Touch>();
    const addresses = new AddressSet();
    this.#ruled.begin();
    for (const key of delta.removed) {
      this.#faults.delete(key);
      this.#ruled.remove(key);
      this.#replace(key, undefined, hosts, addresses);
      yield;
    }
    for (const entry of delta.upserted) {
      try {
        const ready = prepared.get(entry.key);
        const next =
          ready?.entry === entry ? ready : new CompiledService(entry, this.#settings, this.#services.get(entry.key));
        this.#replace(entry.key, next, hosts, addresses);
        this.#faults.delete(entry.key);
      } catch (cause) {
        this.#faults.set(entry.key, cause);
      }
      yield;
    }
    yield* this.#touchByRules(rules, hosts, addresses);
    yield* this.#spread(hosts);
    yield* this.#touchDependents(hosts);
    return { hosts, addresses, rules };
  }

  /** All that cannot be translated now, whichever event brought it. */
  get faults(): readonly TranslationFault[] {
    return [...[...this.#faults].map(([subject, cause]) => ({ subject, cause })), ...this.#ruled.faults];
  }

  /** The delta from what is held to this catalog. Not while one is taken in. */
  *difference(catalog: Catalog): Steps<CatalogDelta["entries"]> {
    const upserted: CatalogEntry[] = [];
    yield* each(catalog.entries.values(), (entry) => {
      const { service, instances } = this.#services.get(entry.key)?.entry.versions ?? {};
      if (service !== entry.versions.service || instances !== entry.versions.instances) upserted.push(entry);
    });
    const known = new Set([...this.#services.keys(), ...this.#faults.keys()]);
    const removed: ServiceKey[] = [];
    yield* each(known, (key) => {
      if (!catalog.entries.has(key)) removed.push(key);
    });
    return { upserted, removed };
  }

  /** Everything, as these clients see it. */
  sight(client: Client): Sight {
    return {
      client,
      hosts: () => this.hosts(),
      visible: (host) => this.visible(host, client),
      aliases: (service) => this.aliases(service, client.namespace),
    };
  }

  /** The services whose host name a host is or, as a wildcard, covers. Work for a wildcard is proportional to all host names. */
  *within(host: string): IterableIterator<CompiledService> {
    if (!isWildcard(host)) yield* this.#byHost.get(host) ?? [];
    else for (const [name, services] of this.#byHost) if (coversHost(host, name)) yield* services;
  }

  /** Hosts and wildcards that VirtualServices name, for whichever clients. */
  routed(): IterableIterator<string> {
    return this.#named.values();
  }

  /** Every host name in use, by services and by rules, in the form that compares. */
  *hosts(): IterableIterator<string> {
    yield* this.#byHost.keys();
    for (const host of this.#named) if (!this.#byHost.has(host)) yield host;
  }

  /**
   * May these clients, with this DNS domain, see or name a host otherwise than `anyClient` does in no particular domain? Changes only for
   * hosts that an event touches as services.
   */
  isParticular(host: string, client: Client, dnsDomain: string): boolean {
    const differs = (one: string) =>
      this.#differs(one, client.namespace) || this.#names.inDomain(dnsDomain).has(one) || this.#ruledApart(one, client);
    return this.#isLinked(host) ? [...this.#linked(host)].some(differs) : differs(host);
  }

  /**
   * All hosts that are particular, found in steps. Costs what there are of them, and a look at all hosts where rules have wildcards. What
   * changes meanwhile may be missing.
   */
  *particular(client: Client, dnsDomain: string): Steps<ReadonlySet<string>> {
    const { namespace } = client;
    const found = new Set<string>();
    const add = (host: string) => {
      if (found.has(host)) return;
      if (this.#isLinked(host)) for (const one of this.#linked(host)) found.add(one);
      else found.add(host);
    };
    const origins = new Set(this.#rulesOfOwn(client));
    yield* each(this.#names.inNamespace(namespace).keys(), (host) => {
      if (!this.#differs(host, namespace)) return;
      add(host);
      origins.add(host);
    });
    yield* each(this.#names.inDomain(dnsDomain).keys(), add);
    for (const host of yield* this.#ruledBy(origins)) {
      if (!found.has(host) && this.#ruledApart(host, client)) add(host);
      yield;
    }
    return found;
  }

  /** All hosts and wildcards that may have other routes or policies where those of some others are different. Found in steps. */
  *#ruledBy(origins: ReadonlySet<string>): Steps<ReadonlySet<string>> {
    const ruled = new Set<string>();
    const add = (host: string) => {
      ruled.add(host);
      for (const wildcard of this.#usedOver(host)) ruled.add(wildcard);
    };
    for (const origin of yield* this.#covered(origins)) {
      for (const host of this.#linked(origin)) {
        add(host);
        for (const sender of this.#book.sendersTo(host)) add(sender.toLowerCase());
      }
      yield;
    }
    return yield* this.#covered(ruled);
  }

  /** Wildcards in use that stand for a host, too: connections to them are matched against its rules. */
  #usedOver(host: string): readonly string[] {
    return wildcardsOver(host).filter((wildcard) => this.#byHost.has(wildcard) || this.#named.has(wildcard));
  }

  /** These names, and the hosts that those of them cover which are wildcards. Found in steps. */
  *#covered(names: ReadonlySet<string>): Steps<ReadonlySet<string>> {
    const found = new Set(names);
    const patterns = new HostPatterns(names);
    if (!patterns.anyWildcard) return found;
    yield* each(this.hosts(), (host) => {
      if (patterns.covers(host)) found.add(host);
    });
    return found;
  }

  /** Are the rules of a host, or what its routes lead to, others for these clients than for everybody? */
  #ruledApart(host: string, client: Client): boolean {
    const own = this.#rulesOfOwn(client);
    if (own.size === 0 && this.#named.size === 0) return false;
    if (!this.#byHost.has(host) && !this.#named.has(host)) return false;
    const mayDiffer = (name: string) => own.covers(name) || this.#differs(name, client.namespace);
    const routing = this.#book.routing(host, client);
    const destinations = (routing?.destinations ?? []).map((name) => name.toLowerCase());
    // A wildcard has rules of what it covers, too.
    if (!isWildcard(host) && ![host, ...destinations].some((name) => [...this.#linked(name)].some(mayDiffer)))
      return false;
    const owner = this.#unruled(host, client)?.entry.service.namespace ?? routing?.namespace ?? "";
    return this.#ruled.keyOf(host, owner, client) !== this.#ruled.keyOf(host, owner, anyClient);
  }

  #rulesOfOwn(client: Client): HostPatterns {
    let own = this.#particularRules.get(client);
    if (own === undefined) {
      const hosts = client === anyClient ? [] : this.#book.particular(client);
      own = new HostPatterns(hosts.map((host) => host.toLowerCase()));
      this.#particularRules.set(client, own);
    }
    return own;
  }

  #differs(host: string, namespace: string): boolean {
    if (!this.#names.inNamespace(namespace).has(host)) return false;
    const services = this.#byHost.get(host) ?? [];
    return services.length > 1 || services.some(({ entry }) => isRestricted(entry.service.exportTo));
  }

  #isLinked(host: string): boolean {
    return (
      this.#byTarget.has(host) || this.#byHost.get(host)?.some((service) => aliasOf(service) !== undefined) === true
    );
  }

  /** A host with all that are joined to it by aliases. */
  #linked(host: string): ReadonlySet<string> {
    const found = new Set([host]);
    for (const one of found) {
      for (const key of this.#byTarget.get(one) ?? []) {
        const alias = this.#services.get(key);
        if (alias !== undefined) found.add(alias.host);
      }
      for (const service of this.#byHost.get(one) ?? []) {
        const target = aliasOf(service);
        if (target !== undefined) found.add(target);
      }
    }
    return found;
  }

  /**
   * The service that clients see at a host name, with its rules; none where it is an alias, which has nothing of its own. A host that only
   * rules know comes as a service without clusters.
   */
  visible(host: string, client: Client): CompiledService | undefined {
    const service = this.service(host, client);
    if (service !== undefined) return service;
    return this.#named.has(host) && !this.#hasService(host) ? this.bare(host, client) : undefined;
  }

  /** As `visible`, without hosts that only rules know. `among` limits the choice to services of some namespaces. */
  service(host: string, client: Client, among?: (namespace: string) => boolean): CompiledService | undefined {
    const service = this.#unruled(host, client, among);
    return service === undefined ? undefined : this.#ruled.with(service, client);
  }

  /** A host that rules name, as a service without clusters. */
  bare(host: string, client: Client): CompiledService | undefined {
    return this.#ruled.bare(host, client);
  }

  /** Another answer than the book's to which routing a host has for these clients. */
  routeBy(client: Client, routing: (host: string) => Routing | undefined): void {
    this.#ruled.routeBy(client, routing);
  }

  #unruled(host: string, { namespace }: Client, among?: (namespace: string) => boolean): CompiledService | undefined {
    const service = this.resolve(host, namespace, among);
    return service === undefined || this.target(service, namespace) !== undefined ? undefined : service;
  }

  /** Is there a service at the host, or within the wildcard? */
  #hasService(host: string): boolean {
    if (!isWildcard(host)) return this.#byHost.has(host);
    for (const one of this.#byHost.keys()) if (coversHost(host, one)) return true;
    return false;
  }

  *#touchByRules(rules: RuleTouches, hosts: Map<string, Touch>, addresses: AddressSet): Steps<undefined> {
    const touch = (host: string): void => {
      hosts.set(host, "service");
      // A DestinationRule limits what its own service's proxies send to their workloads.
      for (const service of this.#byHost.get(host) ?? [])
        for (const address of addressesOf(service)) addresses.add(address);
    };
    if (rules.hosts.size > 0 || rules.signatures) this.#particularRules = new WeakMap();
    for (const name of rules.hosts) {
      const pattern = name.toLowerCase();
      this.#name(pattern);
      touch(pattern);
      for (const wildcard of this.#usedOver(pattern)) touch(wildcard);
      if (isWildcard(pattern)) for (const host of this.#byHost.keys()) if (coversHost(pattern, host)) touch(host);
      yield;
    }
    return undefined;
  }

  /** Notes whether a host has rules of its own; of one that has none any more, nothing is kept. */
  #name(pattern: string): void {
    if (this.#book.isRouted(pattern)) this.#named.add(pattern);
    else if (this.#named.delete(pattern)) this.#ruled.remove(pattern);
  }

  /** A host's routes depend on the services that they lead to, and a wildcard's on whether it covers any. */
  *#touchDependents(hosts: Map<string, Touch>): Steps<undefined> {
    for (const [host, touch] of [...hosts]) {
      yield;
      if (touch !== "service") continue;
      for (const sender of this.#book.sendersTo(host)) {
        hosts.set(sender.toLowerCase(), "service");
        for (const wildcard of this.#usedOver(sender.toLowerCase())) hosts.set(wildcard, "service");
        // A wildcard's routes are those of the services that it covers.
        if (isWildcard(sender))
          yield* each(this.#byHost.keys(), (covered) => {
            if (coversHost(sender.toLowerCase(), covered)) hosts.set(covered, "service");
          });
      }
      if (this.#named.size > 0)
        for (const wildcard of wildcardsOver(host)) if (this.#named.has(wildcard)) hosts.set(wildcard, "service");
    }
    for (const [host, touch] of hosts) {
      yield;
      if (touch !== "service") continue;
      this.#ruled.touch(host);
      for (const { entry } of this.#byHost.get(host) ?? []) this.#ruled.touch(entry.key);
    }
    return undefined;
  }

  /** The service that clients in a namespace reach by a host name: their own namespace's first, else the oldest they may see. */
  resolve(
    host: string,
    namespace: string,
    among: (namespace: string) => boolean = anywhere,
  ): CompiledService | undefined {
    const visible = this.#byHost
      .get(host)
      ?.filter(
        ({ entry: { service } }) =>
          isVisible(service.namespace, service.exportTo, namespace) && among(service.namespace),
      );
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

  /** As `resolve`; for an alias the service that it stands for. */
  reached(host: string, namespace: string): CompiledService | undefined {
    const found = this.resolve(host, namespace);
    return found === undefined ? undefined : (this.target(found, namespace) ?? found);
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
    const keys = new Set(addresses.flatMap((address) => this.#addresses.keysAt(address)));
    return [...keys].flatMap((key) => this.#services.get(key) ?? []).sort(byPrecedence);
  }

  #replace(key: ServiceKey, next: CompiledService | undefined, hosts: Map<string, Touch>, addresses: AddressSet): void {
    const before = this.#services.get(key);
    if (before === undefined && next === undefined) return;
    const sameService = before?.entry.versions.service === next?.entry.versions.service;
    const touch = sameService && next !== undefined && aliasOf(next) === undefined ? "endpoints" : "service";
    for (const service of [before, next]) {
      if (service !== undefined && hosts.get(service.host) !== "service") hosts.set(service.host, touch);
    }
    this.#addresses.move(key, before, next, touch === "service", addresses);
    this.#moveAlias(key, before, next, hosts);
    if (touch === "service") {
      this.#names.count(before, -1);
      this.#names.count(next, 1);
    }
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
  *#spread(hosts: Map<string, Touch>): Steps<undefined> {
    const queue: string[] = [];
    const seen = new Set<string>();
    const visit = (host: string) => {
      if (seen.has(host)) return;
      seen.add(host);
      hosts.set(host, "service");
      queue.push(host);
    };
    yield* each(hosts, ([host, touch]) => {
      if (touch !== "service") return;
      queue.push(host);
      seen.add(host);
    });
    for (let host = queue.pop(); host !== undefined; host = queue.pop()) {
      for (const key of this.#byTarget.get(host) ?? []) {
        const alias = this.#services.get(key);
        if (alias !== undefined) visit(alias.host);
      }
      for (const service of this.#byHost.get(host) ?? []) {
        const target = aliasOf(service);
        if (target !== undefined) visit(target);
      }
      yield;
    }
    return undefined;
  }
}

const anywhere = () => true;

/** `exportTo` as Istio reads it: empty or `*` is everybody, `.` the service's own namespace, `~` nobody. */
export function isVisible(owner: string, exportTo: readonly string[], namespace: string): boolean {
  if (exportTo.length === 0 || exportTo.includes("*") || exportTo.includes(namespace)) return true;
  return exportTo.includes(".") && owner === namespace;
}

function isRestricted(exportTo: readonly string[]): boolean {
  return exportTo.length > 0 && !exportTo.includes("*");
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

function byPrecedence(a: CompiledService, b: CompiledService): number {
  return precedence(a.entry.service, b.entry.service);
}
