import type { AggregateInput, SavedRamp } from "@signalbox/aggregate";
import type { JournalRow } from "@signalbox/api";
import {
  createJournal,
  readJournal,
  type Journal,
  type JournalEntry,
  type JournalRecord,
  type JournalStatus,
  type RegistryContent,
} from "@signalbox/journal";
import type { SavedSlowStart } from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";

/** What a journal of the catalog works with. */
export interface CatalogJournalOptions {
  readonly dir: string;
  readonly logger: Logger;
  /** Hash of the configuration that is in force. */
  readonly configHash: string;
  /** Epoch milliseconds now. */
  readonly now: () => number;
  /** All that the registries say now, for the places at which a replay may begin. */
  readonly contents: () => readonly RegistryContent[];
  /** How far ramps are, for the same places. */
  readonly ramps: () => readonly SavedRamp[];
  /** Which endpoints are not at their full weight, for the same places. */
  readonly slowStarts: () => readonly SavedSlowStart[];
}

/** Inputs that may wait until the journal is open. More of them are only thinkable where opening hangs. */
const longestQueue = 100_000;

/** Writes down everything that decides about the catalog. */
export class CatalogJournal {
  readonly #options: CatalogJournalOptions;
  #journal: Journal | undefined;
  #queue: AggregateInput[] = [];
  /** Inputs that found no room in the queue. */
  #turnedAway = 0;

  constructor(options: CatalogJournalOptions) {
    this.#options = options;
  }

  /** Takes an input before it has its effect. Never waits. */
  take(input: AggregateInput): void {
    if (this.#journal === undefined) {
      if (this.#queue.length < longestQueue) this.#queue.push(input);
      else this.#turnedAway++;
      return;
    }
    this.#append(this.#journal, input);
  }

  /** Opens the journal and keeps it until `signal` aborts. Rejects where the folder cannot be used. */
  async run(signal: AbortSignal): Promise<void> {
    const { configHash, dir, logger, now } = this.#options;
    const journal = await createJournal({
      dir,
      onProblem: (problem) => logger.error("journal-problem", { ...problem }),
    });
    const waiting = this.#queue.splice(0);
    journal.append({ type: "config", at: waiting[0]?.at ?? now(), config: configHash });
    for (const input of waiting) this.#append(journal, input);
    this.#journal = journal;
    try {
      await new Promise<void>((resolve) => {
        if (signal.aborted) resolve();
        else signal.addEventListener("abort", () => resolve(), { once: true });
      });
    } finally {
      this.#journal = undefined;
      await journal.close();
    }
  }

  /** How the journal is; undefined while it is not open. Losses are counted from when this was made. */
  status(): Pick<JournalStatus, "seq" | "lost" | "bytes" | "degraded"> | undefined {
    const status = this.#journal?.status();
    return status && { ...status, lost: status.lost + this.#turnedAway };
  }

  /** Entries of the journal, by sequence. Times are in epoch milliseconds; `to` is not part of it. */
  async rows({
    from,
    limit,
    to,
  }: {
    readonly from?: number;
    readonly to?: number;
    readonly limit: number;
  }): Promise<readonly JournalRow[]> {
    await this.#journal?.flush();
    const rows: JournalRow[] = [];
    const range = from === undefined ? {} : { from: { at: from }, begin: "exact" as const };
    for await (const record of readJournal(this.#options.dir, range)) {
      if ((from !== undefined && record.at < from) || (to !== undefined && record.at >= to)) continue;
      rows.push(rowOf(record));
      if (rows.length >= limit) break;
    }
    return rows;
  }

  #append(journal: Journal, input: AggregateInput): void {
    if (journal.status().snapshotWanted) {
      const registries = this.#options.contents();
      const state = { ramps: this.#options.ramps(), slowStarts: this.#options.slowStarts() };
      journal.append({ type: "snapshot", at: input.at, registries, state });
    }
    const entry = entryOf(input);
    if (entry !== undefined) journal.append(entry);
  }
}

function rowOf({ at, hash: _, prev: __, seq, type, ...detail }: JournalRecord): JournalRow {
  return { sequence: seq, at, kind: type, detail };
}

function entryOf(input: AggregateInput): JournalEntry | undefined {
  const { at } = input;
  switch (input.type) {
    case "update":
      return { type: "update", at, registry: input.registry, update: input.update };
    case "read":
      return { type: "alive", at, registry: input.registry };
    case "degraded":
      return { type: "degraded", at, registry: input.registry, problem: input.problem, message: input.message };
    case "state":
      return { type: "decision", at, stage: "freshness", code: input.state, registry: input.registry };
    case "decision":
      return {
        type: "decision",
        at,
        stage: "guard",
        code: input.decision.type.toUpperCase(),
        registry: input.registry,
        detail: input.decision,
      };
    case "withdrawal": {
      const { type: _, at: __, outcome, registry, service, ...detail } = input;
      return { type: "decision", at, stage: "withdrawal", code: outcome, registry, service, detail };
    }
    case "withdrawals-stopped":
      return { type: "decision", at, stage: "withdrawal", code: "STOPPED", detail: { reason: input.reason } };
    case "withdrawals-resumed":
      return { type: "operator", at, author: input.author, action: "withdrawals-resume", detail: {} };
    case "override":
      return { type: "operator", at, author: input.override.author, action: "override", detail: input.override };
    case "override-removed":
      return { type: "operator", at, author: input.author, action: "override-removed", detail: { id: input.id } };
    case "guard":
      return {
        type: "operator",
        at,
        author: input.author,
        action: "guard",
        detail: { id: input.id, ruling: input.ruling },
      };
    case "ramp":
      return {
        type: "operator",
        at,
        author: input.author,
        action: "ramp",
        detail: { service: input.service, action: input.action },
      };
    case "ramp-state":
      return {
        type: "decision",
        at,
        stage: "ramp",
        code: input.change,
        service: input.service,
        detail: { ...input.state, ...(input.why !== undefined && { why: input.why }) },
      };
  }
}
