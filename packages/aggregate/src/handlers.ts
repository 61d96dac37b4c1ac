import { contentHash, instanceKey } from "@signalbox/model";
import type { CatalogEntry, CatalogInstance, Service } from "@signalbox/model";
import type { Logger } from "@signalbox/registry";
import type { Steps } from "@signalbox/slices";
import { endpointsOf } from "./catalog-index.ts";
import type { EntryChange, ServiceEndpoint } from "./catalog-index.ts";

/** What happened to a service or an endpoint. */
export type HandlerEvent = "add" | "update" | "delete";

/** Told about a service: `previous` is absent for an add, `current` for a delete. */
export type ServiceHandler = (
  previous: Service | undefined,
  current: Service | undefined,
  event: HandlerEvent,
) => void | Promise<void>;

/** Told about an endpoint: `previous` is absent for an add, `current` for a delete. */
export type InstanceHandler = (
  previous: ServiceEndpoint | undefined,
  current: ServiceEndpoint | undefined,
  event: HandlerEvent,
) => void | Promise<void>;

/** Tells handlers what changed. A handler that fails is logged and keeps nobody else from being told. */
export class Handlers {
  readonly #logger: Logger;
  readonly #service = new Set<{ readonly handler: ServiceHandler }>();
  readonly #instance = new Set<{ readonly handler: InstanceHandler }>();

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  /** Adds a handler; the result takes it away. One function may be added twice and is then called twice. */
  appendService(handler: ServiceHandler): () => void {
    return append(this.#service, handler);
  }

  /** Adds a handler; the result takes it away. One function may be added twice and is then called twice. */
  appendInstance(handler: InstanceHandler): () => void {
    return append(this.#instance, handler);
  }

  /** Tells what became of entries, one in each step. */
  *tell(changes: readonly EntryChange[]): Steps<undefined> {
    for (const { current, previous } of changes) {
      this.#tell(previous, current);
      yield;
    }
    return undefined;
  }

  #tell(previous: CatalogEntry | undefined, current: CatalogEntry | undefined): void {
    if (previous?.versions.service !== current?.versions.service) {
      this.#call(this.#service, previous?.service, current?.service);
    }
    if (this.#instance.size === 0 || previous?.versions.instances === current?.versions.instances) return;
    const before = byIdentity(previous);
    const after = byIdentity(current);
    for (const [identity, endpoint] of before) {
      const next = after.get(identity);
      if (next === undefined || versionOf(next.instance) !== versionOf(endpoint.instance)) {
        this.#call(this.#instance, endpoint, next);
      }
    }
    for (const [identity, endpoint] of after)
      if (!before.has(identity)) this.#call(this.#instance, undefined, endpoint);
  }

  #call<T>(
    handlers: ReadonlySet<{
      readonly handler: (previous: T | undefined, current: T | undefined, event: HandlerEvent) => void | Promise<void>;
    }>,
    previous: T | undefined,
    current: T | undefined,
  ): void {
    const event = previous === undefined ? "add" : current === undefined ? "delete" : "update";
    for (const { handler } of [...handlers]) {
      try {
        const result = handler(previous, current, event);
        if (result instanceof Promise) result.catch((error: unknown) => this.#failed(event, error));
      } catch (error) {
        this.#failed(event, error);
      }
    }
  }

  #failed(event: HandlerEvent, error: unknown): void {
    this.#logger.error("handler-failed", { event, error });
  }
}

function append<H>(handlers: Set<{ readonly handler: H }>, handler: H): () => void {
  const entry = { handler };
  handlers.add(entry);
  return () => {
    handlers.delete(entry);
  };
}

function byIdentity(entry: CatalogEntry | undefined): ReadonlyMap<string, ServiceEndpoint> {
  const endpoints = entry === undefined ? [] : endpointsOf(entry);
  return new Map(
    endpoints.map((endpoint) => [
      `${endpoint.instance.servicePort}\0${instanceKey(endpoint.instance.addresses[0])}`,
      endpoint,
    ]),
  );
}

function versionOf({ provenance: _, findings: __, ...content }: CatalogInstance): string {
  return contentHash(content);
}
