import { AddressMap, canonicalIp, type AddressSet, type ServiceKey } from "@signalbox/model";
import type { CompiledService } from "./compiled-service.ts";

/** Which services have endpoints at which addresses. */
export class AddressIndex {
  /** Nearly every address belongs to one service. */
  readonly #byAddress = new AddressMap<ServiceKey | Set<ServiceKey>>();

  /** A service became another: which of its addresses have other ports now; with `whole`, all of them count as changed. */
  move(
    key: ServiceKey,
    before: CompiledService | undefined,
    next: CompiledService | undefined,
    whole: boolean,
    changed: AddressSet,
  ): void {
    // A new service, and at first all are, has nothing to compare its addresses with.
    if (before === undefined) {
      for (const address of addressesOf(next)) {
        changed.add(address);
        this.#add(key, address);
      }
      return;
    }
    const old = endpointsByAddress(before);
    const now = endpointsByAddress(next);
    for (const [address, ports] of old) {
      if (whole || now.get(address) !== ports) changed.add(address);
      if (now.has(address)) continue;
      const keys = this.#byAddress.get(address);
      if (keys instanceof Set) keys.delete(key);
      if (keys === key || (keys instanceof Set && keys.size === 0)) this.#byAddress.delete(address);
    }
    for (const [address, ports] of now) {
      if (whole || old.get(address) !== ports) changed.add(address);
      this.#add(key, address);
    }
  }

  #add(key: ServiceKey, address: string): void {
    const keys = this.#byAddress.get(address);
    if (keys === undefined) this.#byAddress.set(address, key);
    else if (keys instanceof Set) keys.add(key);
    else if (keys !== key) this.#byAddress.set(address, new Set([keys, key]));
  }

  /** Services with an endpoint at an address. */
  keysAt(address: string): readonly ServiceKey[] {
    const keys = this.#byAddress.get(address);
    if (keys === undefined) return [];
    return keys instanceof Set ? [...keys] : [keys];
  }
}

/** The IP addresses of the endpoints, in their one spelling. */
export function* addressesOf(service: CompiledService | undefined): Iterable<string> {
  for (const { addresses } of service?.entry.instances ?? [])
    for (const address of addresses) if (address.type === "ip") yield canonicalIp(address.ip);
}

/** For each IP address among the endpoints, what stands there; equal text, equal inbound ports. */
function endpointsByAddress(service: CompiledService | undefined): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const { servicePort, addresses } of service?.entry.instances ?? []) {
    for (const address of addresses) {
      if (address.type !== "ip") continue;
      const ip = canonicalIp(address.ip);
      found.set(ip, `${found.get(ip) ?? ""} ${servicePort}:${String(address.port)}`);
    }
  }
  return found;
}
