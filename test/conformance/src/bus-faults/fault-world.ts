import type { Catalog } from "@signalbox/model";
import type { Link } from "@signalbox/test-servers";
import type { EngineUnderTest } from "./engine-under-test.ts";
import { hashOf, Ledger } from "./ledger.ts";
import { PublisherProcess, WriterProcess } from "./processes.ts";
import { Truth } from "./source.ts";
import { publisherCount } from "./steps.ts";
import type { EngineFault, LinkOwner, Step } from "./steps.ts";

/** All that takes part in one sequence, and what is wrong with it. */
export class FaultWorld {
  readonly log: string[] = [];
  /** How many catalogs were shown. */
  shown = 0;
  readonly #engine: EngineUnderTest;
  readonly #truth = new Truth();
  readonly #ledger = new Ledger();
  #writers: WriterProcess[] = [];
  #publishers: PublisherProcess[] = [];
  /** Processes that died and are still being swept up. */
  readonly #ending = new Set<Promise<void>>();
  readonly #began = performance.now();
  #made = 0;
  #engineState: "up" | "down" | "frozen" = "up";
  #fault: string | undefined;

  private constructor(engine: EngineUnderTest) {
    this.#engine = engine;
  }

  /** Two writers, of which one will lead, and the publishers. */
  static async open(engine: EngineUnderTest): Promise<FaultWorld> {
    const world = new FaultWorld(engine);
    for (let writer = 0; writer < 2; writer++) await world.#startWriter();
    for (let publisher = 0; publisher < publisherCount; publisher++) world.#publishers.push(await world.#publisher());
    return world;
  }

  /** In how many epochs somebody led. */
  get epochs(): number {
    return this.#ledger.epochs.size;
  }

  note(line: string): void {
    this.log.push(`${String(Math.round(performance.now() - this.#began)).padStart(6)} ms ${line}`);
  }

  throwIfFaulty(): void {
    if (this.#fault !== undefined) throw new Error(this.#fault);
  }

  /** Takes one step; a wait is its caller's. */
  async do(step: Exclude<Step, { readonly type: "wait" }>): Promise<void> {
    switch (step.type) {
      case "change":
        return this.#truth.source.together(() => {
          for (const change of step.changes) this.#truth.change(change);
        });
      case "engine":
        return this.#break(step.what);
      case "link": {
        const link = this.#link(step.owner);
        if (step.what === "slow") link?.slow(step.ms);
        else if (step.what === "cut") link?.cut();
        else link?.block();
        return;
      }
      case "links-up":
        for (const { link } of [...this.#writers, ...this.#publishers]) link.up();
        return;
      case "writer":
        return this.#endWriter(step.what);
      case "zombie":
        this.#leader()?.clock.stop();
        return;
      case "zombies-end":
        for (const { clock } of this.#writers) clock.go();
        return;
      case "publisher": {
        const publisher = this.#publishers[step.index];
        if (publisher !== undefined) this.#sweep(publisher.kill());
        this.#publishers[step.index] = await this.#publisher();
        return;
      }
    }
  }

  /** Ends all faults that last. */
  async heal(): Promise<void> {
    if (this.#engineState === "frozen") await this.#break("thaw");
    if (this.#engineState === "down") await this.#break("restart");
    await this.do({ type: "links-up" });
    await this.do({ type: "zombies-end" });
  }

  /** Why the processes do not agree about the exact catalog; undefined when they do. */
  disagreement(): string | undefined {
    const leaders = this.#writers.filter(({ leads }) => leads);
    const [leader] = leaders;
    if (leader === undefined) return "nobody leads";
    if (leaders.length > 1) return `${leaders.map(({ name }) => name).join(" and ")} lead`;
    const catalog = leader.catalog();
    if (!this.#truth.isShownBy(catalog)) return `${leader.name} does not have what is true`;
    const hash = hashOf(catalog);
    const behind = this.#publishers.filter(
      (publisher) => publisher.catalog === undefined || hashOf(publisher.catalog) !== hash,
    );
    if (behind.length === 0) return undefined;
    return `${leader.name} is at ${JSON.stringify(catalog.revision)}; ${behind.map((publisher) => publisher.status()).join("; ")}`;
  }

  /** Ends all processes, also those that died before. */
  async close(): Promise<void> {
    for (const { clock } of this.#writers) clock.go();
    await Promise.all([
      ...this.#writers.map((writer) => writer.stop()),
      ...this.#publishers.map((publisher) => publisher.kill()),
      ...this.#ending,
    ]);
  }

  async #break(what: EngineFault): Promise<void> {
    switch (what) {
      case "kill":
        await this.#engine.kill();
        this.#engineState = "down";
        return;
      case "restart":
        await this.#engine.restart();
        this.#engineState = "up";
        return;
      case "freeze":
        this.#engine.freeze();
        this.#engineState = "frozen";
        return;
      case "thaw":
        this.#engine.thaw();
        this.#engineState = "up";
        return;
      case "wipe":
        return this.#engine.wipe();
      case "delete-log":
        return this.#engine.deleteLog();
      case "truncate-log":
        return this.#engine.truncateLog();
    }
  }

  async #endWriter(what: "kill" | "stop"): Promise<void> {
    const writer = this.#leader() ?? this.#writers[0];
    if (writer === undefined) return;
    this.#writers = this.#writers.filter((other) => other !== writer);
    this.#sweep(what === "kill" ? writer.kill() : writer.stop());
    await this.#startWriter();
  }

  async #startWriter(): Promise<void> {
    const name = `writer-${++this.#made}`;
    this.#writers.push(
      await WriterProcess.start(name, this.#engine, this.#truth, this.#ledger, (line) => this.note(line)),
    );
  }

  #publisher(): Promise<PublisherProcess> {
    const name = `publisher-${++this.#made}`;
    return PublisherProcess.start(
      name,
      this.#engine,
      (line) => this.note(line),
      (previous, catalog) => this.#check(name, previous, catalog),
      (error) => this.#blame(`${name} failed: ${String(error)}`),
    );
  }

  #check(name: string, previous: Catalog | undefined, catalog: Catalog): void {
    this.shown++;
    const { epoch, sequence } = catalog.revision;
    this.note(`${name} shows ${epoch}/${sequence}, ${catalog.entries.size} services`);
    const fault = this.#ledger.fault(catalog);
    if (fault !== undefined) this.#blame(`${name}: ${fault}`);
    for (const [key, { service }] of previous?.entries ?? []) {
      if (!catalog.entries.has(key) && this.#truth.isPermanent(service.hostname))
        this.#blame(`${name} lost ${service.hostname}, which nobody removed`);
    }
  }

  #blame(what: string): void {
    this.note(`FAULT ${what}`);
    this.#fault ??= what;
  }

  #leader(): WriterProcess | undefined {
    return this.#writers.find(({ leads }) => leads);
  }

  #link(owner: LinkOwner): Link | undefined {
    if (typeof owner === "number") return this.#publishers[owner]?.link;
    const leader = this.#leader() ?? this.#writers[0];
    return owner === "leader" ? leader?.link : this.#writers.find((writer) => writer !== leader)?.link;
  }

  #sweep(ending: Promise<void>): void {
    const swept = ending.catch((error: unknown) => this.#blame(`a process could not end: ${String(error)}`));
    this.#ending.add(swept);
    void swept.finally(() => this.#ending.delete(swept));
  }
}
