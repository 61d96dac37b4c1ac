import assert from "node:assert/strict";
import { inspect } from "node:util";
import type { Labels, RegistryId, ServiceKey } from "@signalbox/model";
import { checkedSink } from "../checked-sink.ts";
import type { LastGood } from "../checked-sink.ts";
import { systemClock } from "../clock.ts";
import type { Logger, Metrics } from "../observability.ts";
import type { Registry, RegistrySink, RegistryUpdate } from "../registry.ts";
import { FakeClock } from "./fake-clock.ts";
import { RecordingSink } from "./recording-sink.ts";
import type { RegistryUnderTest, SourceWorld } from "./world.ts";

/** How one run of a registry is listened to. */
export interface RunOptions {
  /** Name of the registry; default `contract`. */
  readonly name?: string;
  /** The registry to run again; default a new one. */
  readonly registry?: Registry;
  /** A run before this one: what it said last is the baseline. Default: there is none. */
  readonly after?: Run;
  /** Whether the updates pass a checkedSink, which freezes them. Default true. */
  readonly checked?: boolean;
  /** Called inside every push and every `degraded`, before it is recorded. */
  readonly onCall?: (run: Run) => void;
  /** Aborted before the run begins. Default false. */
  readonly aborted?: boolean;
}

/** One world with the registries that run in it. */
export class Stage<W extends SourceWorld = SourceWorld> {
  readonly world: W;
  readonly subject: RegistryUnderTest<W>;
  readonly clock = new FakeClock();
  /** Everything the adapters logged, counted and labelled, as text. */
  readonly said: string[] = [];
  /** How often anything was counted or warned of, by adapters and at the seam. */
  complaints = 0;
  readonly #runs: Run[] = [];

  private constructor(subject: RegistryUnderTest<W>, world: W) {
    this.subject = subject;
    this.world = world;
  }

  /** Opens a world, acts in it, and closes it when all runs have ended. */
  static async play<W extends SourceWorld>(
    subject: RegistryUnderTest<W>,
    act: (stage: Stage<W>) => Promise<void>,
  ): Promise<void> {
    const stage = new Stage(subject, await subject.world());
    try {
      await act(stage);
    } finally {
      await stage.#close();
    }
  }

  get deadlineMs(): number {
    return this.subject.deadlineMs ?? 5000;
  }

  get quietMs(): number {
    return this.subject.quietMs ?? 20;
  }

  readonly logger: Logger = {
    debug: (event, fields) => this.#log("debug", event, fields),
    info: (event, fields) => this.#log("info", event, fields),
    warn: (event, fields) => this.#log("warn", event, fields),
    error: (event, fields) => this.#log("error", event, fields),
  };

  readonly metrics: Metrics = {
    counter: (name, labels) => this.#count(name, labels),
    histogram: (name, value, labels) => {
      this.said.push(inspect({ name, value, labels }));
    },
  };

  /** A new registry in this world. */
  create(name = "contract"): Registry {
    const { clock, logger, metrics } = this;
    return this.subject.create(this.world, { name, clock, logger, metrics, baseDir: process.cwd() });
  }

  /** Starts a run. */
  start(options: RunOptions = {}): Run {
    const run = new Run(this, options.registry ?? this.create(options.name), options);
    this.#runs.push(run);
    return run;
  }

  /** Starts a run and waits for its first update. */
  async synced(options: RunOptions = {}): Promise<Run> {
    const run = this.start(options);
    await run.until("the first snapshot", () => run.sink.updates.length > 0);
    return run;
  }

  /** Waits until the predicate holds, with the clock standing still; for a run that may end meanwhile. */
  async settle(predicate: () => boolean): Promise<void> {
    const end = performance.now() + this.deadlineMs;
    while (!predicate()) {
      assert.ok(performance.now() < end, `nothing was said within ${this.deadlineMs} ms`);
      await systemClock.sleep(Math.min(5, this.quietMs), new AbortController().signal);
    }
  }

