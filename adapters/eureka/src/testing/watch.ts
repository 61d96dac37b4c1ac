import { checkedSink, type Logger, type Metrics } from "@signalbox/registry";
import { FakeClock, RecordingSink } from "@signalbox/registry/conformance";
import { eurekaModule } from "../index.ts";

const deadlineMs = 10_000;

/** How a registry is run. */
export interface WatchOptions {
  /** Default `test`. */
  readonly name?: string;
  /** A run before this one, which left what it said last. */
  readonly before?: Watch;
}

/** A Eureka registry that runs, on a clock that only `poll` moves. */
export class Watch {
  readonly sink = new RecordingSink();
  readonly clock = new FakeClock();
  /** Events that were logged as warnings, with their fields. */
  readonly warnings: { readonly event: string; readonly fields: object | undefined }[] = [];
  /** What was counted, with labels in braces. */
  readonly counts = new Map<string, number>();
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;

  private constructor(config: object, { name = "test", before }: WatchOptions) {
    const warn = (event: string, fields?: object): void => void this.warnings.push({ event, fields });
    const logger: Logger = { debug() {}, info() {}, warn, error: warn };
    const metrics: Metrics = {
      counter: (counter, labels) => {
        const key = labels === undefined ? counter : `${counter}{${Object.values(labels).join(",")}}`;
        this.counts.set(key, (this.counts.get(key) ?? 0) + 1);
      },
      histogram() {},
    };
    const deps = { name, logger, metrics, clock: this.clock, baseDir: "/" };
    const registry = eurekaModule.create(eurekaModule.parseConfig(config), deps);
    const sink = checkedSink(this.sink, { id: registry.id, logger, metrics });
    this.#ended = registry.run(sink, this.#controller.signal, before?.sink.asBaseline());
  }

  /** Starts it and waits for the end of the first round, good or bad. */
  static async start(config: object, options: WatchOptions = {}): Promise<Watch> {
    const watch = new Watch(config, options);
    await watch.#round(0);
    return watch;
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }

  /** Lets time pass until so many further rounds are over, good or bad. */
  async poll(rounds = 1): Promise<void> {
    for (let round = 0; round < rounds; round++) {
      const before = this.#calls;
      await this.clock.advanceToNext();
      await this.#round(before);
    }
  }

  /** Polls for so many seconds of the clock. */
  async pollFor(seconds: number): Promise<void> {
    const end = this.clock.now() + seconds * 1000;
    while (this.clock.now() < end) await this.poll();
  }

  /** What is known now: `orders: a=HEALTHY b=DRAINING`, one line for each service, sorted. */
  get state(): readonly string[] {
    return [...this.sink.records.values()]
      .map(({ service, instances }) => {
        const list = instances.map(({ id, healthStatus }) => `${id.replace(/\/[^/]*$/, "")}=${healthStatus}`);
        return `${service.hostname.replace(/\.eureka$/, "")}: ${list.sort().join(" ")}`.trim();
      })
      .sort();
  }

  /** What the last failed round was told as. */
  get problem(): string | undefined {
    return this.sink.degradations.at(-1)?.problem;
  }

  get #calls(): number {
    return this.sink.updates.length + this.sink.aliveCount + this.sink.degradations.length;
  }

  async #round(before: number): Promise<void> {
    await this.sink.waitFor(() => this.#calls > before, deadlineMs);
    // The loop goes to sleep in the same turn in which it told.
    while (this.clock.pending.length === 0) await new Promise((resolve) => setImmediate(resolve));
  }
}
