import { setTimeout as delay } from "node:timers/promises";
import { FakeClock } from "@signalbox/registry/conformance";
import { createSignalbox, type Signalbox, type SignalboxConfigInput } from "signalbox";

const deadlineMs = 15_000;

/** What `/v1/guards` says of a guard, as far as tests read it. */
interface GuardRow {
  readonly registry: string;
  readonly scope: string;
  readonly held: number;
}

/** What became of a candidate, by `/v1/explain`. */
interface ExplainedRow {
  readonly registry: string;
  readonly address: string;
  readonly outcome: { readonly code: string };
}

/** A whole Signalbox on a clock that moves only while a test waits. Its HTTP is real, and so are the deadlines of its requests. */
export class Running {
  readonly signalbox: Signalbox;
  readonly clock: FakeClock;
  readonly #end: AbortController;
  readonly #ended: Promise<void>;
  #url = "";
  #xdsPort = 0;

  private constructor(signalbox: Signalbox, clock: FakeClock) {
    this.signalbox = signalbox;
    this.clock = clock;
    this.#end = new AbortController();
    this.#ended = signalbox.run(this.#end.signal);
  }

  /** Starts it; `startedAt` is what its clock says then, in epoch milliseconds. */
  static async start(config: SignalboxConfigInput, startedAt?: number, baseDir?: string): Promise<Running> {
    // The xDS server shares the clock, which leaps: no connection may die of that.
    const xds = { plaintext: { port: 0 }, drainMs: 0, limits: { keepaliveMs: 0, stuckMs: 0, idleMs: 86_400_000 } };
    const clock = new FakeClock(startedAt);
    const options = { clock, ...(baseDir !== undefined && { baseDir }) };
    const running = new Running(await createSignalbox({ xds, debug: { port: 0 }, ...config }, options), clock);
    const { debug, xds: ports } = await running.signalbox.listening(running.#end.signal);
    running.#url = debug?.url ?? "";
    running.#xdsPort = ports.plaintext?.port ?? 0;
    return running;
  }

  get xdsPort(): number {
    return this.#xdsPort;
  }

  async stop(): Promise<void> {
    this.#end.abort();
    // What waits for time to end has it.
    const ended = this.#ended.then(() => true);
    while (!(await Promise.race([ended, delay(5, false)]))) await this.clock.advance(1000);
  }

  /** Waits for it, while its clock moves on by `stepMs` every few milliseconds. */
  async until(what: string, probe: () => boolean | Promise<boolean>, stepMs = 100): Promise<void> {
    const end = performance.now() + deadlineMs;
    while (!(await probe())) {
      if (performance.now() > end) throw new Error(`${what}: not within ${deadlineMs} ms`);
      await delay(5);
      await this.clock.advance(stepMs);
    }
  }

  /** Lets time pass by its clock, in steps that leave room for the answers of real servers. */
  async pass(ms: number, stepMs = 1000): Promise<void> {
    const end = this.clock.now() + ms;
    while (this.clock.now() < end) {
      await delay(5);
      await this.clock.advance(stepMs);
    }
  }

  /** Waits until a server was asked so many times more, and what it said was taken. */
  async reads(server: { readonly requests: readonly string[] }, count: number): Promise<void> {
    const before = server.requests.length;
    await this.until(`${count} reads`, () => server.requests.length >= before + count, 1000);
    await delay(50);
    await this.clock.advance(1500);
  }

  /**
   * The endpoints of a service in the catalog, `10.0.0.1:8080`, with their health where it is not `HEALTHY`. Undefined: there is no such
   * service.
   */
  endpoints(hostname: string): readonly string[] | undefined {
    const entry = [...this.signalbox.catalog().entries.values()].find(({ service }) => service.hostname === hostname);
    return entry?.instances
      .map(({ addresses: [first], healthStatus }) => {
        const address =
          first.type === "ip" ? `${first.ip}:${first.port}` : first.type === "hostname" ? first.hostname : first.path;
        return healthStatus === "HEALTHY" ? address : `${address} ${healthStatus}`;
      })
      .sort();
  }

  /** Waits until a service has exactly these endpoints; undefined: until it is gone. */
  async has(hostname: string, endpoints: readonly string[] | undefined): Promise<void> {
    const wanted = JSON.stringify(endpoints ?? null);
    await this.until(
      `${hostname} with ${wanted}`,
      () => JSON.stringify(this.endpoints(hostname) ?? null) === wanted,
    ).catch((error: unknown) => {
      throw new Error(`${hostname} has ${JSON.stringify(this.endpoints(hostname))}, not ${wanted}`, { cause: error });
    });
  }

  /** What the registries' status says: `eureka/main SYNCED`, and the problem where there is one. */
  registries(): readonly string[] {
    return this.signalbox
      .registries()
      .map(({ id, problem, state }) => [id, state, problem].filter((part) => part !== undefined).join(" "));
  }

  async guards(): Promise<readonly GuardRow[]> {
    const { items } = (await this.get("/v1/guards")) as { items: readonly GuardRow[] };
    return items;
  }

  /** What became of each candidate of a service: `eureka/main 10.0.0.1:8080 SERVED`. */
  async explain(service: string): Promise<readonly string[]> {
    const answer = await this.get(`/v1/explain?service=${encodeURIComponent(service)}`);
    const { candidates } = answer as { candidates: readonly ExplainedRow[] };
    return candidates.map(({ address, outcome, registry }) => `${registry} ${address} ${outcome.code}`);
  }

  async get(path: string): Promise<unknown> {
    const answer = await fetch(`${this.#url}${path}`);
    if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
    return answer.json();
  }
}
