import { createHttpClient } from "@signalbox/http-client";
import { registryId, type RegistryId, type ServiceRecord } from "@signalbox/model";
import type { Baseline, Registry, RegistryDeps, RegistrySink } from "@signalbox/registry";
import { ConsulClient, httpOptions, type ConsulScope } from "./client.ts";
import type { ConsulConfig } from "./config.ts";
import { formerServices, type FormerService } from "./convert/baseline.ts";
import { Alike } from "./convert.ts";
import type { ReaderContext } from "./registry/context.ts";
import { ScopeReader } from "./registry/scope-reader.ts";
import { Shard } from "./registry/shard.ts";
import { Slots } from "./registry/slots.ts";

/** The name of this kind of registry. */
export const provider = "consul";

/** Serves what Consul says: one blocking query for each list of services and one for each service. */
export class ConsulRegistry implements Registry {
  readonly id: RegistryId;
  readonly #config: ConsulConfig;
  readonly #deps: RegistryDeps;

  constructor(config: ConsulConfig, deps: RegistryDeps) {
    this.id = registryId(provider, deps.name);
    this.#config = config;
    this.#deps = deps;
  }

  async run(sink: RegistrySink, signal: AbortSignal, baseline?: Baseline): Promise<void> {
    if (signal.aborted) return;
    const [config, deps, registry] = [this.#config, this.#deps, this.id];
    const scopes = scopesOf(config);
    const http = createHttpClient({
      ...httpOptions(config, deps.baseDir, scopes.length),
      onRejected: (reason) => deps.logger.warn("consul-credentials-rejected", { registry, reason }),
    });
    try {
      const records = await recordsOf(baseline, signal);
      if (records === undefined) return;
      const former = this.#formerOf(records, scopes);
      const context: ReaderContext = {
        config,
        registry,
        deps,
        client: new ConsulClient(config, http),
        alike: { labels: new Alike(), localities: new Alike() },
        shard: new Shard({ config, registry, deps, sink, signal }),
        slots: new Slots({
          concurrency: config.concurrency,
          waitMs: config.waitSeconds * 1000,
          rotationMs: config.rotationSeconds * 1000,
        }),
        former: (scope: ConsulScope): Former => former.get(scope) ?? new Map<string, FormerService>(),
      };
      const readers = scopes.map((scope) => new ScopeReader(scope, context));
      // All join before the first one reads: the snapshot waits for every scope.
      for (const reader of readers) context.shard.join(reader);
      await Promise.all(readers.map((reader) => reader.run(signal)));
    } finally {
      await http.close();
    }
  }

  /** What is in force from an earlier run, by scope, as far as this configuration has a place for it. */
  #formerOf(records: readonly ServiceRecord[], scopes: readonly ConsulScope[]): ReadonlyMap<ConsulScope, Former> {
    const former = new Map(scopes.map((scope) => [scope, formerServices(records, scope, this.#config)]));
    const placed = new Set(
      [...former.values()].flatMap((services) => [...services.values()]).map(({ record }) => record),
    );
    const unplaced = records.filter((record) => record.instances.length > 0 && !placed.has(record));
    if (unplaced.length > 0) {
      const examples = unplaced.slice(0, 5).map(({ service }) => service.hostname);
      this.#deps.logger.warn("consul-baseline-unplaced", { registry: this.id, count: unplaced.length, examples });
    }
    return former;
  }
}

type Former = ReadonlyMap<string, FormerService>;

/** What is in force; undefined where the signal aborted first. */
async function recordsOf(
  baseline: Baseline | undefined,
  signal: AbortSignal,
): Promise<readonly ServiceRecord[] | undefined> {
  if (baseline === undefined) return [];
  try {
    return (await baseline.load(signal)).records;
  } catch (error) {
    if (isAborted(signal)) return undefined;
    throw error;
  }
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

/** Every datacenter with every partition and namespace; one scope of the agent's own where none are named. */
export function scopesOf({ datacenters, partitions, namespaces }: ConsulConfig): readonly ConsulScope[] {
  const orOwn = (names: readonly string[]): readonly (string | undefined)[] =>
    names.length === 0 ? [undefined] : names;
  return orOwn(datacenters).flatMap((datacenter) =>
    orOwn(partitions).flatMap((partition) =>
      orOwn(namespaces).map((namespace) => ({ datacenter, partition, namespace })),
    ),
  );
}
