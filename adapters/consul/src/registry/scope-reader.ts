import { backoff, isAborted, pause, SourceError } from "@signalbox/registry";
import type { Backoff } from "@signalbox/registry";
import type { ConsulAnswer, ConsulScope, ServiceList } from "../client.ts";
import type { FormerService } from "../convert/baseline.ts";
import { isOfCluster } from "../convert/mark.ts";
import type { ReaderContext } from "./context.ts";
import { countRead } from "./count-read.ts";
import { isSelected } from "./selection.ts";
import { ServiceWatch } from "./service-watch.ts";
import { toSourceError, type Reader } from "./shard.ts";
import { childOf, Pace, Waiters } from "./waiting.ts";

/**
 * Follows the list of services of one scope and keeps a watch for each. It is also the one that finds out how the source is: after a
 * failure, nobody believes an answer before the list was read anew and compared with what was known of the cluster.
 */
export class ScopeReader implements Reader {
  readonly name: string;
  readonly scope: ConsulScope;
  readonly #context: ReaderContext;
  readonly #watches = new Map<string, ServiceWatch>();
  readonly #tasks = new Set<Promise<void>>();
  readonly #backoff: Backoff = backoff();
  readonly #pace: Pace;
  readonly #verifications = new Waiters();
  /** What an earlier run knew, until the first list was taken. */
  #former: ReadonlyMap<string, FormerService>;
  #index: string | undefined;
  /** Newest index of the history that the cluster is in. */
  #highest = 0n;
  #servers: ReadonlySet<string> = new Set();
  #sawConsul = false;
  /** Verifications that were asked for, and the last one that was made. */
  #asked = 1;
  #verified = 0;
  #verifiedAt = 0;
  #suspect = true;
  #graceUntil = 0;
  #interrupt: AbortController | undefined;
  #signal: AbortSignal | undefined;

  constructor(scope: ConsulScope, context: ReaderContext) {
    const parts = [scope.datacenter, scope.partition, scope.namespace].filter((part) => part !== undefined);
    this.name = ["services", ...parts].join(" ");
    this.scope = scope;
    this.#context = context;
    this.#former = context.former(scope);
    this.#pace = new Pace(context.deps.clock, { burst: 10, perSecond: 5 });
  }

  /** Whether the cluster lost its data so recently that what is missing may only not be registered again yet. */
  get inGrace(): boolean {
    return this.#context.deps.clock.now() < this.#graceUntil;
  }

  /** Ids of the cluster's servers; empty where they are not known. */
  get servers(): ReadonlySet<string> {
    return this.#servers;
  }

  /** Whether nothing speaks against believing an answer. */
  get isSure(): boolean {
    return this.#verified === this.#asked;
  }

