import type { RegistryId, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import { fits, type Pattern } from "@signalbox/policy";

/** One endpoint that a registry lists now, under a service of the catalog. */
export interface ListedEndpoint {
  readonly registry: RegistryId;
  readonly service: ServiceKey;
  readonly instance: ServiceInstance;
}

/**
 * What a source has registered as one thing, and can only forget as a whole: an instance of Eureka with all its ports, under all the names that
 * it has.
 */
export interface Registration {
  /** Tells it from all others, for as long as its source knows it. */
  readonly key: string;
  readonly registry: RegistryId;
  readonly endpoints: readonly [ListedEndpoint, ...ListedEndpoint[]];
  /** The services that it is part of. */
  readonly services: ReadonlySet<ServiceKey>;
}

/** What registrations are made of. */
export interface RegistrationsOptions {
  /** The registries whose registrations are wanted. */
  readonly registries: readonly Pattern[];
  /** What the registries say about a service at this moment; not what is only kept of what they said before. */
  recordsOf(service: ServiceKey): readonly ServiceRecord[];
}

/** Puts endpoints together again that are one registration, also across services. */
export class Registrations {
  readonly #options: RegistrationsOptions;
  /** The registrations of a service as it was looked at last. */
  readonly #of = new Map<ServiceKey, ReadonlySet<string>>();
  /** The services of a registration. */
  readonly #in = new Map<string, Set<ServiceKey>>();

  constructor(options: RegistrationsOptions) {
    this.#options = options;
  }

  /** Takes note of what is listed under a service. Needed with each change of it. */
  see(service: ServiceKey): void {
    const before = this.#of.get(service) ?? new Set<string>();
    const after = new Set(this.#listed(service).map(keyOf));
    for (const key of before) {
      if (after.has(key)) continue;
      const services = this.#in.get(key);
      services?.delete(service);
      if (services?.size === 0) this.#in.delete(key);
    }
    for (const key of after) {
      const services = this.#in.get(key);
      if (services === undefined) this.#in.set(key, new Set([service]));
      else services.add(service);
    }
    if (after.size === 0) this.#of.delete(service);
    else this.#of.set(service, after);
  }

  /** The registrations that are listed under a service now, each with all its endpoints, by registry. */
  of(service: ServiceKey): ReadonlyMap<RegistryId, readonly Registration[]> {
    const own = grouped(this.#listed(service), keyOf);
    const registrations = [...own].map(([key, endpoints]): Registration => {
      const others = [...(this.#in.get(key) ?? [])].filter((other) => other !== service);
      const elsewhere = others.flatMap((other) => this.#listed(other).filter((endpoint) => keyOf(endpoint) === key));
      const all = [endpoints[0], ...endpoints.slice(1), ...elsewhere] as const;
      return {
        key,
        registry: all[0].registry,
        endpoints: all,
        services: new Set(all.map((endpoint) => endpoint.service)),
      };
    });
    return grouped(registrations, ({ registry }) => registry);
  }

  #listed(service: ServiceKey): readonly ListedEndpoint[] {
    const { registries } = this.#options;
    return this.#options.recordsOf(service).flatMap(({ instances, service: { provenance } }) => {
      const { registry } = provenance;
      if (!registries.some((pattern) => fits(pattern, registry))) return [];
      return instances.map((instance) => ({ registry, service, instance }));
    });
  }
}

function keyOf({ instance, registry }: ListedEndpoint): string {
  return `${registry} ${instance.provenance.object}`;
}

function grouped<K, V>(values: readonly V[], keyFor: (value: V) => K): ReadonlyMap<K, readonly [V, ...V[]]> {
  const groups = new Map<K, [V, ...V[]]>();
  for (const value of values) {
    const key = keyFor(value);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [value]);
    else group.push(value);
  }
  return groups;
}
