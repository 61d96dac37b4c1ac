import { byCodeUnit } from "@signalbox/model";
import { backoff, isAborted, pause, SourceError } from "@signalbox/registry";
import type { Backoff } from "@signalbox/registry";
import type { ConsulAnswer, ConsulScope } from "../client.ts";
import { convertEntries, type ConsulEndpoint, type RejectedEntry } from "../convert.ts";
import type { FormerService } from "../convert/baseline.ts";
import { formatMark, isOfCluster } from "../convert/mark.ts";
import type { ReaderContext } from "./context.ts";
import { countRead } from "./count-read.ts";
import { toSourceError, type Reader } from "./shard.ts";
import { Pace } from "./waiting.ts";

/** What a watch asks of the reader of its list. */
export interface WatchedScope {
  readonly scope: ConsulScope;
  readonly inGrace: boolean;
  readonly isSure: boolean;
  sure(signal: AbortSignal): Promise<void>;
  /** Ids of the cluster's servers; empty where they are not known. */
  readonly servers: ReadonlySet<string>;
  doubt(suspect: boolean): void;
  /** Begins the grace: the cluster is not the one that an earlier run knew, or not with its data. */
  lostHistory(): void;
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
  /** What was there when the cluster lost its data and was not registered again since. */
  #awaited: readonly ConsulEndpoint[] = [];
  #index: string | undefined;
  /** Of the last answer that was believed whole. */
  #version: string | undefined;
  /** What an earlier run knew, until something was told in this one. */
  #former: FormerService | undefined;
  #wasFiltered = false;
  /** When everything is to be read again although nothing happened. */
  #auditAt = 0;
  /** The next wait is the first one after a read of everything. */
  #isFirstWait = true;
  /** Ends the read under way. It serves until it was used. */
  #interrupt = new AbortController();
  #rejected = "";

  /** With what an earlier run knew of the service, which is let go as late as what this one reads. */
  constructor(service: string, scope: WatchedScope, context: ReaderContext, former?: FormerService) {
    this.service = service;
    this.#scope = scope;
    this.#context = context;
    this.#former = former;
    this.#endpoints = former?.endpoints;
    if (scope.inGrace) this.#awaited = this.#endpoints ?? [];
    this.#version = former?.record.service.provenance.sourceVersion;
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

  /** The cluster lost its data: what is known now is missing until it is registered again, and kept for the grace. */
  lost(): void {
    this.#awaited = this.#endpoints ?? [];
    this.again();
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
      shard.failed(this, error, { known: error instanceof HiddenError && this.#endpoints !== undefined });
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
      deps.metrics.counter("consul_index_resets_total", { reason: "regression" });
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
    const { client } = this.#context;
    if (this.#interrupt.signal.aborted) this.#interrupt = new AbortController();
    const interrupt = this.#interrupt.signal;
    try {
      const options = { signal: interrupt, index, waitMs: this.#waitMs };
      const answer = await client.health(this.#scope.scope, this.service, options);
      countRead(this.#context, "service", answer);
      return interrupt.aborted ? "interrupted" : answer;
    } catch (error) {
      if (interrupt.aborted && !signal.aborted) return "interrupted";
      throw error;
    }
  }

  async #take(first: ConsulAnswer<readonly unknown[]>, signal: AbortSignal): Promise<void> {
    const { shard, config } = this.#context;
    this.#compare(first);
    let answer = first;
    let converted = this.#convert(answer);
    const before = this.#endpoints ?? [];
    if (isSmaller(converted.endpoints, before, answer) && answer.filtered === undefined && config.token !== undefined) {
      // The streaming backend does not say what access control left out; a read without an index does.
      const told = await this.#context.client.health(this.#scope.scope, this.service, { signal });
      countRead(this.#context, "service", told);
      if (told === undefined) throw new SourceError("PROTOCOL_ERROR", "an answer to no index says that nothing is new");
      answer = told;
      converted = this.#convert(answer);
    }
    const smaller = isSmaller(converted.endpoints, before, answer);
    if (answer.filtered === true && smaller && (answer.value.length === 0 || !this.#wasFiltered)) {
      throw this.#hidden(`access control hides instances of ${this.service}`);
    }
    // What was registered again and is gone then was deregistered.
    const held = this.#scope.inGrace ? missingFrom(converted.endpoints, this.#awaited) : [];
    this.#awaited = held;
    if (answer.value.length === 0 && held.length === 0) {
      if (this.listed) await this.#scope.relist(signal);
      // Read anew: the list that came meanwhile may have taken it out.
      if (!isListed(this)) this.#scope.drop(this);
      else if (!this.#scope.inGrace)
        throw this.#hidden(`${this.service} is listed but shows no instances: node:read may be missing`);
      return;
    }
    this.#report(converted.rejected);
    const endpoints = held.length === 0 ? converted.endpoints : [...converted.endpoints, ...held].sort(byId);
    this.#endpoints = endpoints;
    this.#wasFiltered = answer.filtered === true;
    this.#index = answer.index;
    const mark = formatMark(answer.index, this.#wasFiltered, this.#scope.servers);
    // What is kept from a former history must be known as that after another restart, too.
    const version = held.length === 0 ? mark : (this.#version ?? mark);
    this.#version = version;
    this.#tell({ endpoints, version });
    if (held.length > 0) {
      const message = `the source lost its data: ${held.length} instances of ${this.service} are kept`;
      shard.failed(this, new SourceError("PROTOCOL_ERROR", message), { known: true });
    }
  }

  /** Compares the first answer with what an earlier run knew of the service. */
  #compare({ index }: ConsulAnswer<unknown>): void {
    const marks = this.#former?.marks.filter((mark) => isOfCluster(mark, this.#scope.servers)) ?? [];
    if (marks.length === 0) return;
    this.#wasFiltered = marks.some(({ filtered }) => filtered);
    // A stale read may come from a server that lags behind.
    if (this.#context.config.consistency.mode !== "default") return;
    if (marks.every((mark) => BigInt(index) < mark.index)) this.#scope.lostHistory();
  }

  /** Access control may hide a service for good: what an earlier run knew stands in, so that the others need not wait. */
  #hidden(message: string): HiddenError {
    if (this.#former !== undefined) this.#tell({ endpoints: this.#former.endpoints, version: this.#version ?? "" });
    return new HiddenError("AUTH_FAILED", message);
  }

  #tell(answer: { readonly endpoints: readonly ConsulEndpoint[]; readonly version: string }): void {
    this.#former = undefined;
    this.#context.shard.read(this, { scope: this.#scope.scope, name: this.service }, answer);
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
    for (const { fault } of faults) deps.metrics.counter("consul_objects_rejected_total", { reason: fault });
    for (const { fault, message } of faults.slice(0, maxLogged)) {
      deps.logger.warn("consul-instance-rejected", { registry, service: this.service, fault, message });
    }
  }
}

/** A good answer from which access control left something out. */
class HiddenError extends SourceError {}

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

// Read anew: what was so before the wait may be so no longer.
function isSure(scope: WatchedScope): boolean {
  return scope.isSure;
}

function isListed(watch: ServiceWatch): boolean {
  return watch.listed;
}