  /** Reads until the signal aborts, then resolves when its watches have ended. */
  async run(signal: AbortSignal): Promise<void> {
    this.#signal = signal;
    const stopAll = () => {
      for (const watch of this.#watches.values()) watch.stop();
    };
    signal.addEventListener("abort", stopAll, { once: true });
    try {
      while (!signal.aborted) await this.#turn(signal);
    } finally {
      signal.removeEventListener("abort", stopAll);
      stopAll();
      await Promise.all(this.#tasks);
    }
  }

  async #turn(signal: AbortSignal): Promise<void> {
    const { shard, deps } = this.#context;
    try {
      await this.#pace.turn(signal);
      const whole =
        this.isSure && this.#index !== undefined ? await this.#follow(this.#index, signal) : await this.#verify(signal);
      this.#backoff.reset();
      if (whole) shard.fresh(this);
    } catch (thrown) {
      if (isAborted(signal)) return;
      this.doubt(true);
      shard.failed(this, toSourceError(thrown), { always: true });
      await pause(this.#backoff.next(), deps.clock, signal);
    }
  }

  /** Resolves when nothing speaks against believing an answer. */
  async sure(signal: AbortSignal): Promise<void> {
    while (!this.isSure) await this.#verifications.wait(signal);
  }

  /** Makes it read the list anew. With `suspect`, the cluster may have restarted. */
  doubt(suspect: boolean): number {
    if (suspect) this.#suspect = true;
    this.#index = undefined;
    this.#interrupt?.abort();
    return ++this.#asked;
  }

  /** Resolves when a list was taken that was read after this call. */
  async relist(signal: AbortSignal): Promise<void> {
    const ticket = this.doubt(false);
    while (this.#verified < ticket) await this.#verifications.wait(signal);
  }

  /** Ends the watch of a service that is not there any more. */
  drop(watch: ServiceWatch): void {
    const id = watch.service.toLowerCase();
    if (this.#watches.get(id) === watch) this.#watches.delete(id);
    watch.stop();
    this.#context.shard.leave(watch, this.scope, watch.service);
  }

  /** A full read of the list, which anything that was asked for so far is content with. */
  async #verify(signal: AbortSignal): Promise<boolean> {
    const { client, deps } = this.#context;
    const ticket = this.#asked;
    const suspect = this.#suspect;
    this.#suspect = false;
    const ids = suspect ? await this.#serverIds(signal) : new Set<string>();
    const list = await client.services(this.scope, { signal });
    if (list === undefined) throw new SourceError("PROTOCOL_ERROR", "an answer to no index says that nothing is new");
    countRead(this.#context, "list", list);
    this.#compare(list.index, ids);
    this.#take(list);
    this.#verified = ticket;
    this.#verifiedAt = deps.clock.now();
    if (this.isSure) this.#index = list.index;
    this.#verifications.wake();
    return true;
  }

  async #serverIds(signal: AbortSignal): Promise<ReadonlySet<string>> {
    try {
      return await this.#context.client.serverIds(this.scope, signal);
    } catch (error) {
      // A token for one namespace may not ask; the index alone must do.
      if (error instanceof SourceError && error.problem === "AUTH_FAILED") return new Set();
      throw error;
    }
  }

  /** Waits for a list that is newer than the index. False where a doubt ended the wait. */
  async #follow(index: string, signal: AbortSignal): Promise<boolean> {
    const { client, config, deps } = this.#context;
    const { controller, untie } = childOf(signal);
    this.#interrupt = controller;
    try {
      const waitMs = config.waitSeconds * 1000;
      const list = await client.services(this.scope, { signal: controller.signal, index, waitMs });
      countRead(this.#context, "list", list);
      if (this.#index !== index) return false;
      const audit = deps.clock.now() - this.#verifiedAt > config.auditSeconds * 1000;
      if (list !== undefined && BigInt(list.index) < BigInt(index)) this.doubt(true);
      else if (list !== undefined) {
        this.#take(list);
        this.#highest = max(this.#highest, BigInt(list.index));
        this.#index = list.index;
      }
      if (audit) this.#index = undefined;
      return true;
    } catch (error) {
      // Only a doubt ended the wait, or else the source failed.
      if (!controller.signal.aborted || signal.aborted) throw error;
      return false;
    } finally {
      untie();
      this.#interrupt = undefined;
    }
  }

  /** Notices a cluster that began a new history: a smaller index, or none of the servers that were there. */
  #compare(index: string, ids: ReadonlySet<string>): void {
    const { config, deps, registry } = this.#context;
    const now = BigInt(index);
    // A stale read may come from a server that lags behind.
    const regressed = now < this.#highest && config.consistency.mode === "default";
    const replaced = ids.size > 0 && this.#servers.size > 0 && [...ids].every((id) => !this.#servers.has(id));
    if (ids.size > 0) this.#servers = ids;
    this.#highest = regressed || replaced ? now : max(this.#highest, now);
    if (regressed || replaced) {
      deps.metrics.counter("consul_index_resets_total", { reason: "restart" });
      deps.logger.warn("consul-lost-its-history", { registry, scope: this.scope, index, regressed, replaced });
      this.#beginGrace();
    }
    // What an earlier run knew tells by the servers whether this is the cluster that it read.
    const ofAnother = [...this.#former.values()].some(
      ({ marks }) => marks.length > 0 && !marks.some((mark) => isOfCluster(mark, this.#servers)),
    );
    if (ofAnother) this.lostHistory();
  }

  /** Begins the grace: the cluster is not the one that an earlier run knew, or not with its data. */
  lostHistory(): void {
    if (this.inGrace) return;
    const { deps, registry } = this.#context;
    deps.logger.warn("consul-lost-its-history", { registry, scope: this.scope, whileNothingRan: true });
    this.#beginGrace();
  }

  #beginGrace(): void {
    const { config, deps } = this.#context;
    this.#graceUntil = deps.clock.now() + config.restartGraceSeconds * 1000;
    for (const watch of this.#watches.values()) watch.lost();
    if (this.#signal !== undefined) this.#spawn(this.#endGrace(this.#graceUntil, this.#signal));
  }

  async #endGrace(until: number, signal: AbortSignal): Promise<void> {
    const { clock } = this.#context.deps;
    await pause(until - clock.now(), clock, signal);
    if (signal.aborted || until !== this.#graceUntil) return;
    this.#graceUntil = 0;
    this.doubt(false);
    for (const watch of this.#watches.values()) watch.again();
  }

  #take(list: ConsulAnswer<ServiceList>): void {
    this.#checkVisibility(list.value);
    const { config } = this.#context;
    const listed = new Map([...list.value].map(([name, tags]) => [name.toLowerCase(), { name, tags }]));
    for (const [id, { name, tags }] of listed) {
      const watch = this.#watches.get(id);
      const selected = isSelected(name, tags, config);
      if (watch !== undefined && selected) watch.listed = true;
      else if (watch !== undefined) this.drop(watch);
      else if (selected) this.#watch(name, true);
    }
    // What only an earlier run knew is looked for, too. Of what tags it had nothing is known.
    for (const [id, { name }] of this.#former) {
      if (!listed.has(id) && isSelected(name, config.include.tags, config)) this.#watch(name, false);
    }
    this.#former = new Map();
    // The watch itself finds out whether the service is gone or only hidden.
    for (const [id, watch] of this.#watches) {
      if (listed.has(id) || !watch.listed) continue;
      watch.listed = false;
      watch.again();
    }
  }

  #watch(name: string, listed: boolean): void {
    const id = name.toLowerCase();
    const watch = new ServiceWatch(name, this, this.#context, this.#former.get(id));
    watch.listed = listed;
    this.#watches.set(id, watch);
    this.#context.shard.join(watch);
    this.#spawn(watch.run());
  }

  /** A list without the servers' own service was filtered, whatever its headers say: Consul does so without a word. */
  #checkVisibility(list: ServiceList): void {
    const { namespace = "default", partition = "default" } = this.scope;
    if (namespace !== "default" || partition !== "default") return;
    if (list.has("consul")) this.#sawConsul = true;
    else if (list.size === 0 || (this.#sawConsul && this.#context.config.token === undefined)) {
      throw new SourceError(
        "AUTH_FAILED",
        "the list of services lacks the servers' own: access control hides services",
      );
    }
  }

  #spawn(task: Promise<void>): void {
    const tracked = task.finally(() => this.#tasks.delete(tracked));
    this.#tasks.add(tracked);
  }
}

function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}
