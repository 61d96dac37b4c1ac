import { AddressMap, byCodeUnit, canonicalIp, precedence } from "@signalbox/model";
import type { CatalogEntry, CatalogInstance, Labels, Port, Service, ServiceKey } from "@signalbox/model";
import type { Steps } from "@signalbox/slices";

/** One endpoint with the service and the service port that it serves: what Istio calls a ServiceInstance. */
export interface ServiceEndpoint {
  readonly key: ServiceKey;
  readonly service: Service;
  readonly port: Port;
  readonly instance: CatalogInstance;
}

/** What becomes of an entry: `previous` is absent where it is new, `current` where it goes. */
export interface EntryChange {
  readonly key: ServiceKey;
  readonly previous: CatalogEntry | undefined;
  readonly current: CatalogEntry | undefined;
}

/** Finds services by hostname and endpoints by IP address without a walk over the catalog. */
export class CatalogIndex {
  readonly #entries: ReadonlyMap<ServiceKey, CatalogEntry>;
  readonly #byHostname = new Map<string, Few<ServiceKey>>();
  readonly #byIp = new AddressMap<Few<ServiceKey>>();

  /**
   * `entries` is live. While they change, the index may know more than they hold: `expect` comes before a change, `settle` after it. What it finds is
   * compared with the entries, so it is right at each moment.
   */
  constructor(entries: ReadonlyMap<ServiceKey, CatalogEntry>) {
    this.#entries = entries;
  }

  /** Takes note of what entries will be, one in each step. */
  *expect(changes: readonly EntryChange[]): Steps<undefined> {
    for (const { current } of changes) {
      if (current === undefined) continue;
      add(this.#byHostname, current.service.hostname.toLowerCase(), current.key);
      for (const ip of ipsOf(current)) add(this.#byIp, ip, current.key);
      yield;
    }
    return undefined;
  }

  /** Forgets what entries are not, whether they became what was expected or not; one in each step. */
  *settle(changes: readonly EntryChange[]): Steps<undefined> {
    for (const { current, key, previous } of changes) {
      const actual = this.#entries.get(key);
      const ips = actual === undefined ? none : ipsOf(actual);
      for (const entry of [previous, current]) {
        if (entry === undefined || entry === actual) continue;
        const hostname = entry.service.hostname.toLowerCase();
        if (hostname !== actual?.service.hostname.toLowerCase()) drop(this.#byHostname, hostname, entry.key);
        for (const ip of ipsOf(entry)) if (!ips.has(ip)) drop(this.#byIp, ip, entry.key);
      }
      yield;
    }
    return undefined;
  }

  /** All services, sorted by key. */
  services(): readonly Service[] {
    return [...this.#entries.values()].sort((a, b) => byCodeUnit(a.key, b.key)).map(({ service }) => service);
  }

  /**
   * The entry of a hostname. Several namespaces may define one: without `namespace` the first by `precedence` counts, as
   * it does for clients of a namespace that has none of its own.
   */
  entryByHostname(hostname: string, namespace?: string): CatalogEntry | undefined {
    const wanted = hostname.toLowerCase();
    const keys = valuesOf(this.#byHostname.get(wanted)).sort(byCodeUnit);
    const entries = keys
      .flatMap((key) => this.#entries.get(key) ?? [])
      .filter(({ service }) => service.hostname.toLowerCase() === wanted);
    if (namespace !== undefined) return entries.find((entry) => entry.service.namespace === namespace);
    return entries.sort((a, b) => precedence(a.service, b.service))[0];
  }

  /** The endpoints of one port, given by number or name, whose labels have all of `labels`. In the entry's order. */
  instancesByPort(service: string, port: number | string, labels: Labels = {}): readonly ServiceEndpoint[] {
    // A hostname has no slash, a key always has one.
    const entry = service.includes("/") ? this.#entries.get(service as ServiceKey) : this.entryByHostname(service);
    if (entry === undefined) return [];
    const wanted = Object.entries(labels);
    return endpointsOf(entry).filter(
      (endpoint) =>
        (endpoint.port.number === port || endpoint.port.name === port) &&
        wanted.every(([name, value]) => {
          const own = endpoint.instance.labels;
          return Object.hasOwn(own, name) && own[name] === value;
        }),
    );
  }

  /** All endpoints at one of these IP addresses, sorted by service key: what a proxy with these addresses serves. */
  instancesAt(ips: readonly string[]): readonly ServiceEndpoint[] {
    const wanted = new Set(ips.map(canonicalIp));
    const keys = new Set<ServiceKey>();
    for (const ip of wanted) for (const key of valuesOf(this.#byIp.get(ip))) keys.add(key);
    return [...keys]
      .sort(byCodeUnit)
      .flatMap((key) => this.#entries.get(key) ?? [])
      .flatMap((entry) =>
        endpointsOf(entry).filter(({ instance }) =>
          instance.addresses.some((address) => address.type === "ip" && wanted.has(canonicalIp(address.ip))),
        ),
      );
  }
}

/** The endpoints of an entry, each with its service port. An endpoint of a port that the service lacks is left out. */
export function endpointsOf(entry: CatalogEntry): readonly ServiceEndpoint[] {
  const ports = new Map(entry.service.ports.map((port) => [port.name, port]));
  const endpoints: ServiceEndpoint[] = [];
  for (const instance of entry.instances) {
    const port = ports.get(instance.servicePort);
    if (port !== undefined) endpoints.push({ key: entry.key, service: entry.service, port, instance });
  }
  return endpoints;
}

const none: ReadonlySet<string> = new Set();

function ipsOf(entry: CatalogEntry): ReadonlySet<string> {
  const ips = new Set<string>();
  for (const { addresses } of entry.instances) {
    for (const address of addresses) if (address.type === "ip") ips.add(canonicalIp(address.ip));
  }
  return ips;
}

/** One value, or several. Nearly always it is one, and a set for each would be much of the memory of a large catalog. */
type Few<V extends string> = V | Set<V>;

function valuesOf<V extends string>(few: Few<V> | undefined): V[] {
  if (few === undefined) return [];
  return typeof few === "string" ? [few] : [...few];
}

/** What a map and one of addresses have in common. */
interface FewByKey<K, V extends string> {
  get(key: K): Few<V> | undefined;
  set(key: K, few: Few<V>): void;
  delete(key: K): void;
}

function add<K, V extends string>(map: FewByKey<K, V>, key: K, value: V): void {
  const known = map.get(key);
  if (known === undefined) map.set(key, value);
  else if (typeof known !== "string") known.add(value);
  else if (known !== value) map.set(key, new Set([known, value]));
}

function drop<K, V extends string>(map: FewByKey<K, V>, key: K, value: V): void {
  const known = map.get(key);
  if (known === value) map.delete(key);
  else if (typeof known === "object" && known.delete(value) && known.size === 0) map.delete(key);
}
