import { describe, expect, it } from "vitest";
import type { EventBus } from "./bus.ts";
import { decodeEvent, encodeEvent } from "./codec.ts";
import { SuiteConsumer, SuiteWriter } from "./conformance/actors.ts";
import { comparable, contentOf, deltaOf, upsert } from "./conformance/content.ts";
import { describeEventBus } from "./conformance/index.ts";
import { createInProcessBus } from "./in-process-bus.ts";

describeEventBus({
  name: "in process",
  create: () => {
    const bus = createInProcessBus();
    return Promise.resolve({ bus, subscriptions: () => bus.status().consumers.length });
  },
});

// The limit is small here, so that the random histories also cross it.
describeEventBus({
  name: "in process, short of memory",
  create: () => Promise.resolve({ bus: createInProcessBus({ slack: 0 }) }),
  histories: 50,
});

// The suite must hold for buses between processes as well: texts instead of objects, a handle for each, and delays.
describeEventBus({
  name: "in process, over the wire format",
  create: () => {
    const inner = createInProcessBus();
    return Promise.resolve({
      bus: overWire(inner, () => inner.close()),
      another: () => Promise.resolve(overWire(inner, () => Promise.resolve())),
      subscriptions: () => inner.status().consumers.length,
      dispose: () => inner.close(),
    });
  },
  histories: 50,
});

describe("the in-process bus", () => {
  const deadline = () => AbortSignal.timeout(5000);

  it("gives a slow consumer one delta from what it has to what is", async () => {
    const bus = createInProcessBus();
    const writer = await SuiteWriter.lead(bus, contentOf("a"), deadline());
    const slow = new SuiteConsumer(bus, "slow");
    await slow.take(deadline());
    for (let generation = 1; generation <= 50; generation++) await writer.publish(upsert("a", generation));
    expect(bus.status().consumers).toEqual([{ name: "slow", pending: 1 }]);
    const event = await slow.take(deadline());
    expect(event).toMatchObject({
      type: "delta",
      previous: { epoch: writer.epoch, sequence: 0 },
      revision: { epoch: writer.epoch, sequence: 50 },
      delta: { entries: { upserted: [{ key: "suite/a.example", instances: [{ labels: { generation: "50" } }] }] } },
    });
    expect(bus.status().consumers).toEqual([{ name: "slow", pending: 0 }]);
  });

  it("gives a snapshot where more keys wait than the catalog is worth", async () => {
    const bus = createInProcessBus({ slack: 10 });
    const writer = await SuiteWriter.lead(bus, contentOf(), deadline());
    const slow = new SuiteConsumer(bus, "slow");
    await slow.take(deadline());
    for (let index = 0; index < 1000; index++) {
      await writer.publish(upsert(`s${index}`, 1));
      await writer.publish(deltaOf([{ kind: "entries", name: `s${index}`, generation: "gone" }]));
      expect(bus.status().consumers[0]?.pending).toBeLessThanOrEqual(12);
    }
    const event = await slow.take(deadline());
    expect(event.type).toBe("snapshot");
    expect(comparable(await slow.reach(writer.revision, deadline()))).toEqual(comparable(contentOf()));
  });

  it("takes its epochs from the option", async () => {
    const bus = createInProcessBus({ newEpoch: () => "monday" });
    expect((await SuiteWriter.lead(bus, undefined, deadline())).epoch).toBe("monday");
    expect(bus.status()).toEqual({ revision: { epoch: "monday", sequence: 0 }, led: true, consumers: [] });
  });

  it("does not change hands when the new writer's snapshot throws", async () => {
    const bus = createInProcessBus();
    const writer = await SuiteWriter.lead(bus, contentOf("a"), deadline());
    const broken = () => {
      throw new Error("no snapshot");
    };
    await expect(bus.lead(broken, new AbortController().signal)).rejects.toThrow("no snapshot");
    await expect(writer.publish(upsert("a", 1))).resolves.toEqual({ epoch: writer.epoch, sequence: 1 });
  });

  it("leaves no listener on the signals of writers and consumers", async () => {
    const bus = createInProcessBus();
    const signal = new CountingSignal();
    for (let lead = 0; lead < 3; lead++) await bus.lead(() => contentOf(), signal.signal);
    for await (const _ of bus.subscribe("one", signal.signal)) break;
    await bus.close();
    expect(signal.listeners).toBe(0);
  });
});

function overWire(inner: EventBus, close: () => Promise<void>): EventBus {
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  return {
    lead: async (snapshot, signal) => {
      await turn();
      const writer = await inner.lead(snapshot, signal);
      const publish: typeof writer.publish = async (delta) => {
        await turn();
        return writer.publish(delta);
      };
      return { epoch: writer.epoch, over: writer.over, publish };
    },
    async *subscribe(consumer, signal) {
      for await (const event of inner.subscribe(consumer, signal)) {
        const text = encodeEvent(event);
        await turn();
        yield decodeEvent(text);
      }
    },
    close,
  };
}

class CountingSignal {
  readonly signal = new AbortController().signal;
  listeners = 0;

  constructor() {
    const add = this.signal.addEventListener.bind(this.signal);
    const remove = this.signal.removeEventListener.bind(this.signal);
    this.signal.addEventListener = (...args: Parameters<typeof add>) => {
      this.listeners++;
      add(...args);
    };
    this.signal.removeEventListener = (...args: Parameters<typeof remove>) => {
      this.listeners--;
      remove(...args);
    };
  }
}
