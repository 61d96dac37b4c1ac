import fc from "fast-check";
import type { Catalog } from "@signalbox/model";
import { expect, it } from "vitest";
import type { EventBus } from "../bus.ts";
import { isEmptyDelta } from "../delta.ts";
import { sameRevision } from "../fold.ts";
import { SuiteConsumer, SuiteWriter } from "./actors.ts";
import { comparable, deltaOf } from "./content.ts";
import type { Statement } from "./content.ts";
import type { BusWorld, EventBusSuite } from "./world.ts";

type Step =
  | { readonly type: "publish"; readonly statements: readonly Statement[] }
  | { readonly type: "take"; readonly who: number }
  | { readonly type: "resubscribe"; readonly who: number }
  | { readonly type: "lead"; readonly keepContent: boolean };

const names = ["a", "b", "c", "d", "e"];
const statement: fc.Arbitrary<Statement> = fc.record({
  kind: fc.constantFrom("entries", "workloads", "objects"),
  name: fc.constantFrom(...names),
  generation: fc.oneof({ weight: 3, arbitrary: fc.nat(3) }, { weight: 1, arbitrary: fc.constant("gone" as const) }),
});
const who = fc.nat(2);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ type: fc.constant("publish" as const), statements: fc.array(statement, { maxLength: 4 }) }),
  },
  { weight: 5, arbitrary: fc.record({ type: fc.constant("take" as const), who }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("resubscribe" as const), who }) },
  { weight: 1, arbitrary: fc.record({ type: fc.constant("lead" as const), keepContent: fc.boolean() }) },
);

/**
 * Plays random histories: one writer at a time, three consumers of which each takes events only when the history says so,
 * subscriptions that begin anew, and changes of the lead. Whatever a consumer has folded is a catalog that a writer had at
 * that revision, and in the end all have the last one.
 */
export function describeBusModel(suite: EventBusSuite): void {
  const runs = suite.histories ?? 100;
  const deadlineMs = suite.deadlineMs ?? 5000;
  it(
    "leads every consumer through catalogs that the writer had, in any history",
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
          const world = await suite.create();
          const history = new History(world, deadlineMs);
          try {
            await history.play(steps);
          } finally {
            await history.close();
          }
        }),
        { numRuns: runs },
      );
    },
    runs * deadlineMs,
  );
}

class History {
  readonly #world: BusWorld;
  readonly #deadlineMs: number;
  readonly #opened: EventBus[] = [];
  readonly #catalogs = new Map<string, Catalog>();
  readonly #consumers: SuiteConsumer[] = [];
  #writer: SuiteWriter | undefined;

  constructor(world: BusWorld, deadlineMs: number) {
    this.#world = world;
    this.#deadlineMs = deadlineMs;
  }

  async play(steps: readonly Step[]): Promise<void> {
    await this.#lead(false);
    for (let who = 0; who < 3; who++) this.#consumers.push(await this.#consumer(who));
    for (const step of steps) await this.#do(step);
    const writer = this.#current();
    for (const consumer of this.#consumers) {
      await consumer.reach(writer.revision, this.#deadline());
      this.#check(consumer);
    }
  }

  async close(): Promise<void> {
    for (const consumer of this.#consumers) await consumer.leave(this.#deadline());
    for (const bus of [...this.#opened, this.#world.bus]) await bus.close();
    if (this.#world.subscriptions) expect(this.#world.subscriptions()).toBe(0);
    await this.#world.dispose?.();
  }

  async #do(step: Step): Promise<void> {
    switch (step.type) {
      case "publish": {
        const delta = deltaOf(step.statements);
        const { epoch, sequence } = this.#current().revision;
        const revision = await this.#current().publish(delta);
        expect(revision).toEqual({ epoch, sequence: isEmptyDelta(delta) ? sequence : sequence + 1 });
        this.#remember();
        return;
      }
      case "take": {
        const consumer = this.#at(step.who);
        // With nothing new, a take would wait for ever.
        if (consumer.catalog && sameRevision(consumer.catalog.revision, this.#current().revision)) return;
        await consumer.take(this.#deadline());
        this.#check(consumer);
        return;
      }
      case "resubscribe":
        await this.#at(step.who).leave(this.#deadline());
        this.#consumers[step.who] = await this.#consumer(step.who);
        return;
      case "lead":
        return this.#lead(step.keepContent);
    }
  }

  async #lead(keepContent: boolean): Promise<void> {
    const before = this.#writer;
    const bus = await this.#open();
    if (before !== undefined) await this.#world.depose?.();
    this.#writer = await SuiteWriter.lead(bus, keepContent ? before?.fold : undefined, this.#deadline());
    this.#remember();
    if (before)
      await expect(before.publish(deltaOf([{ kind: "entries", name: "a", generation: 9 }]))).rejects.toThrow();
  }

  #check(consumer: SuiteConsumer): void {
    const catalog = consumer.catalog;
    if (catalog === undefined) throw new Error("the first event was no snapshot");
    const { epoch, sequence } = catalog.revision;
    const known = this.#catalogs.get(`${epoch}/${sequence}`);
    if (known === undefined) throw new Error(`no writer had the revision ${epoch}/${sequence}`);
    expect(comparable(catalog)).toEqual(comparable(known));
  }

  #remember(): void {
    const catalog = this.#current().catalog();
    this.#catalogs.set(`${catalog.revision.epoch}/${catalog.revision.sequence}`, catalog);
  }

  #current(): SuiteWriter {
    if (this.#writer === undefined) throw new TypeError("nobody leads");
    return this.#writer;
  }

  #at(index: number): SuiteConsumer {
    const consumer = this.#consumers[index];
    if (consumer === undefined) throw new RangeError(`no consumer ${index}`);
    return consumer;
  }

  async #consumer(index: number): Promise<SuiteConsumer> {
    return new SuiteConsumer(await this.#open(), `consumer-${index}`);
  }

  async #open(): Promise<EventBus> {
    if (this.#world.another === undefined) return this.#world.bus;
    const bus = await this.#world.another();
    this.#opened.push(bus);
    return bus;
  }

  #deadline(): AbortSignal {
    return AbortSignal.timeout(this.#deadlineMs);
  }
}
