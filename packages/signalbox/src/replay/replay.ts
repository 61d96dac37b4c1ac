import { createAggregate, NoRampError, type AggregateController, type SavedRamp } from "@signalbox/aggregate";
import { createInProcessBus } from "@signalbox/event-bus";
import type { JournalRecord, RegistryContent } from "@signalbox/journal";
import type { Catalog, RegistryId, ServiceKey } from "@signalbox/model";
import {
  NoGuardError,
  UnknownOverrideError,
  type GuardRuling,
  type Override,
  type SavedSlowStart,
} from "@signalbox/policy";
import type { Logger, Problem, Registry, RegistrySink, RegistryUpdate } from "@signalbox/registry";
import { catalogRules } from "../config/catalog-rules.ts";
import type { Plan } from "../signalbox.ts";
import { savedRampsSchema } from "../state/saved-ramps.ts";
import { savedSlowStartsSchema } from "../state/slow-start-file.ts";
import { ReplayClock } from "./replay-clock.ts";

/** What came of a replay. */
export interface Replayed {
  readonly catalog: Catalog;
  /** Registries of the journal that the configuration does not have. What they said is left out. */
  readonly unknown: readonly RegistryId[];
  /** How many records were played. */
  readonly records: number;
  /** Time of the last one, in epoch milliseconds. */
  readonly until: number;
}

/**
 * Plays the records of a journal through the rules of a configuration, on a clock that follows the records' times. Nothing is read from a
 * real source, and nothing is served. The same records and configuration always give the same catalog.
 */
export async function replay(
  records: AsyncIterable<JournalRecord>,
  { config, registries }: Plan,
  logger: Logger,
): Promise<Replayed> {
  const actors = new Map(registries.map(({ id }) => [id, new Actor(id)]));
  const unknown = new Set<RegistryId>();
  const stop = new AbortController();
  let stage:
    { readonly aggregate: AggregateController; readonly clock: ReplayClock; readonly ended: Promise<void> } | undefined;
  let count = 0;
  let until = 0;
  const begin = async (at: number, { ramps, slowStarts }: Kept = { ramps: [], slowStarts: [] }) => {
    const clock = new ReplayClock(at);
    const aggregate = createAggregate({
      bus: createInProcessBus(),
      clock,
      logger,
      rules: catalogRules(config),
      ramps,
      slowStarts,
      syncDeadlineMs: 0,
    });
    for (const { freshness, id } of registries) {
      const actor = actors.get(id);
      if (actor !== undefined) aggregate.addRegistry(actor, { freshness });
    }
    const ended = aggregate.run(stop.signal);
    await clock.advance(at);
    return { aggregate, clock, ended };
  };
  try {
    for await (const record of records) {
      count++;
      until = record.at;
      // What is known of ramps and slow starts comes with the first snapshot.
      if (stage === undefined && record.type === "config") continue;
      stage ??= await begin(record.at, record.type === "snapshot" ? keptIn(record.state) : undefined);
      await stage.clock.advance(record.at);
      play(record, stage.aggregate, (id) => {
        const actor = actors.get(id);
        if (actor === undefined) unknown.add(id);
        return actor;
      });
    }
    stage ??= await begin(0);
    // What was still being gathered when the journal ended.
    await stage.clock.advance(stage.clock.now() + config.aggregate.debounce.maxMs);
    return { catalog: stage.aggregate.catalog(), unknown: [...unknown], records: count, until };
  } finally {
    stop.abort();
    await stage?.ended;
  }
}

function play(
  record: JournalRecord,
  { decisions }: AggregateController,
  actorOf: (id: RegistryId) => Actor | undefined,
): void {
  switch (record.type) {
    case "snapshot":
      for (const content of record.registries) actorOf(content.registry)?.begin(content);
      return;
    case "update":
      actorOf(record.registry)?.say(record.update);
      return;
    case "alive":
      actorOf(record.registry)?.alive();
      return;
    case "degraded":
      actorOf(record.registry)?.degraded(record.problem as Problem, record.message);
      return;
    case "operator":
      operate(record, decisions);
      return;
    default:
      // Decisions and gaps follow from the rest, or are what cannot be known any more.
      return;
  }
}

/** What a person did then may mean nothing under other rules: a guard that did not trip cannot be decided. */
function operate(
  { action, author, detail }: Extract<JournalRecord, { type: "operator" }>,
  decisions: AggregateController["decisions"],
): void {
  try {
    if (action === "override") decisions.addOverride(detail as Override);
    else if (action === "override-removed") decisions.removeOverride((detail as { id: string }).id, author);
    else if (action === "guard") {
      const { id, ruling } = detail as { readonly id: string; readonly ruling: GuardRuling };
      decisions.decideGuard(id, ruling, author);
    } else if (action === "ramp") {
      const ramp = detail as { readonly service: ServiceKey; readonly action: "rollback" | "resume" };
      if (ramp.action === "rollback") decisions.rollbackRamp(ramp.service, author);
      else decisions.resumeRamp(ramp.service, author);
    }
  } catch (error) {
    const mayBe = [NoGuardError, NoRampError, UnknownOverrideError];
    if (!mayBe.some((kind) => error instanceof kind)) throw error;
  }
}

/** What was known beside what registries say. */
interface Kept {
  readonly ramps: readonly SavedRamp[];
  readonly slowStarts: readonly SavedSlowStart[];
}

/** How far ramps and slow starts were where the journal begins; an older one does not say. */
function keptIn(state: unknown): Kept {
  const { ramps, slowStarts } = (state ?? {}) as { readonly ramps?: unknown; readonly slowStarts?: unknown };
  return {
    ramps: savedRampsSchema.safeParse(ramps).data ?? [],
    slowStarts: savedSlowStartsSchema.safeParse(slowStarts).data ?? [],
  };
}

/** Says what a registry said. */
class Actor implements Registry {
  readonly id: RegistryId;
  #sink: RegistrySink | undefined;
  #spoke = false;

  constructor(id: RegistryId) {
    this.id = id;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    this.#sink = sink;
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener("abort", () => resolve(), { once: true });
    });
  }

  /** A place at which a replay may begin; one that comes later says nothing new. */
  begin({ objects, records, workloads }: RegistryContent): void {
    if (!this.#spoke) this.say({ type: "snapshot", records, workloads, objects });
  }

  say(update: RegistryUpdate): void {
    this.#spoke = true;
    this.#sink?.push(update);
  }

  degraded(problem: Problem, message: string): void {
    this.#sink?.degraded(problem, new Error(message));
  }

  alive(): void {
    if (this.#spoke) this.#sink?.alive();
  }
}