  async #close(): Promise<void> {
    for (const run of this.#runs) run.abort();
    await this.world.mend();
    await settledWithin(Promise.allSettled(this.#runs.map((run) => run.ended)), this.deadlineMs);
    await this.world.close();
  }

  #log(level: string, event: string, fields: object | undefined): void {
    if (level === "warn" || level === "error") this.complaints++;
    this.said.push(inspect({ level, event, fields }, { depth: 12 }));
  }

  #count(name: string, labels: Labels | undefined): void {
    this.complaints++;
    this.said.push(inspect({ name, labels }));
  }
}

/** One run of a registry and what it said. */
export class Run {
  readonly registry: Registry;
  /** What passed the seam. */
  readonly sink = new RecordingSink();
  /** What the adapter pushed, before the seam looked at it. */
  readonly raw: RegistryUpdate[] = [];
  /** Resolves or rejects as `run` did. */
  readonly ended: Promise<void>;
  readonly signal: AbortSignal;
  readonly #controller = new AbortController();
  readonly #stage: Stage;
  #over = false;

  constructor(stage: Stage, registry: Registry, options: RunOptions) {
    this.#stage = stage;
    this.registry = registry;
    this.signal = this.#controller.signal;
    if (options.aborted === true) this.abort();
    // An async function, so that a run that throws at once is a rejection like any other.
    const run = async (): Promise<void> =>
      registry.run(this.#tap(options), this.signal, options.after?.sink.asBaseline());
    this.ended = run().finally(() => {
      this.#over = true;
    });
    this.ended.catch(() => undefined);
  }

  abort(): void {
    this.#controller.abort();
  }

  /** Aborts and waits until `run` resolves, while the clock stands still. */
  async stop(): Promise<void> {
    this.abort();
    const { deadlineMs } = this.#stage;
    const settled = await settledWithin(this.ended, deadlineMs);
    assert.ok(settled, `run did not resolve within ${deadlineMs} ms of the abort`);
    await assert.doesNotReject(this.ended, "run rejected after an abort");
  }

  /** Waits for the predicate. Lets time pass when nothing is heard, unless told otherwise. */
  async until(what: string, predicate: () => boolean, options: { readonly advance?: boolean } = {}): Promise<void> {
    const { clock, deadlineMs, quietMs } = this.#stage;
    const end = performance.now() + deadlineMs;
    while (!predicate()) {
      if (this.#over) assert.fail(`run ended while waiting for ${what}; heard: ${this.sink.summary()}`);
      if (performance.now() > end) assert.fail(`not within ${deadlineMs} ms: ${what}; heard: ${this.sink.summary()}`);
      const heard = await this.sink.changed(quietMs);
      if (!heard && options.advance !== false) await clock.advanceToNext();
    }
  }

  /** Waits until the shard has the service with so many instances. */
  async has(key: ServiceKey, instances: number, options: { readonly advance?: boolean } = {}): Promise<void> {
    const predicate = (): boolean => this.sink.records.get(key)?.instances.length === instances;
    await this.until(`${key} with ${instances} instances`, predicate, options);
  }

  /** The ids of the service's instances as they are now, sorted. */
  ids(key: ServiceKey): readonly string[] {
    return (this.sink.records.get(key)?.instances ?? []).map((instance) => instance.id).sort();
  }

  #tap(options: RunOptions): RegistrySink {
    const id: RegistryId = this.registry.id;
    const { logger, metrics } = this.#stage;
    const lastGood: LastGood = {
      record: (key) => this.sink.records.get(key),
      workload: (key) => this.sink.workloads.get(key),
      object: (key) => this.sink.objects.get(key),
    };
    const next = options.checked === false ? this.sink : checkedSink(this.sink, { id, logger, metrics, lastGood });
    return {
      push: (update) => {
        this.raw.push(update);
        options.onCall?.(this);
        next.push(update);
      },
      alive: () => {
        next.alive();
      },
      degraded: (problem, error) => {
        options.onCall?.(this);
        this.#stage.said.push(inspect({ problem, error }, { depth: 12 }));
        next.degraded(problem, error);
      },
    };
  }
}

/** Whether the promise resolves or rejects within so many real milliseconds. Leaves no timer. */
async function settledWithin(promise: Promise<unknown>, ms: number): Promise<boolean> {
  const end = new AbortController();
  const settled = promise.then(
    () => true,
    () => true,
  );
  const late = systemClock.sleep(ms, end.signal).then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    end.abort();
  }
}
