import { byCodeUnit, canonicalIp, isIpAddress } from "@signalbox/model";
import type { RegistryId, ServiceInstance, ServiceKey } from "@signalbox/model";

/** An address that a registry lists under a service of the catalog. */
export interface DriftMember {
  readonly registry: RegistryId;
  /** The service as the catalog has it, not as the registry names it. */
  readonly service: ServiceKey;
  /** As `canonicalIp` writes it. */
  readonly ip: string;
  readonly port: number;
}

/** Who lists what under which service of the catalog. */
export interface DriftMembers {
  /** Everything that is listed at an address, in any order. */
  at(ip: string): readonly DriftMember[];
  /** Everything that is listed under a service, in any order. */
  of(service: ServiceKey): readonly DriftMember[];
  /** Whether that registry tells of the service, be it without endpoints. */
  tells(registry: RegistryId, service: ServiceKey): boolean;
  /** Whether that registry tells of a service of this short name, which is in lower case. */
  named(registry: RegistryId, name: string): boolean;
}

/** One record of a registry, under the service of the catalog that it became. */
export interface DriftListing {
  readonly service: ServiceKey;
  /** Its short name, `orders`; case does not matter. */
  readonly name: string;
  readonly instances: readonly ServiceInstance[];
}

interface Kept {
  readonly service: ServiceKey;
  readonly name: string;
  readonly members: readonly DriftMember[];
}

/** The members as one index over the records of all registries. */
export class MemberIndex implements DriftMembers {
  readonly #kept = new Map<string, Kept>();
  readonly #at = new Map<string, Set<DriftMember>>();
  readonly #of = new Map<ServiceKey, Set<DriftMember>>();
  readonly #told = new Map<string, number>();
  readonly #names = new Map<string, number>();

  /**
   * A record came, changed or went. `record` is its key in its registry: two records may have become one service. Returns the
   * addresses, sorted, at which another set is listed now: verdicts there may have changed, whatever the service.
   */
  update(registry: RegistryId, record: string, listing: DriftListing | undefined): readonly string[] {
    const key = `${registry}\0${record}`;
    const before = this.#kept.get(key);
    const after = listing === undefined ? undefined : kept(registry, listing);
    if (before !== undefined) this.#take(registry, key, before);
    if (after !== undefined) this.#add(registry, key, after);
    if (before === undefined || after === undefined || before.service !== after.service) {
      return [...new Set([before, after].flatMap((one) => one?.members.map(({ ip }) => ip) ?? []))].sort(byCodeUnit);
    }
    const [old, now] = [before, after].map(
      ({ members }) => new Map(members.map((one) => [`${one.ip} ${one.port}`, one.ip])),
    );
    const changed = new Set<string>();
    for (const [id, ip] of old ?? []) if (now?.has(id) !== true) changed.add(ip);
    for (const [id, ip] of now ?? []) if (old?.has(id) !== true) changed.add(ip);
    return [...changed].sort(byCodeUnit);
  }

  at(ip: string): readonly DriftMember[] {
    return [...(this.#at.get(ip) ?? [])];
  }

  of(service: ServiceKey): readonly DriftMember[] {
    return [...(this.#of.get(service) ?? [])];
  }

  tells(registry: RegistryId, service: ServiceKey): boolean {
    return this.#told.has(`${registry}\0${service}`);
  }

  named(registry: RegistryId, name: string): boolean {
    return this.#names.has(`${registry}\0${name}`);
  }

  #add(registry: RegistryId, key: string, one: Kept): void {
    this.#kept.set(key, one);
    count(this.#told, `${registry}\0${one.service}`, 1);
    count(this.#names, `${registry}\0${one.name}`, 1);
    for (const member of one.members) {
      put(this.#at, member.ip, member);
      put(this.#of, member.service, member);
    }
  }

  #take(registry: RegistryId, key: string, one: Kept): void {
    this.#kept.delete(key);
    count(this.#told, `${registry}\0${one.service}`, -1);
    count(this.#names, `${registry}\0${one.name}`, -1);
    for (const member of one.members) {
      drop(this.#at, member.ip, member);
      drop(this.#of, member.service, member);
    }
  }
}

function kept(registry: RegistryId, { service, name, instances }: DriftListing): Kept {
  const members = new Map<string, DriftMember>();
  for (const { addresses } of instances) {
    for (const address of addresses) {
      if (address.type !== "ip" || !isIpAddress(address.ip)) continue;
      const ip = canonicalIp(address.ip);
      members.set(`${ip} ${address.port}`, { registry, service, ip, port: address.port });
    }
  }
  return { service, name: name.toLowerCase(), members: [...members.values()] };
}

function count(counts: Map<string, number>, key: string, by: number): void {
  const sum = (counts.get(key) ?? 0) + by;
  if (sum > 0) counts.set(key, sum);
  else counts.delete(key);
}

function put<K>(sets: Map<K, Set<DriftMember>>, key: K, member: DriftMember): void {
  const set = sets.get(key);
  if (set === undefined) sets.set(key, new Set([member]));
  else set.add(member);
}

function drop<K>(sets: Map<K, Set<DriftMember>>, key: K, member: DriftMember): void {
  const set = sets.get(key);
  set?.delete(member);
  if (set?.size === 0) sets.delete(key);
}
