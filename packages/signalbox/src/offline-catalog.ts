import type { RegistryStatus } from "@signalbox/aggregate";
import type { Catalog } from "@signalbox/model";
import type { Logger, Registry } from "@signalbox/registry";
import type { PlannedRegistry } from "./config/registries.ts";
import { createFromPlan, type Plan } from "./signalbox.ts";

/** A catalog that was read once. */
export interface OfflineCatalog {
  readonly catalog: Catalog;
  /** Registries that could not be read whole; what they gave is in the catalog. */
  readonly incomplete: readonly RegistryStatus[];
}

/** Reads every registry of a plan once, with no server open, and gives the catalog. Waits at most the plan's sync deadline. */
export async function readCatalogOnce(plan: Plan, baseDir: string, logger: Logger): Promise<OfflineCatalog> {
  // What a daemon keeps over restarts is neither an answer here nor ours to write.
  const { state: _, journal: __, xds, ...rest } = plan.config;
  const closed = { plaintext: false, insecure: false, drainMs: 0, limits: xds.limits, vhds: false } as const;
  const config = { ...rest, xds: closed, debug: false } as const;
  const signalbox = createFromPlan({ config, registries: plan.registries.map(outspoken) }, { baseDir, logger });
  const stop = new AbortController();
  const ended = signalbox.run(stop.signal);
  try {
    await Promise.race([signalbox.synced(stop.signal), ended]);
    const incomplete = signalbox.registries().filter(({ problem, state }) => state === "INIT" || problem !== undefined);
    return { catalog: signalbox.catalog(), incomplete };
  } finally {
    stop.abort();
    await ended;
  }
}

/** The daemon waits for a source that has trouble; who reads once takes the trouble for an answer and goes on without it. */
function outspoken(planned: PlannedRegistry): PlannedRegistry {
  const { module } = planned;
  return {
    ...planned,
    module: {
      provider: module.provider,
      parseConfig: (input) => module.parseConfig(input),
      create: (config, deps) => emptyInTrouble(module.create(config, deps)),
    },
  };
}

function emptyInTrouble(registry: Registry): Registry {
  return {
    id: registry.id,
    run: (sink, signal) => {
      let spoke = false;
      return registry.run(
        {
          push: (update) => {
            spoke = true;
            sink.push(update);
          },
          alive: () => sink.alive(),
          degraded: (problem, error) => {
            if (!spoke) sink.push({ type: "snapshot", records: [] });
            spoke = true;
            sink.degraded(problem, error);
          },
        },
        signal,
      );
    },
  };
}
