import type { Catalog, Labels, RegistryId, Service } from "@signalbox/model";
import type { Registry } from "@signalbox/registry";
import type { ServiceEndpoint } from "./catalog-index.ts";
import type { Decisions } from "./decisions.ts";
import type { InstanceHandler, ServiceHandler } from "./handlers.ts";
import type { AddRegistryOptions, CatalogRules } from "./options.ts";
import type { RegistryStatus } from "./supervision.ts";

/** Many registries behind one catalog. */
export interface AggregateController {
  /**
   * Adds a registry and, while the aggregate runs, starts it. One that is added to a running aggregate does not hold back
   * publishing. What it said before a restart comes back as for the others. Throws a DuplicateRegistryError when the id is taken.
   */
  addRegistry(registry: Registry, options?: AddRegistryOptions): void;
  /**
   * Puts a registry in the place of the one with the same id, for example with new credentials. What the old one said
   * stays until the new one's snapshot comes. Resolves when the old one has ended and the new one runs. Freshness that is
   * given holds from now on. Rejects with an UnknownRegistryError.
   */
  replaceRegistry(registry: Registry, options?: Pick<AddRegistryOptions, "freshness">): Promise<void>;
  /**
   * Drops a registry and what it said, at once; resolves when its run has ended. Rejects with an UnknownRegistryError.
   */
  removeRegistry(id: RegistryId): Promise<void>;
  /** Has other rules for services from now on; what they change is published. `of` as in the options' rules. */
  setServiceRules(of: CatalogRules["of"]): void;
  /**
   * Runs the registries, leads on the bus and publishes, until `signal` aborts; then resolves with everything released.
   * Rejects when the bus is closed. May be called again after it ended; twice at once it rejects with an
   * AggregateRunningError.
   */
  run(signal: AbortSignal): Promise<void>;
  /**
   * Resolves once of every registry a snapshot came, what it said before a restart is served, or its sync deadline passed.
   * Nothing is published before.
   */
  synced(signal: AbortSignal): Promise<void>;
  /**
   * The catalog as it was published last, a copy that stays as it is. While this aggregate does not lead, the content goes
   * on changing, at revisions whose epoch is the empty string.
   */
  catalog(): Catalog;
  /** Whether it publishes, as far as it knows: of several on one bus, one does. */
  readonly leads: boolean;
  /** What was decided about the catalog, and people's say in it. */
  readonly decisions: Decisions;
  /** The registries, highest precedence first. */
  status(): readonly RegistryStatus[];
  /** All services, sorted by key. */
  services(): readonly Service[];
  /** The service with this hostname. Without `namespace` the oldest counts where several namespaces define it. */
  serviceByHostname(hostname: string, namespace?: string): Service | undefined;
  /**
   * The endpoints of a service port. `service` is a service key or a hostname, `port` a service port's number or name;
   * only endpoints with all of `labels` count.
   */
  instancesByPort(service: string, port: number | string, labels?: Labels): readonly ServiceEndpoint[];
  /** The endpoints at these IP addresses: what a proxy with these addresses serves. Does not walk the catalog. */
  proxyInstances(ipAddresses: readonly string[]): readonly ServiceEndpoint[];
  /**
   * Calls `handler` for each service that comes, changes or goes, after the catalog has the change; changes of endpoints
   * do not count. The result takes the handler away. A handler that fails is logged.
   */
  appendServiceHandler(handler: ServiceHandler): () => void;
  /** Calls `handler` for each endpoint that comes, changes or goes, as `appendServiceHandler` does for services. */
  appendInstanceHandler(handler: InstanceHandler): () => void;
}

/** Thrown when a registry is added under an id that is taken. */
export class DuplicateRegistryError extends Error {
  readonly code = "SBX_REGISTRY_DUPLICATE";
  readonly registry: RegistryId;

  constructor(registry: RegistryId) {
    super(`there is already a registry ${registry}`);
    this.name = "DuplicateRegistryError";
    this.registry = registry;
  }
}

/** Thrown when there is no registry with an id. */
export class UnknownRegistryError extends Error {
  readonly code = "SBX_REGISTRY_UNKNOWN";
  readonly registry: RegistryId;

  constructor(registry: RegistryId) {
    super(`there is no registry ${registry}`);
    this.name = "UnknownRegistryError";
    this.registry = registry;
  }
}

/** Thrown when an aggregate that runs is run again. */
export class AggregateRunningError extends Error {
  readonly code = "SBX_AGGREGATE_RUNNING";

  constructor() {
    super("the aggregate runs already");
    this.name = "AggregateRunningError";
  }
}
