import { createNatsBus } from "@signalbox/event-bus/nats";
import type { NatsBusOptions } from "@signalbox/event-bus/nats";
import type { LogBus } from "@signalbox/event-bus";
import type { Catalog } from "@signalbox/model";
import { startLink, startNats, waitFor } from "@signalbox/test-servers";
import type { RunningNats } from "@signalbox/test-servers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { BusFollower, contentOf, entryOf, SteadyWriter, upsert } from "./bus-actors.ts";
import { hashOf } from "./bus-faults/ledger.ts";
import { administer, logStreams } from "./nats-admin.ts";

const cleanup: (() => Promise<unknown>)[] = [];
let nats: RunningNats;

async function server(config?: string): Promise<void> {
  nats = await startNats({ own: true, ...(config !== undefined && { config }) });
  const mine = nats;
  cleanup.push(() => mine.stop());
}

beforeEach(() => {
  cleanup.length = 0;
});

afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

function open(options: Partial<NatsBusOptions> = {}): LogBus {
  const bus = createNatsBus({ catalog: "data", servers: [nats.url], ...options });
  cleanup.push(() => bus.close());
  return bus;
}

function follow(bus = open()): BusFollower {
  const follower = new BusFollower(bus);
  cleanup.push(() => follower.end());
  return follower;
}

describe("NATS as a bus: size", () => {
  it("carries 20,000 services of 0.3 to 30 kB to a fresh process", async () => {
    await server();
    // Most are small, some large: an endpoint takes about 300 bytes.
    const sizes = Array.from({ length: 20_000 }, (_, index) =>
      index % 40 === 0 ? 100 : index % 10 === 0 ? 12 : index % 3,
    );
    const content = contentOf(sizes.map((endpoints, index) => entryOf(`s${index}`, 1, endpoints)));
    const writer = await open().lead(() => content, AbortSignal.timeout(60_000));
    const catalog = await follow().at({ epoch: writer.epoch, sequence: 0 }, 60_000);
    expect(hashOf(catalog)).toBe(hashOf(content));
  }, 180_000);

  it("splits a message that is larger than what the server takes", async () => {
    await server("max_payload: 4096");
    const large = entryOf("large", 1, 2000);
    const writer = await open().lead(() => contentOf([large]), AbortSignal.timeout(15_000));
    const follower = follow();
    const first = await follower.at({ epoch: writer.epoch, sequence: 0 });
    expect(hashOf(first)).toBe(hashOf(contentOf([large])));
    const larger = entryOf("larger", 1, 3000);
    const second = await follower.at(await writer.publish(upsert([larger])));
    expect(hashOf(second)).toBe(hashOf(contentOf([large, larger])));
  });

  it("keeps its log short: old snapshots and changes go, and so do the logs of earlier writers", async () => {
    await server();
    const limits = { compactAfterBytes: 10_000 };
    await (
      await open({ limits }).lead(() => contentOf([]), AbortSignal.timeout(15_000))
    ).publish(upsert([entryOf("a", 1)]));
    const bus = open({ limits });
    await administer({ servers: nats.url }, (manager) => manager.streams.purge("SIGNALBOX_data_LEASE"));
    const writer = await bus.lead(() => contentOf([]), AbortSignal.timeout(15_000));
    const follower = follow();
    for (let generation = 1; generation <= 300; generation++) await writer.publish(upsert([entryOf("a", generation)]));
    await follower.at({ epoch: writer.epoch, sequence: 300 });
    await administer({ servers: nats.url }, async (manager) => {
      expect(await logStreams(manager)).toEqual([`SIGNALBOX_data_LOG_${writer.epoch.replace("-", "_")}`]);
      const [log = ""] = await logStreams(manager);
      await waitFor(async () => (await manager.streams.info(log)).state.messages < 150, { what: "a short log" });
    });
    expect(hashOf(await follow().at({ epoch: writer.epoch, sequence: 300 }))).toBe(
      hashOf(contentOf([entryOf("a", 300)])),
    );
  });

  it("ends the writer whose log is full, and says why; one that needs less may lead", async () => {
    await server();
    const bus = open({ maxLogBytes: 20_000 });
    const writer = await bus.lead(() => contentOf([entryOf("a", 1)]), AbortSignal.timeout(15_000));
    const large = Array.from({ length: 200 }, (_, index) => entryOf(`s${index}`, 1, 2));
    const refused = writer.publish(upsert(large));
    await expect(refused).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
    await expect(refused).rejects.toHaveProperty("cause.message", expect.stringContaining("maximum bytes exceeded"));
    const next = await bus.lead(() => contentOf([entryOf("b", 1)]), AbortSignal.timeout(15_000));
    await follow().at(await next.publish(upsert([entryOf("c", 1)])));
  });

  it("keeps catalogs apart whose names are alike, whatever characters they have", async () => {
    await server();
    const catalogs = ["a", "a.b", "a_b", "a b", "a>", "*", "A", "ä", "a_LEASE"];
    const writers = await Promise.all(
      catalogs.map((catalog, index) =>
        open({ catalog }).lead(() => contentOf([entryOf(`of-${index}`, 1)]), AbortSignal.timeout(30_000)),
      ),
    );
    for (const [index, catalog] of catalogs.entries()) {
      const seen = await follow(open({ catalog })).at({ epoch: writers[index]?.epoch ?? "", sequence: 0 });
      expect(hashOf(seen)).toBe(hashOf(contentOf([entryOf(`of-${index}`, 1)])));
    }
  });
});

