import { canonicalIp } from "@signalbox/model";
import type { RegistryId, ServiceKey, ServiceRecord } from "@signalbox/model";

/** Which services have endpoints at an IP address, and which registries say so. Follows the change: one service at a time. */
export class AddressIndex {
  readonly #services = new Map<string, Map<ServiceKey, ReadonlySet<RegistryId>>>();
  readonly #addresses = new Map<ServiceKey, ReadonlyMap<string, ReadonlySet<RegistryId>>>();

  /** Takes in what registries say about a service; no records: it is gone. Returns the addresses at which somebody came or went. */
  update(key: ServiceKey, records: readonly ServiceRecord[]): readonly string[] {
    const before = this.#addresses.get(key) ?? new Map<string, ReadonlySet<RegistryId>>();
    const after = addressesOf(records);
    if (after.size === 0) this.#addresses.delete(key);
    else this.#addresses.set(key, after);
    const changed: string[] = [];
    for (const ip of before.keys()) {
      if (after.has(ip)) continue;
      const services = this.#services.get(ip);
      services?.delete(key);
      if (services?.size === 0) this.#services.delete(ip);
      changed.push(ip);
    }
    for (const [ip, registries] of after) {
      if (sameSet(before.get(ip), registries)) continue;
      const services = this.#services.get(ip) ?? new Map<ServiceKey, ReadonlySet<RegistryId>>();
      this.#services.set(ip, services);
      services.set(key, registries);
      changed.push(ip);
    }
    return changed;
  }

  /** The services with endpoints at an address, in the canonical form of the model, and the registries that say so. */
  at(ip: string): ReadonlyMap<ServiceKey, ReadonlySet<RegistryId>> {
    return this.#services.get(ip) ?? nobody;
  }

  /** All services that have an IP address. */
  services(): Iterable<ServiceKey> {
    return this.#addresses.keys();
  }
}

const nobody: ReadonlyMap<ServiceKey, ReadonlySet<RegistryId>> = new Map();

function addressesOf(records: readonly ServiceRecord[]): Map<string, ReadonlySet<RegistryId>> {
  const found = new Map<string, Set<RegistryId>>();
  for (const { instances, service } of records) {
    for (const { addresses } of instances) {
      for (const address of addresses) {
        if (address.type !== "ip") continue;
        const ip = canonicalIp(address.ip);
        const known = found.get(ip);
        if (known === undefined) found.set(ip, new Set([service.provenance.registry]));
        else known.add(service.provenance.registry);
      }
    }
  }
  return found;
}

function sameSet<T>(a: ReadonlySet<T> | undefined, b: ReadonlySet<T>): boolean {
  return a?.size === b.size && [...b].every((one) => a.has(one));
}
