import type { RegistryId } from "@signalbox/model";
import { checkedSteps } from "@signalbox/registry";
import type {
  Baseline,
  Clock,
  LastGood,
  Logger,
  Metrics,
  Problem,
  Registry,
  RegistrySink,
  RegistryUpdate,
  SteppedSink,
} from "@signalbox/registry";
import type { Steps } from "@signalbox/slices";
import type { ReadRecord, SourceState } from "./freshness.ts";
import { inOneStep } from "./line.ts";
import type { Line } from "./line.ts";
import type { RestartOptions } from "./options.ts";
import { abortWith, isAborted, toError } from "./waiting.ts";

/** What is known about one registry. */
export interface RegistryStatus {
  readonly id: RegistryId;
  readonly state: SourceState;
  /** Why the source cannot be read now; what it said before stays in force. Absent while all is well. */
  readonly problem?: Problem;
  /** How many services it contributes. */
  readonly services: number;
  /** When a read was last complete, in epoch milliseconds, also before a restart. */
  readonly lastCompleteRead?: number;
  /** Age of the last complete read, in milliseconds. */
  readonly ageMs?: number;
  /** What it said is expired and left out of the catalog. Absent where it is not. */
  readonly withheld?: true;
  /** What it said is expired, and its endpoints come after those of other registries. Absent where it is not. */
  readonly deprioritised?: true;
  /** The last thing that went wrong; it stays when all is well again. */
  readonly lastError?: Error;
  /** How often its run was started again after it ended by itself. */
  readonly restarts: number;
  /**
   * Of how many services, workloads and objects it says something malformed now. Their last good form stays in force, and
   * of a service with some malformed instances the others. Absent while there are none.
   */
  readonly rejected?: number;
  /** How many of its services, workloads and objects could not be merged; what was published of them stays. Absent while there are none. */
  readonly unmerged?: number;
}

/** Noted as `lastError` when the run of a registry ends although nobody ended it. */
export class RegistryEndedError extends Error {
  readonly code = "SBX_REGISTRY_ENDED";
  readonly registry: RegistryId;

  constructor(registry: RegistryId) {
    super(`the run of registry ${registry} ended by itself`);
    this.name = "RegistryEndedError";
    this.registry = registry;
  }
}

/** The part of a status that a run changes. It outlives runs and replacements of the registry. */
export interface Condition extends ReadRecord {
  spoken: boolean;
  problem: Problem | undefined;
  lastCompleteRead: number | undefined;
  lastError: Error | undefined;
  restarts: number;
  rejected: number;
}

/** What a supervisor works with. */
export interface Supervision {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly metrics: Metrics;
  readonly restart: RestartOptions;
  readonly condition: Condition;
  /** What is in force of the registry. */
  readonly lastGood: LastGood;
  /** The same for the registry itself, at the begin of each run. */
  readonly baseline: Baseline;
  /** Where what registries say is checked and taken in, in the order in which they say it. */
  readonly line: Line;
  /** Takes checked and frozen updates, in steps; never called after the run it belongs to ended. */
  accept(update: RegistryUpdate): Steps<undefined>;
  /** Told after each complete read; `changed` where it gave something new. */
  wasRead(changed: boolean): void;
  /** Told when the problem is another one than before; undefined: there is none any more. */
  problemChanged(degraded: { readonly problem: Problem; readonly message: string } | undefined): void;
}

/** Keeps one registry running: a run that ends by itself is started again, later each time. */
export class Supervisor {
  readonly #registry: Registry;
  readonly #supervision: Supervision;
  readonly #end = new AbortController();
  #done: Promise<void> = Promise.resolve();

  constructor(registry: Registry, supervision: Supervision) {
    this.#registry = registry;
    this.#supervision = supervision;
  }

