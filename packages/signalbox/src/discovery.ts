import { resolve } from "node:path";
import { createAggregate, type AggregateController } from "@signalbox/aggregate";
import type { SignalboxMetrics } from "@signalbox/debug";
import type { EventBus } from "@signalbox/event-bus";
import { contentHash } from "@signalbox/model";
import type { Clock, Logger, Registry } from "@signalbox/registry";
import { ParityWatch } from "./api/parity-watch.ts";
import { catalogRules } from "./config/catalog-rules.ts";
import { durationMs } from "./config/duration.ts";
import type { PlannedRegistry } from "./config/registries.ts";
import type { SignalboxConfig } from "./config/schema.ts";
import { withFields } from "./event-log.ts";
import { CatalogJournal } from "./journal/catalog-journal.ts";
import { createOverrideFile } from "./state/override-file.ts";
import { createNoRampFile, createRampFile } from "./state/ramp-file.ts";
import { createShardFiles } from "./state/shard-files.ts";
import { createSlowStartFile } from "./state/slow-start-file.ts";

/** What every stage is made with. */
export interface StageContext {
  /** Folder that relative paths of the configuration start from. */
  readonly baseDir: string;
  readonly logger: Logger;
  readonly clock: Clock;
  readonly metrics: SignalboxMetrics;
}

/** The upper half of the pipeline: from the registries to the bus. */
export interface Discovery {
  readonly aggregate: AggregateController;
  /** Absent where none is configured. Needs `run`. */
  readonly journal: CatalogJournal | undefined;
  /** Since when registries have been in parity. */
  readonly parity: ParityWatch;
  /** Makes a registry of a plan; the caller adds it to the aggregate. */
  createRegistry(planned: PlannedRegistry): Registry;
}

/** Makes the upper half. `registries` come before those of the configuration. */
export function composeDiscovery(
  config: SignalboxConfig,
  bus: Pick<EventBus, "lead">,
  registries: readonly Registry[],
  { baseDir, clock, logger, metrics }: StageContext,
): Discovery {
  const { aggregate: gathering, state } = config;

  // Adapters: each knows one platform and says what is true there.
  const createRegistry = ({ config: own, id, module, name }: PlannedRegistry): Registry =>
    module.create(own, {
      name,
      logger: withFields(logger, { registry: id }),
      clock,
      metrics: metrics.forRegistry(id),
      baseDir,
    });

  const overrides = state && createOverrideFile(resolve(baseDir, state.dir, "overrides.json"), logger);
  const ramps = state ? createRampFile(resolve(baseDir, state.dir, "ramps.json"), logger) : createNoRampFile(logger);
  const slowStarts = state && createSlowStartFile(resolve(baseDir, state.dir, "slow-starts.json"), logger);

  const journal =
    config.journal &&
    new CatalogJournal({
      dir: resolve(baseDir, config.journal.dir),
      logger,
      configHash: contentHash(config),
      now: () => clock.now(),
      contents: () => aggregate.decisions.contents(),
      ramps: () => aggregate.decisions.ramps(),
      slowStarts: () => aggregate.decisions.slowStarts(),
    });

  const parity = new ParityWatch();

  // Aggregate: makes one catalog of all registries and publishes what changed on the bus.
  const aggregate = createAggregate({
    bus,
    debounce: gathering.debounce,
    syncDeadlineMs: gathering.syncDeadlineMs,
    rules: catalogRules(config),
    ...(overrides && { overrides: overrides.load() }),
    ramps: ramps.load(),
    ...(slowStarts && {
      slowStarts: slowStarts.load(),
      onSlowStart: () => slowStarts.save(() => aggregate.decisions.slowStarts()),
    }),
    onStaged: (service, records) => parity.see(service, records, clock.now()),
    onInput: (input) => {
      journal?.take(input);
      if (input.type === "decision") metrics.guardDecided(input.decision);
      if (input.type === "override" || input.type === "override-removed")
        overrides?.save(aggregate.decisions.overrides());
      if (input.type === "ramp" || input.type === "ramp-state") ramps.save(() => aggregate.decisions.ramps());
    },
    ...(state && {
      state: {
        archive: createShardFiles({ dir: resolve(baseDir, state.dir), logger }),
        restore: state.restore,
        saveEveryMs: durationMs(state.saveEvery),
      },
    }),
    clock,
    logger,
    metrics: (id) => metrics.forRegistry(id),
    onPublish: ({ debounceMs }) => metrics.debounced(debounceMs / 1000),
  });
  registries.forEach((registry, index) => aggregate.addRegistry(registry, { precedence: index - registries.length }));
  return { aggregate, createRegistry, journal, parity };
}
