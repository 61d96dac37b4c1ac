import { setMaxListeners } from "node:events";
import type { Catalog, Labels, RegistryId, Service, ServiceKey, ServiceRecord } from "@signalbox/model";
import { mergeService, ServiceNames } from "@signalbox/policy";
import type { Hold, RemovalEvidence } from "@signalbox/policy";
import { noMetrics, silentLogger, systemClock } from "@signalbox/registry";
import type { Clock, Logger, Registry, RegistryUpdate, ShardContent } from "@signalbox/registry";
import { atOnce, type Steps } from "@signalbox/slices";
import { Agenda } from "./agenda.ts";
import { defaultSaveEveryMs } from "./archive.ts";
import { Archiving } from "./archiving.ts";
import { Assembly } from "./assembly.ts";
import type { ServiceEndpoint } from "./catalog-index.ts";
import { CollisionLog } from "./collision-log.ts";
import { AggregateRunningError } from "./controller.ts";
import type { AggregateController } from "./controller.ts";
import { Debounce } from "./debounce.ts";
import { createDecisions } from "./decisions.ts";
import type { Decisions } from "./decisions.ts";
import { defaultFreshness } from "./freshness.ts";
import { Handlers } from "./handlers.ts";
import type { InstanceHandler, ServiceHandler } from "./handlers.ts";
import { Guards } from "./guards.ts";
import type { AggregateInput } from "./input.ts";
import { inOneStep, Line } from "./line.ts";
import { defaultCatalogRules, defaultDebounce, defaultRestart, defaultSyncDeadlineMs } from "./options.ts";
import type { AddRegistryOptions, AggregateOptions, CatalogRules } from "./options.ts";
import { Publishing } from "./publishing.ts";
import { Ramps } from "./ramps.ts";
import { Registries } from "./registries.ts";
import { Restoration } from "./restoration.ts";
import { ShardStore } from "./shard.ts";
import type { RegistryStatus } from "./supervision.ts";
import { Stages } from "./stages.ts";
import { SyncGate } from "./sync-gate.ts";
import { abortWith, isAborted, Latch } from "./waiting.ts";
import { Withdrawals } from "./withdrawals.ts";

/** Makes an aggregate. Nothing runs before its `run`. */
export function createAggregate(options: AggregateOptions): AggregateController {
  return new Aggregate(options);
}

/** What changes by time alone besides services. Keys of services have a slash. */
type Topic = "guards" | "overrides" | "withdrawals";

class Aggregate implements AggregateController {
  readonly #clock: Clock;
  readonly #logger: Logger;
  #rulesOf: CatalogRules["of"];
  readonly #onInput: (input: AggregateInput) => void;
  /** Updates are taken in, deltas are made and what is due is looked at one after another. */
  readonly #line: Line;
  readonly #shards: ShardStore;
  readonly #collisions: CollisionLog;
  readonly #stages: Stages;
  readonly #guards: Guards;
  readonly #ramps: Ramps;
  readonly #withdrawals: Withdrawals | undefined;
  /** Whose workloads are the truth. */
  readonly #clusters: readonly RegistryId[];
  readonly #agenda: Agenda<ServiceKey | Topic>;
  readonly decisions: Decisions;
  readonly #assembly: Assembly;
  readonly #registries: Registries;
  readonly #gate: SyncGate;
  readonly #debounce: Debounce;
  readonly #publishing: Publishing;
  readonly #handlers: Handlers;
  readonly #restoration: Restoration | undefined;
  readonly #archiving: Archiving | undefined;
  readonly #synced = new Latch();
  #running = false;
  /** Waits for registries that were added while the aggregate runs. */
  readonly #late = new Set<Promise<void>>();
  #signal: AbortSignal | undefined;

