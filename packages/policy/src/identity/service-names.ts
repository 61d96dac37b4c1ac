import { byCodeUnit, serviceKey } from "@signalbox/model";
import type { RegistryId, Service, ServiceKey } from "@signalbox/model";
import { suffixed } from "./dns-label.ts";
import { identify, type Identity, type IdentityRule } from "./identity.ts";

/** Two services of one registry that want the same canonical name. */
export interface Collision {
  readonly registry: RegistryId;
  readonly wanted: ServiceKey;
  /** Who has it: the first by its own key. */
  readonly winner: ServiceKey;
  /** Who has another name instead, and which; without one it is not in the catalog. */
  readonly loser: ServiceKey;
  readonly renamed?: ServiceKey;
}

interface Named {
  readonly identity: Identity;
  /** The key it wants; it has another one where it lost. */
  readonly wanted: ServiceKey;
  key: ServiceKey;
}

interface RegistryNames {
  /** By the registry's own keys. */
  readonly services: Map<ServiceKey, Named>;
  /** Who wants a canonical key. */
  readonly wanting: Map<ServiceKey, Set<ServiceKey>>;
  /** Who has a canonical key. */
  readonly having: Map<ServiceKey, Set<ServiceKey>>;
}

/**
 * Which service of which registry has which canonical name. Kept up to date one service at a time; the outcome does not depend on the order in
 * which services come. Services of several registries with one canonical name are one service. Services of one registry are so only
 * where a rule gathers them; else the first by its own key has the name, and the others a name of their own with a stable suffix, or, where
 * the rule is strict, no place in the catalog.
 */
export class ServiceNames {
  readonly #rules: readonly IdentityRule[];
  readonly #registries = new Map<RegistryId, RegistryNames>();
  readonly #aliases = new Map<ServiceKey, Map<string, number>>();
  #collisionChanges = 0;

  constructor(rules: readonly IdentityRule[]) {
    this.#rules = rules;
  }

  /** Whether names are ever changed. */
  get isTrivial(): boolean {
    return this.#rules.length === 0;
  }

  /** Is another number whenever `collisions` may say something else than before, so that it need not be asked each time. */
  get collisionChanges(): number {
    return this.#collisionChanges;
  }

  /**
   * Takes in what a registry says about the service that has `own` as its own key; `undefined` is that it says nothing any more. Returns the
   * canonical keys whose services may be others now.
   */
  update(
    registry: RegistryId,
    own: ServiceKey,
    service: Pick<Service, "hostname" | "namespace"> | undefined,
  ): Set<ServiceKey> {
    const touched = new Set<ServiceKey>();
    const names = this.#of(registry);
    const before = names.services.get(own);
    const identity = service && identify(this.#rules, registry, service);
    const wanted = identity && serviceKey(identity);
    if (before !== undefined) touched.add(before.key);
    if (before !== undefined && before.wanted === wanted) {
      touched.add(before.key);
      return touched;
    }
    if (before !== undefined) {
      if (before.key !== before.wanted) this.#collisionChanges++;
      names.services.delete(own);
      drop(names.wanting, before.wanted, own);
      drop(names.having, before.key, own);
      this.#countAliases(before, -1);
      this.#settle(registry, names, before.wanted, touched);
    }
    if (identity !== undefined && wanted !== undefined) {
      const named: Named = { identity, wanted, key: wanted };
      names.services.set(own, named);
      put(names.wanting, wanted, own);
      put(names.having, wanted, own);
      this.#countAliases(named, 1);
      touched.add(wanted);
      this.#settle(registry, names, wanted, touched);
    }
    return touched;
  }

  /** The keys under which a registry itself knows a canonical service. Sorted. */
  ownKeys(registry: RegistryId, key: ServiceKey): readonly ServiceKey[] {
    return [...(this.#registries.get(registry)?.having.get(key) ?? [])].sort(byCodeUnit);
  }

  /** Who a registry's service is now. */
  nameOf(registry: RegistryId, own: ServiceKey): { readonly key: ServiceKey; readonly identity: Identity } | undefined {
    return this.#registries.get(registry)?.services.get(own);
  }

  /** Further hostnames of a canonical service. Sorted. */
  aliasesOf(key: ServiceKey): readonly string[] {
    return [...(this.#aliases.get(key)?.keys() ?? [])].sort(byCodeUnit);
  }

  /** All services that could not have the name they want. Sorted. */
  collisions(): readonly Collision[] {
    const found: Collision[] = [];
    for (const [registry, { services, having }] of this.#registries) {
      for (const [loser, named] of services) {
        const { key, wanted } = named;
        if (key === wanted) continue;
        const winner = [...(having.get(wanted) ?? [])].sort(byCodeUnit)[0];
        if (winner === undefined) continue;
        found.push({ registry, wanted, winner, loser, ...(!isLeftOut(named) && { renamed: key }) });
      }
    }
    return found.sort((a, b) => byCodeUnit(a.registry, b.registry) || byCodeUnit(a.loser, b.loser));
  }

  /** Gives the name to the first that wants it, and the others theirs. */
  #settle(registry: RegistryId, names: RegistryNames, wanted: ServiceKey, touched: Set<ServiceKey>): void {
    const [first, ...others] = [...(names.wanting.get(wanted) ?? [])].sort(byCodeUnit);
    if (first !== undefined) this.#rename(names, first, wanted, touched);
    for (const own of others) {
      const named = names.services.get(own);
      if (named === undefined) continue;
      const key = named.identity.gather ? wanted : lostKey(named.identity, registry, own);
      this.#rename(names, own, key, touched);
    }
  }

  #rename(names: RegistryNames, own: ServiceKey, key: ServiceKey, touched: Set<ServiceKey>): void {
    const named = names.services.get(own);
    if (named === undefined || named.key === key) return;
    this.#collisionChanges++;
    touched.add(named.key);
    touched.add(key);
    drop(names.having, named.key, own);
    this.#countAliases(named, -1);
    named.key = key;
    // Who is left out is said by nobody; its key only tells it apart.
    if (!isLeftOut(named)) put(names.having, key, own);
    this.#countAliases(named, 1);
  }

  /** Who lost its name has no aliases either: they would collide in the same way. */
  #countAliases({ identity, key, wanted }: Named, by: 1 | -1): void {
    if (key !== wanted || identity.aliases.length === 0) return;
    const counts = this.#aliases.get(key) ?? new Map<string, number>();
    this.#aliases.set(key, counts);
    for (const alias of identity.aliases) {
      const count = (counts.get(alias) ?? 0) + by;
      if (count > 0) counts.set(alias, count);
      else counts.delete(alias);
    }
    if (counts.size === 0) this.#aliases.delete(key);
  }

  #of(registry: RegistryId): RegistryNames {
    let names = this.#registries.get(registry);
    if (names === undefined) {
      names = { services: new Map(), wanting: new Map(), having: new Map() };
      this.#registries.set(registry, names);
    }
    return names;
  }
}

function isLeftOut({ identity, key, wanted }: Named): boolean {
  return identity.strict && key !== wanted;
}

function lostKey({ hostname, namespace }: Identity, registry: RegistryId, own: ServiceKey): ServiceKey {
  const [first = "", ...rest] = hostname.split(".");
  return serviceKey({ namespace, hostname: [suffixed(first, `${registry} ${own}`), ...rest].join(".") });
}

function put<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  if (set === undefined) map.set(key, new Set([value]));
  else set.add(value);
}

function drop<K, V>(map: Map<K, Set<V>>, key: K, value: V): void {
  const set = map.get(key);
  set?.delete(value);
  if (set?.size === 0) map.delete(key);
}
