import type { LogBus } from "@signalbox/event-bus";
import { createNatsBus } from "@signalbox/event-bus/nats";
import type { Catalog } from "@signalbox/model";
import { MemorySource, serviceRecord } from "@signalbox/registry/conformance";
import { freePorts, startNats } from "@signalbox/test-servers";
import type { RunningNats } from "@signalbox/test-servers";
import { afterEach, expect, it } from "vitest";
import { BusFollower, contentOf, discover, entryOf, upsert } from "./bus-actors.ts";
import { hashOf } from "./bus-faults/ledger.ts";
import { administer } from "./nats-admin.ts";

/** Milliseconds. Three servers, the tests' other servers and two cores: an election may take its time. */
const deadlineMs = 60_000;
const cleanup: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const act of cleanup.splice(0).reverse()) await act();
});

/** Three servers that elect a leader for each stream. */
async function cluster(): Promise<readonly RunningNats[]> {
  const routes = await freePorts(3);
  const starting = routes.map((port, index) =>
    startNats({
      own: true,
      config: `
        server_name: n${index}
        cluster { name: test, listen: "127.0.0.1:${port}", routes: [${routes.map((route) => `"nats://127.0.0.1:${route}"`).join(", ")}] }`,
    }),
  );
  const started = await Promise.all(starting);
  cleanup.push(() => Promise.all(started.map((server) => server.stop())));
  return started;
}

function open(servers: readonly RunningNats[]): LogBus {
  const [first = "", ...rest] = servers.map(({ url }) => url);
  const bus = createNatsBus({ catalog: "cluster", servers: [first, ...rest], replicas: 3 });
  cleanup.push(() => bus.close());
  return bus;
}

it("serves the exact catalog while each server of a cluster of three dies in turn", async () => {
  const servers = await cluster();
  const bus = open(servers);
  const first = await bus.lead(() => contentOf([entryOf("a", 1)]), AbortSignal.timeout(deadlineMs));
  const publisher = new BusFollower(open([...servers].reverse()));
  cleanup.push(() => publisher.end());
  // Many frames at once, as far as a cluster stores them in order.
  const many = Array.from({ length: 1000 }, (_, index) => entryOf(`s${index}`, 1));
  await publisher.at(await first.publish(upsert(many)), deadlineMs);
  await administer({ servers: servers[0]?.url ?? "" }, async (manager) => {
    const log = `SIGNALBOX_cluster_LOG_${first.epoch.replace("-", "_")}`;
    for (const stream of ["SIGNALBOX_cluster_CONTROL", "SIGNALBOX_cluster_LEASE", log])
      expect((await manager.streams.info(stream)).config.num_replicas).toBe(3);
  });
  await bus.close();

  const source = new MemorySource();
  const change = (generation: number): void => {
    const labels = { generation: String(generation) };
    source.set(serviceRecord({ hostname: "changing.example", labels, instances: ["10.0.0.1"] }));
  };
  change(0);
  for (let other = 1; other < 100; other++) source.set(serviceRecord({ hostname: `s${other}.example` }));
  const discovery = discover(open(servers), source);
  cleanup.push(() => discovery.stop());
  const has = (generation: number) => (catalog: Catalog) =>
    [...catalog.entries.values()].some(({ service }) => service.labels["generation"] === String(generation));
  await publisher.when("the first catalog", has(0), deadlineMs);
  for (const [index, server] of servers.entries()) {
    await server.kill();
    change(index + 1);
    const seen = await publisher.when("the change", has(index + 1), deadlineMs);
    expect(hashOf(seen)).toBe(hashOf(discovery.aggregate.catalog()));
    const fresh = new BusFollower(open(servers));
    expect(hashOf(await fresh.when("a catalog", () => true, deadlineMs))).toBe(hashOf(seen));
    await fresh.end();
    await server.restart();
  }
  expect(publisher.sizes).toEqual(new Set([1, 1001, 100]));
}, 300_000);
