import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { EventBus } from "../bus.ts";
import { SuiteConsumer, SuiteWriter } from "./actors.ts";
import { comparable, contentOf, deltaOf, upsert } from "./content.ts";
import { describeBusModel } from "./model.ts";
import type { BusWorld, EventBusSuite } from "./world.ts";

/** Declares the tests that every event bus passes. Call it at the top of a test file. */
export function describeEventBus(suite: EventBusSuite): void {
  describe(`event bus contract: ${suite.name}`, () => {
    const stage = new Stage(suite);
    beforeEach(() => stage.open());
    afterEach(() => stage.close());
    describeDelivery(stage);
    describeSlowConsumers(stage);
    describeLeadership(stage);
    describeEnd(stage);
    describeBusModel(suite);
  });
}

class Stage {
  readonly #suite: EventBusSuite;
  #world: BusWorld | undefined;
  #others: EventBus[] = [];

  constructor(suite: EventBusSuite) {
    this.#suite = suite;
  }

  get world(): BusWorld {
    if (this.#world === undefined) throw new TypeError("the bus is not open");
    return this.#world;
  }

  get bus(): EventBus {
    return this.world.bus;
  }

  async open(): Promise<void> {
    this.#world = await this.#suite.create();
  }

  async close(): Promise<void> {
    for (const bus of [...this.#others.splice(0), this.bus]) await bus.close();
    await this.world.dispose?.();
  }

  /** The bus as another process sees it. */
  async another(): Promise<EventBus> {
    if (this.world.another === undefined) return this.bus;
    const bus = await this.world.another();
    this.#others.push(bus);
    return bus;
  }

  deadline(): AbortSignal {
    return AbortSignal.timeout(this.#suite.deadlineMs ?? 5000);
  }

  async lead(...names: readonly string[]): Promise<SuiteWriter> {
    return SuiteWriter.lead(this.bus, contentOf(...names), this.deadline());
  }

  /** Lets another process lead in place of the one that leads. */
  async depose(...names: readonly string[]): Promise<SuiteWriter> {
    const bus = await this.another();
    await this.world.depose?.();
    return SuiteWriter.lead(bus, contentOf(...names), this.deadline());
  }

  async consumer(name: string): Promise<SuiteConsumer> {
    return new SuiteConsumer(await this.another(), name);
  }
}

function describeDelivery(stage: Stage): void {
  it("gives a snapshot first, at sequence 0 of the writer's epoch", async () => {
    const writer = await stage.lead("a", "b");
    const consumer = await stage.consumer("one");
    const event = await consumer.take(stage.deadline());
    expect(event.type).toBe("snapshot");
    expect(consumer.catalog?.revision).toEqual({ epoch: writer.epoch, sequence: 0 });
    expect(comparable(consumer.catalog ?? contentOf())).toEqual(comparable(contentOf("a", "b")));
  });

  it("gives an empty snapshot for an empty catalog", async () => {
    await stage.lead();
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    expect(comparable(consumer.catalog ?? contentOf("x"))).toEqual(comparable(contentOf()));
  });

  it("lets a consumer that came before the first writer wait for its snapshot", async () => {
    const consumer = await stage.consumer("early");
    const first = consumer.take(stage.deadline());
    await stage.lead("a");
    expect((await first).type).toBe("snapshot");
  });

  it("follows the snapshot by contiguous deltas, and numbers revisions one by one", async () => {
    const writer = await stage.lead("a");
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    for (let generation = 1; generation <= 5; generation++) {
      const revision = await writer.publish(upsert("a", generation));
      expect(revision).toEqual({ epoch: writer.epoch, sequence: generation });
      await consumer.reach(revision, stage.deadline());
      expect(comparable(consumer.catalog ?? contentOf())).toEqual(comparable(writer.catalog()));
    }
    expect(consumer.events.map((event) => event.type)).toEqual(["snapshot", ...Array<string>(5).fill("delta")]);
  });

  it("carries entries, workloads and objects, and their removal", async () => {
    const writer = await stage.lead();
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    const kinds = ["entries", "workloads", "objects"] as const;
    await writer.publish(deltaOf(kinds.flatMap((kind) => ["x", "y"].map((name) => ({ kind, name, generation: 1 })))));
    const revision = await writer.publish(deltaOf(kinds.map((kind) => ({ kind, name: "x", generation: "gone" }))));
    const catalog = await consumer.reach(revision, stage.deadline());
    expect(comparable(catalog)).toEqual(comparable(writer.catalog()));
    expect([catalog.entries.size, catalog.workloads.size, catalog.objects.size]).toEqual([1, 1, 1]);
  });

  it("gives a late subscriber the whole world, not the history", async () => {
    const writer = await stage.lead("a");
    await writer.publish(upsert("b", 1));
    const revision = await writer.publish(upsert("c", 1));
    const late = await stage.consumer("late");
    const catalog = await late.reach(revision, stage.deadline());
    expect(late.events[0]?.type).toBe("snapshot");
    expect(comparable(catalog)).toEqual(comparable(writer.catalog()));
  });

  it("serves two subscribers alike, also under one name", async () => {
    const writer = await stage.lead("a");
    const consumers = [await stage.consumer("same"), await stage.consumer("same")];
    for (const consumer of consumers) await consumer.take(stage.deadline());
    const revision = await writer.publish(upsert("a", 7));
    for (const consumer of consumers) {
      expect(comparable(await consumer.reach(revision, stage.deadline()))).toEqual(comparable(writer.catalog()));
    }
  });

  it("keeps silent about an empty delta", async () => {
    const writer = await stage.lead("a");
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    expect(await writer.publish(deltaOf([]))).toEqual({ epoch: writer.epoch, sequence: 0 });
    const revision = await writer.publish(upsert("a", 1));
    await consumer.reach(revision, stage.deadline());
    expect(consumer.events).toHaveLength(2);
  });

  it("gives deeply frozen data", async () => {
    const writer = await stage.lead("a");
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    const revision = await writer.publish(upsert("b", 1));
    const catalog = await consumer.reach(revision, stage.deadline());
    for (const entry of catalog.entries.values()) {
      expect([entry, entry.service.labels, entry.instances[0]?.addresses].every(Object.isFrozen)).toBe(true);
    }
  });
}

function describeSlowConsumers(stage: Stage): void {
  it("merges what a slow consumer has not taken, without a gap", async () => {
    const writer = await stage.lead("a", "b");
    const slow = await stage.consumer("slow");
    await slow.take(stage.deadline());
    for (let generation = 1; generation <= 200; generation++) await writer.publish(upsert("a", generation));
    const revision = await writer.publish(deltaOf([{ kind: "entries", name: "b", generation: "gone" }]));
    const catalog = await slow.reach(revision, stage.deadline());
    expect(comparable(catalog)).toEqual(comparable(writer.catalog()));
  });

  it("does not let a slow consumer hold back the writer or another consumer", async () => {
    const writer = await stage.lead("a");
    const slow = await stage.consumer("slow");
    await slow.take(stage.deadline());
    const fast = await stage.consumer("fast");
    for (let generation = 1; generation <= 20; generation++) {
      const revision = await writer.publish(upsert("a", generation));
      await fast.reach(revision, stage.deadline());
    }
    expect(slow.events).toHaveLength(1);
    await slow.reach(writer.revision, stage.deadline());
  });
}

function describeLeadership(stage: Stage): void {
  it("fences the first writer when a second one leads", async () => {
    const first = await stage.lead("a");
    const second = await stage.depose("b");
    expect(second.epoch).not.toBe(first.epoch);
    await expect(first.publish(upsert("a", 1))).rejects.toMatchObject({ code: "SBX_BUS_FENCED", epoch: first.epoch });
    const revision = await second.publish(upsert("c", 1));
    const consumer = await stage.consumer("one");
    expect(comparable(await consumer.reach(revision, stage.deadline()))).toEqual(comparable(second.catalog()));
  });

  it("lets a second one wait until the first resigns, where somebody must", async () => {
    // Where the newest writer always leads, nobody waits.
    if (stage.world.depose === undefined) return;
    const first = await stage.lead("a");
    let leads = false;
    const second = SuiteWriter.lead(await stage.another(), contentOf("b"), stage.deadline()).then((writer) => {
      leads = true;
      return writer;
    });
    // Each of these publications gives the second one time to take what is not its own.
    for (let generation = 1; generation <= 50; generation++) await first.publish(upsert("a", generation));
    expect(leads).toBe(false);
    first.resign();
    expect((await second).epoch).not.toBe(first.epoch);
    await expect(first.publish(upsert("a", 1))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
  });

  it("tells a writer that it no longer leads, though it publishes nothing", async () => {
    const { over } = await stage.bus.lead(() => contentOf("a"), new AbortController().signal);
    expect(over.aborted).toBe(false);
    const deadline = stage.deadline();
    await stage.depose("b");
    await new Promise<void>((resolve) => {
      for (const signal of [over, deadline]) signal.addEventListener("abort", () => resolve(), { once: true });
      if (over.aborted) resolve();
    });
    expect(over.reason).toBeInstanceOf(Error);
  });

  it("gives consumers a snapshot of the new epoch", async () => {
    await stage.lead("a");
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    const second = await stage.depose("b");
    const catalog = await consumer.reach(second.revision, stage.deadline());
    expect(consumer.events.at(-1)?.type).toBe("snapshot");
    expect(comparable(catalog)).toEqual(comparable(contentOf("b")));
  });

  it("never gives one epoch twice", async () => {
    const epochs = new Set<string>();
    for (let lead = 0; lead < 5; lead++) epochs.add((await stage.lead("a")).epoch);
    expect(epochs.size).toBe(5);
  });

  it("ends the lead of a writer whose signal aborts; consumers keep what they have", async () => {
    const writer = await stage.lead("a");
    const consumer = await stage.consumer("one");
    const catalog = await consumer.reach(writer.revision, stage.deadline());
    writer.resign();
    await expect(writer.publish(upsert("a", 1))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
    expect(consumer.catalog).toBe(catalog);
    const next = await stage.lead("b");
    await consumer.reach(next.revision, stage.deadline());
  });

  it("does not lead for a signal that already aborted", async () => {
    const reason = new Error("too late");
    await expect(stage.bus.lead(() => contentOf(), AbortSignal.abort(reason))).rejects.toBe(reason);
  });
}

function describeEnd(stage: Stage): void {
  it("ends a waiting subscription when its signal aborts, and holds nothing of it", async () => {
    await stage.lead("a");
    const consumer = await stage.consumer("one");
    await consumer.take(stage.deadline());
    const next = consumer.next(stage.deadline());
    consumer.abort();
    expect((await next).done).toBe(true);
    if (stage.world.subscriptions) expect(stage.world.subscriptions()).toBe(0);
  });

  it("ends a subscription whose consumer leaves its loop", async () => {
    await stage.lead("a");
    const bus = await stage.another();
    for await (const event of bus.subscribe("one", new AbortController().signal)) {
      expect(event.type).toBe("snapshot");
      break;
    }
    if (stage.world.subscriptions) expect(stage.world.subscriptions()).toBe(0);
  });

  it("gives nothing for a signal that already aborted", async () => {
    await stage.lead("a");
    const consumer = await stage.consumer("one");
    consumer.abort();
    expect((await consumer.next(stage.deadline())).done).toBe(true);
  });

  it("ends every subscription and fences the writer on close", async () => {
    const writer = await stage.bus.lead(() => contentOf("a"), new AbortController().signal);
    expect(writer.over.aborted).toBe(false);
    const consumer = new SuiteConsumer(stage.bus, "one");
    await consumer.take(stage.deadline());
    const next = consumer.next(stage.deadline());
    await stage.bus.close();
    expect((await next).done).toBe(true);
    expect(writer.over.aborted).toBe(true);
    await expect(writer.publish(upsert("a", 1))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
    await expect(stage.bus.lead(() => contentOf(), new AbortController().signal)).rejects.toThrow();
    const after = new SuiteConsumer(stage.bus, "after");
    expect((await after.next(stage.deadline())).done).toBe(true);
  });

  it("may be closed twice", async () => {
    await stage.bus.close();
    await expect(stage.bus.close()).resolves.toBeUndefined();
  });
}