  constructor(options: AggregateOptions) {
    this.#clock = options.clock ?? systemClock;
    this.#logger = options.logger ?? silentLogger;
    this.#line = new Line(this.#clock);
    this.#onInput = (input) => options.onInput?.(input);
    const given = options.rules ?? defaultCatalogRules;
    this.#rulesOf = given.of;
    this.#clusters = (given.drift?.clusters ?? []).map(({ registry }) => registry);
    const rules = { ...given, of: (key: ServiceKey) => this.#rulesOf(key) };
    const names = new ServiceNames(rules.identity);
    this.#shards = new ShardStore(names);
    this.#collisions = new CollisionLog(names, this.#logger);
    this.#agenda = new Agenda(this.#clock);
    this.#guards = new Guards({
      rules,
      believe: (id, update) => atOnce(this.#believe(id, update)),
      heldChanged: (id, services) => this.#touch(services.map((own) => this.#shards.canonicalKey(id, own))),
      decided: (registry, decision) => {
        this.#logger.warn("guard-decided", { ...decision });
        this.#onInput({ at: this.#clock.now(), type: "decision", registry, decision });
      },
    });
    this.#stages = new Stages({
      rules,
      heldOf: (id, key) => this.#heldOf(id, key),
      slowStarts: options.slowStarts ?? [],
      slowStartsChanged: () => options.onSlowStart?.(),
    });
    const restart = { ...defaultRestart, ...options.restart };
    const shared = { clock: this.#clock, logger: this.#logger, restart, line: this.#line };
    this.#ramps = new Ramps({
      rules,
      logger: this.#logger,
      saved: options.ramps ?? [],
      problems: () => this.#registries.problems(),
      // What others said since its delta was begun is in the journal already.
      onInput: (input) => this.#onInput({ ...input, at: this.#clock.now() }),
    });
    this.#withdrawals =
      rules.withdrawal &&
      new Withdrawals({
        ...{ rule: rules.withdrawal, clock: this.#clock, logger: this.#logger, onInput: this.#onInput },
        recordsOf: (service) => this.#listedNow(service),
        ghostSince: (endpoint, now) => this.#stages.ghostSince(endpoint, now),
        forbidden: (id) => this.#forbidden(id),
        withdraw: (id, instance, signal) => this.#registries.withdraw(id, instance, signal),
      });
    this.#assembly = new Assembly({
      shards: this.#shards,
      names,
      stages: this.#stages,
      ramps: this.#ramps,
      merge: options.merge ?? ((input) => mergeService(input).entry),
      logger: this.#logger,
      due: (key, at) => this.#agenda.set(key, at),
      staged: (key, records) => {
        options.onStaged?.(key, records);
        this.#withdrawals?.see(key);
        this.#agenda.set("withdrawals", this.#withdrawals?.dueAt(this.#clock.now()));
      },
    });
    this.decisions = createDecisions({
      clock: this.#clock,
      rules,
      names,
      shards: this.#shards,
      stages: this.#stages,
      guards: this.#guards,
      ramps: this.#ramps,
      withdrawals: this.#withdrawals,
      assembly: this.#assembly,
      touch: (services) => this.#touch(services),
      settle: () => this.#line.finish(),
      rescheduled: () => this.#reschedule(),
      onInput: this.#onInput,
    });
    for (const override of options.overrides ?? []) this.#stages.overrides.add(override);
    this.#reschedule();
    this.#gate = new SyncGate(this.#clock, this.#logger, (id) => this.#overdue(id));
    this.#debounce = new Debounce(this.#clock, { ...defaultDebounce, ...options.debounce });
    this.#handlers = new Handlers(this.#logger);
    const metrics = (id: RegistryId) => options.metrics?.(id) ?? noMetrics;
    this.#registries = new Registries({
      ...shared,
      metrics,
      shards: this.#shards,
      syncDeadlineMs: options.syncDeadlineMs ?? defaultSyncDeadlineMs,
      unmerged: (id) => this.#shards.countIn(id, this.#assembly.failed),
      freshness: { ...defaultFreshness, ...options.freshness },
      // The first update of a registry is a snapshot.
      accept: (id, update) => this.#taking(id, update),
      wasRead: (id, changed) => {
        this.#archiving?.note(id, changed);
        this.#wasRead(id, changed);
      },
      stateChanged: (id, state) => {
        this.#onInput({ at: this.#clock.now(), type: "state", registry: id, state });
        this.#touch(this.#stages.trust(id, state === "SYNCED"));
        this.#touch(this.#ramps.services());
      },
      problemChanged: (id, degraded) => {
        if (degraded !== undefined)
          this.#onInput({ at: this.#clock.now(), type: "degraded", registry: id, ...degraded });
        this.#touch(this.#ramps.services());
      },
      kept: async (id) => this.#restoration?.loaded(id),
      treat: (id, treatment) => {
        this.#shards.treat(id, treatment, this.#assembly.touched);
        this.#gather();
      },
      dropped: (id) => {
        // What it said just now is not taken in after this.
        this.#line.finish();
        this.#archiving?.drop(id);
        this.#guards.drop(id);
        // First it is not believed any more: its workloads leave because nobody reads them, not because they ended.
        this.#touch(this.#stages.trust(id, false));
        atOnce(this.#stages.workloads(id, { type: "snapshot", records: [] }, this.#clock.now()));
        this.#shards.drop(id, this.#assembly.touched);
        this.#collisions.look();
        this.#gather();
        this.#gate.release(id);
      },
    });
    const { state } = options;
    this.#restoration =
      state &&
      new Restoration({
        archive: state.archive,
        atOnce: state.restore === "at-once",
        logger: this.#logger,
        line: this.#line,
        metrics,
        isSilent: (id) => this.#registries.isSilent(id),
        restore: (id, content, lastCompleteRead) => this.#restoring(id, content, lastCompleteRead),
      });
    this.#archiving =
      state &&
      new Archiving({
        ...shared,
        archive: state.archive,
        saveEveryMs: state.saveEveryMs ?? defaultSaveEveryMs,
        metrics,
        content: (id) => this.#registries.contentOf(id),
      });
    this.#publishing = new Publishing({
      ...shared,
      bus: options.bus,
      assembly: this.#assembly,
      debounce: this.#debounce,
      handlers: this.#handlers,
      onPublish: (publication) => options.onPublish?.(publication),
    });
    for (const registry of options.registries ?? []) this.addRegistry(registry);
  }

  addRegistry(registry: Registry, options: AddRegistryOptions = {}): void {
    this.#registries.add(registry, options);
    // Before it runs: what is kept may be the first thing that it asks for.
    this.#restoreLate(registry.id);
    this.#registries.startOne(registry.id);
  }

  /** Brings back what a registry said that is added while all runs. */
  #restoreLate(id: RegistryId): void {
    const deadlineMs = this.#registries.deadlines().get(id);
    if (this.#restoration === undefined || this.#signal === undefined || deadlineMs === undefined) return;
    this.#restoration.begin(id);
    const late = this.#gate.pass(new Map([[id, deadlineMs]]), this.#signal).catch((error: unknown) => {
      if (this.#signal !== undefined) this.#logger.error("registry-restore-failed", { registry: id, error });
    });
    this.#late.add(late);
    void late.finally(() => this.#late.delete(late));
  }

  async replaceRegistry(registry: Registry, options: Pick<AddRegistryOptions, "freshness"> = {}): Promise<void> {
    await this.#registries.replace(registry, options);
  }

  async removeRegistry(id: RegistryId): Promise<void> {
    await this.#registries.remove(id);
  }

  setServiceRules(of: CatalogRules["of"]): void {
    this.#rulesOf = of;
    this.#touch(this.#ramps.services());
    this.#ramps.prune(this.#clock.now());
    this.#touch(this.#publishing.entries.keys());
  }

  async run(signal: AbortSignal): Promise<void> {
    if (this.#running) throw new AggregateRunningError();
    this.#running = true;
    const end = new AbortController();
    // Every registry listens to it, and there may be many: Node.js would take eleven for a leak and say so.
    setMaxListeners(0, end.signal);
    const untie = abortWith(end, signal);
    const archived = this.#archiving?.run(end.signal);
    const timed = this.#agenda.run(end.signal, (topics) => this.#line.run(inOneStep(() => this.#lookAgain(topics))));
    try {
      const deadlines = this.#synced.isOpen ? new Map<RegistryId, number>() : this.#registries.deadlines();
      const passed = this.#gate.pass(deadlines, end.signal);
      for (const id of deadlines.keys()) this.#restoration?.begin(id);
      this.#signal = end.signal;
      this.#registries.start(end.signal);
      await passed;
      await this.#publishing.absorb(end.signal);
      this.#synced.open();
      await this.#publishing.run(end.signal);
    } catch (error) {
      if (!isAborted(signal)) throw error;
    } finally {
      this.#signal = undefined;
      end.abort();
      untie();
      await this.#registries.stop();
      await this.#restoration?.end();
      await Promise.all(this.#late);
      await archived;
      await timed;
      await this.#withdrawals?.end();
      await this.#archiving?.flush();
      await this.#publishing.end();
      this.#running = false;
    }
  }

  async synced(signal: AbortSignal): Promise<void> {
    await this.#synced.passed(signal);
  }

  get leads(): boolean {
    return this.#publishing.leads;
  }

  catalog(): Catalog {
    return this.#publishing.catalog();
  }

  status(): readonly RegistryStatus[] {
    return this.#registries.status();
  }

  services(): readonly Service[] {
    return this.#publishing.index.services();
  }

  serviceByHostname(hostname: string, namespace?: string): Service | undefined {
    return this.#publishing.index.entryByHostname(hostname, namespace)?.service;
  }

  instancesByPort(service: string, port: number | string, labels?: Labels): readonly ServiceEndpoint[] {
    return this.#publishing.index.instancesByPort(service, port, labels);
  }

  proxyInstances(ipAddresses: readonly string[]): readonly ServiceEndpoint[] {
    return this.#publishing.index.instancesAt(ipAddresses);
  }

  appendServiceHandler(handler: ServiceHandler): () => void {
    return this.#handlers.appendService(handler);
  }

  appendInstanceHandler(handler: InstanceHandler): () => void {
    return this.#handlers.appendInstance(handler);
  }

  /** Whether publishing begins without a registry that has not spoken in time. */
  async #overdue(id: RegistryId): Promise<boolean> {
    const policy = this.#registries.startPolicyOf(id);
    if (policy === "block") return false;
    await this.#restoration?.finish(id);
    return policy === "proceed-partial" || !this.#registries.isSilent(id);
  }

  /** Takes what a registry says, which it may be doubted about, in steps. What it says is in the shard as a whole or not at all. */
  *#taking(id: RegistryId, update: RegistryUpdate): Steps<undefined> {
    const now = this.#clock.now();
    if (this.#registries.isSilent(id)) this.#guardFromKept(id, now);
    const { version } = update;
    const evidence = this.#evidenceFor(id, now);
    const taken = yield* this.#guards.take(id, update, { now, ...evidence, ...(version !== undefined && { version }) });
    // Written down when it has its effect: what is written in between is from before it.
    const applying = () => this.#onInput({ at: this.#clock.now(), type: "update", registry: id, update });
    yield* this.#believe(id, taken.believed, applying);
    taken.tell();
    const touched = yield* this.#stages.workloads(id, update, now);
    this.#touch(touched);
    // What workloads say now may be the end of what is held.
    if (touched.size > 0) this.#guards.tick(now, (held) => this.#evidenceFor(held, now, touched));
    this.#reschedule();
    this.#gate.release(id);
    return undefined;
  }

  *#restoring(
    id: RegistryId,
    { objects, records, workloads }: ShardContent,
    lastCompleteRead: number,
  ): Steps<undefined> {
    yield* this.#taking(id, { type: "snapshot", records, workloads, objects });
    this.#registries.restored(id, lastCompleteRead);
    return undefined;
  }

  /** A source that lost its data over our restart, and speaks before what was kept is served, is doubted all the same. */
  #guardFromKept(id: RegistryId, now: number): void {
    const kept = this.#restoration?.take(id);
    if (kept === undefined || this.#registries.isTooOld(id, kept.lastCompleteRead)) return;
    if (!this.#guards.begin(id, kept.records)) return;
    // For whoever plays the inputs again: to a guard that knows nothing it says the same.
    this.#onInput({ at: now, type: "update", registry: id, update: { type: "snapshot", records: kept.records } });
  }

  /** What the workloads say about removals of a registry; only about these services where they are given. */
  #evidenceFor(id: RegistryId, now: number, services?: ReadonlySet<ServiceKey>): RemovalEvidence {
    return {
      confirmed: (own, instance) => {
        const key = this.#shards.canonicalKey(id, own);
        return services?.has(key) !== false && this.#stages.isGone(key, instance, now);
      },
    };
  }

  *#believe(id: RegistryId, update: RegistryUpdate, applying?: () => void): Steps<undefined> {
    yield* this.#shards.apply(id, update, this.#assembly.touched, applying);
    this.#collisions.look();
    this.#gather();
    return undefined;
  }

  /** The registries say the same of these services as before, but their endpoints may be judged differently. */
  #touch(services: Iterable<ServiceKey>): void {
    const { touched } = this.#assembly;
    for (const key of services) {
      touched.services.add(key);
      touched.hasEndpoints = true;
    }
    this.#gather();
  }

  /** Has what is touched published in time. */
  #gather(): void {
    const { hasEndpoints, size } = this.#assembly.touched;
    if (size > 0) this.#debounce.touch(hasEndpoints ? "endpoints" : "any");
  }

  /** Time alone may have changed something. */
  #lookAgain(topics: readonly (ServiceKey | Topic)[]): void {
    const now = this.#clock.now();
    const services = new Set(topics.filter((topic): topic is ServiceKey => topic.includes("/")));
    this.#guards.tick(now, services.size === 0 ? undefined : (id) => this.#evidenceFor(id, now, services));
    this.#touch(this.#stages.overrides.expire(now).map(({ service }) => service));
    this.#touch(services);
    if (topics.includes("withdrawals") && this.#signal !== undefined) this.#withdrawals?.tick(this.#signal);
    this.#reschedule();
  }

  #reschedule(): void {
    this.#agenda.set("guards", this.#guards.dueAt());
    this.#agenda.set("overrides", this.#stages.overrides.dueAt());
    this.#agenda.set("withdrawals", this.#withdrawals?.dueAt(this.#clock.now()));
  }

  /** Why nothing may be withdrawn from a registry now. One of several processes does it: the one that leads. */
  #forbidden(id: RegistryId): string | undefined {
    if (!this.leads) return "another process leads";
    if (this.#guards.status().some(({ registry }) => registry === id)) return "a guard holds what left it";
    for (const one of [id, ...this.#clusters]) {
      const trouble = this.#registries.trouble(one);
      if (trouble !== undefined) return `${one}: ${trouble}`;
    }
    return undefined;
  }

  /** What registries list of a service, without what guards hold of what they listed before. */
  #listedNow(key: ServiceKey): readonly ServiceRecord[] {
    return this.#assembly.recordsOf(key).map((record) => {
      const held = this.#heldOf(record.service.provenance.registry, key);
      return held.size === 0 ? record : { ...record, instances: record.instances.filter(({ id }) => !held.has(id)) };
    });
  }

  #wasRead(id: RegistryId, changed: boolean): void {
    const now = this.#clock.now();
    if (!changed) this.#onInput({ at: now, type: "read", registry: id });
    this.#touch(this.#stages.wasRead(id, now));
  }

  #heldOf(id: RegistryId, key: ServiceKey): ReadonlyMap<string, Hold> {
    const [own, ...more] = this.#shards.ownKeys(id, key);
    if (own === undefined) return new Map();
    if (more.length === 0) return this.#guards.heldOf(id, own);
    return new Map([own, ...more].flatMap((one) => [...this.#guards.heldOf(id, one)]));
  }
}
