import { eurekaModule } from "@signalbox/adapter-eureka";
import { checkedSink, noMetrics, systemClock, type Logger } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";

/** A Eureka registry that reads real servers, on the machine's clock. */
export class EurekaReader {
  readonly sink = new RecordingSink();
  /** Names of the events that were logged as warnings. */
  readonly warnings: string[] = [];
  readonly #controller = new AbortController();
  readonly #ended: Promise<void>;

  constructor(config: object) {
    const warn = (event: string): void => void this.warnings.push(event);
    const logger: Logger = { debug() {}, info() {}, warn, error: warn };
    const deps = { name: "real", logger, metrics: noMetrics, clock: systemClock, baseDir: "/" };
    const registry = eurekaModule.create(eurekaModule.parseConfig({ pollSeconds: 0.2, ...config }), deps);
    const guarded = checkedSink(this.sink, { id: registry.id, logger, metrics: noMetrics });
    this.#ended = registry.run(guarded, this.#controller.signal);
  }

  async stop(): Promise<void> {
    this.#controller.abort();
    await this.#ended;
  }

  /** The addresses of a service's endpoints that may take traffic, sorted. */
  serving(app: string): readonly string[] {
    const record = this.sink.records.get(`default/${app}.eureka` as never);
    const healthy = record?.instances.filter(({ healthStatus }) => healthStatus === "HEALTHY") ?? [];
    return healthy
      .map(({ addresses: [first] }) => (first.type === "ip" ? `${first.ip}:${first.port}` : first.type))
      .sort();
  }

  /** Waits until exactly these serve. */
  async serves(app: string, addresses: readonly string[], deadlineMs = 30_000): Promise<void> {
    const wanted = [...addresses].sort().join();
    await this.sink.waitFor(() => this.serving(app).join() === wanted, deadlineMs);
  }

  /** Waits for so many more good rounds. */
  async goodRounds(rounds: number, deadlineMs = 30_000): Promise<void> {
    const good = (): number => this.sink.aliveCount + this.sink.updates.length;
    const end = good() + rounds;
    await this.sink.waitFor(() => good() >= end, deadlineMs);
  }

  /** Waits for one more failed round. */
  async failedRound(deadlineMs = 30_000): Promise<void> {
    const before = this.sink.degradations.length;
    await this.sink.waitFor(() => this.sink.degradations.length > before, deadlineMs);
  }

  /** Whether this address was in every update about the service since the first one that had it. */
  neverLost(app: string, address: string): boolean {
    const [ip = ""] = address.split(":");
    const states = this.sink.updates.map((update) => {
      const told = update.type === "snapshot" ? update.records : (update.records?.upserted ?? []);
      const record = told.find(({ service }) => service.hostname === `${app}.eureka`);
      const removed = update.type === "delta" && update.records?.removed.includes(`default/${app}.eureka` as never);
      if (record === undefined) return removed === true ? false : undefined;
      return record.instances.some(({ addresses: [first] }) => first.type === "ip" && first.ip === ip);
    });
    const known = states.filter((state) => state !== undefined);
    return known.includes(true) && !known.slice(known.indexOf(true)).includes(false);
  }
}
