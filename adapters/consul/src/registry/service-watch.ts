import { byCodeUnit } from "@signalbox/model";
import { backoff, SourceError } from "@signalbox/registry";
import type { Backoff } from "@signalbox/registry";
import type { ConsulAnswer, ConsulScope } from "../client.ts";
import { convertEntries, type ConsulEndpoint, type RejectedEntry } from "../convert.ts";
import type { ReaderContext } from "./context.ts";
import { toSourceError, type Reader } from "./shard.ts";
import { Pace, pause } from "./waiting.ts";

/** What a watch asks of the reader of its list. */
export interface WatchedScope {
  readonly scope: ConsulScope;
  readonly inGrace: boolean;
  readonly isSure: boolean;
  sure(signal: AbortSignal): Promise<void>;
  doubt(suspect: boolean): void;
  relist(signal: AbortSignal): Promise<void>;
  drop(watch: ServiceWatch): void;
}

/** Rejected instances of one answer that are logged; all are counted. */
const maxLogged = 5;

/**
 * Follows the instances of one service. What is missing in an answer is believed only when access control did not hide it, the cluster
 * did not lose its data, and, for the last instance, the list of services agrees.
 */
export class ServiceWatch implements Reader {
  readonly service: string;
  /** Whether the list of services has it. */
  listed = true;
  readonly #scope: WatchedScope;
  readonly #context: ReaderContext;
  readonly #end = new AbortController();
  readonly #backoff: Backoff = backoff();
  readonly #pace: Pace;
  #endpoints: readonly ConsulEndpoint[] | undefined;
  #index: string | undefined;
  #wasFiltered = false;
  /** When everything is to be read again although nothing happened. */
  #auditAt = 0;
  /** The next wait is the first one after a read of everything. */
  #isFirstWait = true;
  /** Ends the read under way. It serves until it was used. */
  #interrupt = new AbortController();
  #rejected = "";

  constructor(service: string, scope: WatchedScope, context: ReaderContext) {
    this.service = service;
    this.#scope = scope;
    this.#context = context;
    this.#pace = new Pace(context.deps.clock, { burst: 20, perSecond: 10 });
  }

  get name(): string {
    return `service ${this.service}`;
  }

  /** Ends it, with whatever it waits for. */
  stop(): void {
    this.#end.abort();
    this.#interrupt.abort();
  }

  /** Makes it read anew without an index. */
  again(): void {
    this.#index = undefined;
    this.#interrupt.abort();
  }

