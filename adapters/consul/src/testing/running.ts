import { serviceKey, type Labels } from "@signalbox/model";
import { checkedSink, silentLogger, type Problem } from "@signalbox/registry";
import { FakeClock, RecordingSink } from "@signalbox/registry/conformance";
import { parseConsulConfig } from "../config.ts";
import { ConsulRegistry } from "../registry.ts";

const deadlineMs = 15_000;

/** One run of the adapter whose clock stands still unless told otherwise. `await using` ends it. */
export class Running implements AsyncDisposable {
  readonly sink = new RecordingSink();
  readonly clock = new FakeClock();
  readonly counted: string[] = [];
  readonly observed: { readonly name: string; readonly value: number; readonly labels: Labels }[] = [];
  readonly #end = new AbortController();
  readonly #ended: Promise<void>;

  /** Where a run before it is named, what that one said last is the baseline. */
  constructor(config: object, after?: Running) {
    const metrics = {
      counter: (name: string, labels: Labels = {}) => {
        this.counted.push([name, ...Object.values(labels)].join(" "));
      },
      histogram: (name: string, value: number, labels: Labels = {}) => {
        this.observed.push({ name, value, labels });
      },
    };
    const deps = { name: "test", logger: silentLogger, clock: this.clock, metrics, baseDir: "." };
    const registry = new ConsulRegistry(parseConsulConfig(config), deps);
    const sink = checkedSink(this.sink, { ...deps, id: registry.id });
    this.#ended = registry.run(sink, this.#end.signal, after?.sink.asBaseline());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end.abort();
    await this.#ended;
  }

  count(service: string): number | undefined {
    return this.sink.records.get(key(service))?.instances.length;
  }

  /** Waits until a service has so many instances; `undefined`: until it is gone. */
  async has(service: string, instances: number | undefined): Promise<void> {
    await this.sink.waitFor(() => this.count(service) === instances, deadlineMs);
  }

  async fails(problem: Problem): Promise<void> {
    const wanted = () => this.sink.degradations.some((degradation) => degradation.problem === problem);
    await this.sink.waitFor(wanted, deadlineMs);
  }

  async alive(): Promise<void> {
    const before = this.sink.aliveCount;
    await this.sink.waitFor(({ aliveCount }) => aliveCount > before, deadlineMs);
  }

  /**
   * Waits for a state that time brings about: whenever nothing is heard for a moment, the next sleeper wakes, unless it has longer than
   * `longestMs` to go. On a busy machine a moment of silence may only mean that a read is not there yet.
   */
  async passing(reached: () => boolean, longestMs = Infinity): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!reached()) {
      if (performance.now() > end) throw new Error(`not within ${deadlineMs} ms; heard: ${this.sink.summary()}`);
      if (await this.sink.changed(20)) continue;
      const [next] = this.clock.pending;
      if (next !== undefined && next.at - this.clock.now() <= longestMs) await this.clock.advanceToNext();
    }
  }

  /** The smallest number of instances that any update said for a service. */
  least(service: string): number {
    const wanted = key(service);
    const counts = this.sink.updates.flatMap((update) => {
      const records = update.type === "snapshot" ? update.records : (update.records?.upserted ?? []);
      const removed = update.type === "delta" && update.records?.removed.includes(wanted) === true;
      const told = records.filter((record) => serviceKey(record.service) === wanted);
      return [...told.map(({ instances }) => instances.length), ...(removed ? [0] : [])];
    });
    return Math.min(...counts);
  }
}

/** The key of a service of the default namespace. */
export function key(service: string) {
  return serviceKey({ namespace: "default", hostname: `${service}.service.consul` });
}