  /** Starts; ends with `signal` or `stop`. */
  start(signal: AbortSignal): void {
    const untie = abortWith(this.#end, signal);
    this.#done = this.#keepRunning().finally(untie);
  }

  /**
   * Ends the run and resolves when the registry has let go of all it held, or when its time for that is over. Nothing is
   * accepted from the call on.
   */
  async stop(): Promise<void> {
    this.#end.abort();
    const { clock, logger, restart } = this.#supervision;
    const registry = this.#registry.id;
    const over = new AbortController();
    try {
      const ended = this.#done.then(() => true);
      if (await Promise.race([ended, clock.sleep(restart.endMs, over.signal).then(() => false)])) return;
      logger.error("registry-did-not-end", { registry, waitedMs: restart.endMs });
    } catch (error) {
      logger.error("clock-failed", { error });
    } finally {
      over.abort();
    }
  }

  async #keepRunning(): Promise<void> {
    const { clock, condition, logger, restart } = this.#supervision;
    const registry = this.#registry.id;
    let failures = 0;
    for (;;) {
      const startedAt = clock.now();
      const sink = new Sink(registry, this.#supervision, this.#end.signal);
      const error = await this.#runOnce(sink);
      if (isAborted(this.#end.signal)) return;
      if (sink.synced && clock.now() - startedAt >= restart.steadyMs) failures = 0;
      const delayMs = Math.min(restart.maxMs, restart.firstMs * 2 ** Math.min(failures++, 30));
      degrade(this.#supervision, problemOf(error) ?? condition.problem ?? "UNREACHABLE", error);
      condition.restarts++;
      logger.warn("registry-run-ended", { registry, delayMs, error });
      try {
        await clock.sleep(delayMs, this.#end.signal);
      } catch (thrown) {
        if (isAborted(this.#end.signal)) return;
        logger.error("clock-failed", { error: thrown });
      }
    }
  }

  async #runOnce(sink: Sink): Promise<Error> {
    const { line, logger, metrics, lastGood, baseline } = this.#supervision;
    const { id } = this.#registry;
    const options = { id, logger, metrics, lastGood, onRejected: (count: number) => sink.rejected(count) };
    try {
      await this.#registry.run(inLine(checkedSteps(sink, options), line), this.#end.signal, baseline);
      return new RegistryEndedError(id);
    } catch (thrown) {
      return toError(thrown);
    } finally {
      // What it said before it ended by itself is taken in.
      if (!this.#end.signal.aborted) await line.run(inOneStep(() => undefined));
      sink.close();
    }
  }
}

/**
 * What a registry speaks into. A call is done at once where nobody else is at work and it does not take long; else it waits for its turn, which does
 * not change the order, and returns before.
 */
function inLine(sink: SteppedSink, line: Line): RegistrySink {
  const next = (steps: Steps<void>): void => void line.run(steps);
  return {
    push: (update) => next(sink.push(update)),
    alive: () => next(inOneStep(() => sink.alive())),
    degraded: (problem, error) => next(inOneStep(() => sink.degraded(problem, error))),
  };
}

function degrade(supervision: Supervision, problem: Problem, error: Error): void {
  const { condition } = supervision;
  const changed = condition.problem !== problem;
  condition.problem = problem;
  condition.lastError = error;
  if (changed) supervision.problemChanged({ problem, message: error.message });
}

/** The problem that an error names. By shape, because a registry may come with another copy of the package. */
function problemOf(error: Error): Problem | undefined {
  const problem = "problem" in error ? error.problem : undefined;
  return problem === "AUTH_FAILED" || problem === "PROTOCOL_ERROR" || problem === "UNREACHABLE" ? problem : undefined;
}

/** What one run of a registry speaks into, behind the check. The only place where foreign data enters the aggregate. */
class Sink implements SteppedSink {
  readonly #registry: RegistryId;
  readonly #supervision: Supervision;
  readonly #signal: AbortSignal;
  #closed = false;
  #synced = false;

  constructor(registry: RegistryId, supervision: Supervision, signal: AbortSignal) {
    this.#registry = registry;
    this.#supervision = supervision;
    this.#signal = signal;
  }

  /** Whether this run has pushed a snapshot. */
  get synced(): boolean {
    return this.#synced;
  }

  close(): void {
    this.#closed = true;
  }

  *push(update: RegistryUpdate): Steps<undefined> {
    if (this.#over()) return undefined;
    yield* this.#supervision.accept(update);
    this.#synced = true;
    this.#supervision.condition.spoken = true;
    this.#wasRead(true);
    return undefined;
  }

  alive(): void {
    if (!this.#over() && this.#synced) this.#wasRead(false);
  }

  degraded(problem: Problem, error: Error): void {
    if (this.#over()) return;
    const { condition, logger } = this.#supervision;
    if (condition.problem !== problem) logger.warn("registry-degraded", { registry: this.#registry, problem, error });
    degrade(this.#supervision, problem, error);
  }

  /** Notes of how much something malformed was said. */
  rejected(count: number): void {
    if (!this.#over()) this.#supervision.condition.rejected = count;
  }

  #over(): boolean {
    return this.#closed || this.#signal.aborted;
  }

  #wasRead(changed: boolean): void {
    const { clock, condition, logger } = this.#supervision;
    const recovered = condition.problem !== undefined;
    if (recovered) logger.info("registry-recovered", { registry: this.#registry });
    condition.problem = undefined;
    condition.lastCompleteRead = clock.now();
    this.#supervision.wasRead(changed);
    if (recovered) this.#supervision.problemChanged(undefined);
  }
}