describe("NATS as a bus: a zombie", () => {
  it("gets nothing into any log once another writer claimed, whatever it has in flight", async () => {
    await server("max_payload: 4096");
    const zombieBus = open();
    const zombie = await zombieBus.lead(() => contentOf([]), AbortSignal.timeout(15_000));
    const follower = follow();
    await follower.at({ epoch: zombie.epoch, sequence: 0 });
    const link = await startLink(Number(new URL(nats.url).port));
    cleanup.push(() => link.close());
    const next = open({ servers: [`127.0.0.1:${link.port}`], lease: { ttlMs: 30_000 } });

    // The zombie writes hundreds of frames without pause, 64 at a time, while its lease is taken from it.
    const fences: unknown[] = [];
    let wrote = 0;
    const writing = (async () => {
      for (let generation = 1; fences.length === 0; generation++) {
        await zombie
          .publish(upsert(Array.from({ length: 50 }, (_, index) => entryOf(`z${index}`, generation, 20))))
          .then(() => wrote++)
          .catch((error: unknown) => fences.push(error));
      }
    })();
    await waitFor(() => wrote > 0, { what: "the zombie to write" });
    await administer({ servers: nats.url }, (manager) => manager.streams.purge("SIGNALBOX_data_LEASE"));
    const content = contentOf([entryOf("good", 1)]);
    const leading = next.lead(() => {
      // It has its claim. All that follows waits, so that what the claim alone does can be seen.
      link.block();
      return content;
    }, AbortSignal.timeout(30_000));
    await writing;
    expect(fences).toEqual([expect.objectContaining({ code: "SBX_BUS_FENCED", epoch: zombie.epoch })]);

    const old = `SIGNALBOX_data_LOG_${zombie.epoch.replace("-", "_")}`;
    await administer({ servers: nats.url }, async (manager, client) => {
      const sealed = await manager.streams.info(old);
      expect(sealed.config.sealed).toBe(true);
      const subject = `signalbox.data.log.${zombie.epoch}`;
      const expecting = { expect: { lastSequence: sealed.state.last_seq } };
      await expect(client.publish(subject, "late", expecting)).rejects.toMatchObject({ code: 10109 });
      const [fresh = ""] = (await logStreams(manager)).filter((name) => name !== old);
      expect((await manager.streams.info(fresh)).state.messages).toBe(0);
      expect((await manager.streams.info(old)).state.last_seq).toBe(sealed.state.last_seq);
    });
    link.up();
    const writer = await leading;
    expect(hashOf(await follower.at({ epoch: writer.epoch, sequence: 0 }))).toBe(hashOf(content));
    expect(hashOf(await follow().at({ epoch: writer.epoch, sequence: 0 }))).toBe(hashOf(content));
    await expect(zombie.publish(upsert([entryOf("z", 1)]))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
  });
});

describe("NATS as a bus: lost data", () => {
  /** A steady writer and a publisher that follows it. */
  async function following() {
    await server();
    const content = contentOf(["a", "b", "c"].map((name) => entryOf(name, 1)));
    const steady = new SteadyWriter(open(), content);
    cleanup.push(() => steady.stop());
    const publisher = follow();
    const before = await publisher.when("the first catalog", () => true);
    return {
      log: `SIGNALBOX_data_LOG_${before.revision.epoch.replace("-", "_")}`,
      /** Resolves when the publisher, and a fresh one, have the exact content in another epoch. */
      healed: async (): Promise<void> => {
        const another = ({ revision }: Catalog): boolean => revision.epoch !== before.revision.epoch;
        expect(hashOf(await publisher.when("another epoch", another))).toBe(hashOf(content));
        expect(hashOf(await follow().when("another epoch", another))).toBe(hashOf(content));
        expect(publisher.sizes).toEqual(new Set([3]));
      },
    };
  }

  it("heals by itself after the server lost everything", async () => {
    const { healed } = await following();
    await nats.restartEmpty();
    await healed();
  });

  it("heals by itself after the log was deleted", async () => {
    const { healed, log } = await following();
    await administer({ servers: nats.url }, (manager) => manager.streams.delete(log));
    await healed();
  });

  it("heals by itself after the log was truncated", async () => {
    const { healed, log } = await following();
    await administer({ servers: nats.url }, (manager) => manager.streams.purge(log));
    await healed();
  });

  it("heals by itself after the record of claims was deleted", async () => {
    const { healed } = await following();
    await administer({ servers: nats.url }, (manager) => manager.streams.delete("SIGNALBOX_data_CONTROL"));
    await healed();
  });

  it("goes on without a new epoch after the server crashed and came back", async () => {
    await server();
    const writer = await open({ lease: { ttlMs: 20_000 } }).lead(
      () => contentOf([entryOf("a", 1)]),
      AbortSignal.timeout(15_000),
    );
    const publisher = follow();
    await publisher.at(await writer.publish(upsert([entryOf("b", 1)])));
    await nats.kill();
    const publishing = writer.publish(upsert([entryOf("c", 1)]));
    await nats.restart();
    const catalog = await publisher.at(await publishing);
    expect(catalog.revision).toEqual({ epoch: writer.epoch, sequence: 2 });
  });
});