  /** Reads until it is stopped, then resolves. */
  async run(): Promise<void> {
    const { signal } = this.#end;
    const leave = this.#context.slots.join();
    try {
      while (!signal.aborted) await this.#turn(signal);
    } finally {
      leave();
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { shard, slots, deps } = this.#context;
    try {
      await this.#pace.turn(signal);
      await this.#scope.sure(signal);
      const index = deps.clock.now() > this.#auditAt ? undefined : this.#index;
      await slots.run(() => this.#once(index, signal), { atOnce: index === undefined, signal });
      this.#backoff.reset();
    } catch (thrown) {
      if (isAborted(signal)) return;
      this.#index = undefined;
      const error = toSourceError(thrown);
      shard.failed(this, error);
      this.#scope.doubt(error.problem === "UNREACHABLE");
      await pause(this.#backoff.next(), deps.clock, signal);
    }
  }

  async #once(known: string | undefined, signal: AbortSignal): Promise<void> {
    const { config, deps, shard } = this.#context;
    // While it queued up, somebody may have found out that the source is not to be believed, or that all must be read.
    if (!isSure(this.#scope)) return;
    const index = this.#index === undefined ? undefined : known;
    const answer = await this.#interruptible(index, signal);
    if (answer === "interrupted") return;
    if (!isSure(this.#scope)) {
      // It may be from before or after whatever made the source suspect.
      this.#index = undefined;
      return;
    }
    this.#isFirstWait = index === undefined;
    if (answer === undefined) {
      shard.fresh(this);
      return;
    }
    if (index !== undefined && BigInt(answer.index) < BigInt(index)) {
      deps.metrics.counter("registry_relists_total", { reason: "regression" });
      this.#index = undefined;
      this.#scope.doubt(true);
      return;
    }
    await this.#take(answer, signal);
    // Each service at a time of its own: all at once would keep the agent from telling changes.
    if (index === undefined) this.#auditAt = deps.clock.now() + config.auditSeconds * (1000 - 500 * Math.random());
  }

  /** How long the agent may wait. The first waits end at different times, and so do those after them. */
  get #waitMs(): number {
    const { areShort, turnMs } = this.#context.slots;
    return this.#isFirstWait && !areShort ? turnMs * (1 - Math.random() / 2) : turnMs;
  }

  // One function, and not several that wait for each other: as many of it wait as there are services.
  async #interruptible(
    index: string | undefined,
    signal: AbortSignal,
  ): Promise<ConsulAnswer<readonly unknown[]> | undefined | "interrupted"> {
    const { client, deps } = this.#context;
    if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
    const interrupt = this.#interrupt.signal;
    try {
      const options = { signal: interrupt, index, waitMs: this.#waitMs };
      const answer = await client.health(this.#scope.scope, this.service, options);
      deps.metrics.counter("registry_reads_total", { kind: "service" });
      return interrupt.aborted ? "interrupted" : answer;
    } catch (error) {
      if (interrupt.aborted && !signal.aborted) return "interrupted";
      throw error;
    }
  }

  async #take(first: ConsulAnswer<readonly unknown[]>, signal: AbortSignal): Promise<void> {
    const { shard, config } = this.#context;
    let answer = first;
    let converted = this.#convert(answer);
    const before = this.#endpoints ?? [];
    if (isSmaller(converted.endpoints, before, answer) && answer.filtered === undefined && config.token !== undefined) {
      // The streaming backend does not say what access control left out; a read without an index does.
      const told = await this.#context.client.health(this.#scope.scope, this.service, { signal });
      this.#context.deps.metrics.counter("registry_reads_total", { kind: "service" });
      if (told === undefined) throw new SourceError("PROTOCOL_ERROR", "an answer to no index says that nothing is new");
      answer = told;
      converted = this.#convert(answer);
    }
    const smaller = isSmaller(converted.endpoints, before, answer);
    if (answer.filtered === true && smaller && (answer.value.length === 0 || !this.#wasFiltered)) {
      throw new SourceError("AUTH_FAILED", `access control hides instances of ${this.service}`);
    }
    const held = this.#scope.inGrace ? missingFrom(converted.endpoints, before) : [];
    if (answer.value.length === 0 && held.length === 0) {
      if (this.listed) await this.#scope.relist(signal);
      // Read anew: the list that came meanwhile may have taken it out.
      if (!isListed(this)) this.#scope.drop(this);
      else if (!this.#scope.inGrace)
        throw new SourceError(
          "AUTH_FAILED",
          `${this.service} is listed but shows no instances: node:read may be missing`,
        );
      return;
    }
    this.#report(converted.rejected);
    const endpoints = held.length === 0 ? converted.endpoints : [...converted.endpoints, ...held].sort(byId);
    this.#endpoints = endpoints;
    this.#wasFiltered = answer.filtered === true;
    this.#index = answer.index;
    shard.read(this, { scope: this.#scope.scope, name: this.service }, { endpoints, index: answer.index });
    if (held.length > 0) {
      const message = `the source lost its data: ${held.length} instances of ${this.service} are kept`;
      shard.failed(this, new SourceError("PROTOCOL_ERROR", message));
    }
  }

  #convert(answer: ConsulAnswer<readonly unknown[]>) {
    const { alike, config, registry } = this.#context;
    return convertEntries(answer.value, { alike, config, registry, datacenter: this.#scope.scope.datacenter });
  }

  #report(rejected: readonly RejectedEntry[]): void {
    const { deps, registry } = this.#context;
    const faults = rejected.filter(({ fault }) => fault !== "excluded" && fault !== "no-port");
    const text = JSON.stringify(faults);
    if (text === this.#rejected) return;
    this.#rejected = text;
    for (const { fault } of faults) deps.metrics.counter("registry_objects_rejected_total", { reason: fault });
    for (const { fault, message } of faults.slice(0, maxLogged)) {
      deps.logger.warn("consul-instance-rejected", { registry, service: this.service, fault, message });
    }
  }
}

/** Whether something that was known is not in the answer. */
function isSmaller(
  endpoints: readonly ConsulEndpoint[],
  before: readonly ConsulEndpoint[],
  answer: ConsulAnswer<readonly unknown[]>,
): boolean {
  if (answer.value.length === 0) return true;
  const ids = new Set(endpoints.map(({ id }) => id));
  return before.some(({ id }) => !ids.has(id));
}

/** What was known and is not there now, neither by its id nor by its address. */
function missingFrom(
  endpoints: readonly ConsulEndpoint[],
  before: readonly ConsulEndpoint[],
): readonly ConsulEndpoint[] {
  const ids = new Set(endpoints.map(({ id }) => id));
  const addresses = new Set(endpoints.map(({ addresses: [first] }) => JSON.stringify(first)));
  return before.filter(({ id, addresses: [first] }) => !ids.has(id) && !addresses.has(JSON.stringify(first)));
}

function byId(a: ConsulEndpoint, b: ConsulEndpoint): number {
  return byCodeUnit(a.id, b.id);
}

function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

// Reads that the compiler does not narrow over an await.
function isSure(scope: WatchedScope): boolean {
  return scope.isSure;
}

function isListed(watch: ServiceWatch): boolean {
  return watch.listed;
}
