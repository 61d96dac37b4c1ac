import { afterEach, describe, expect, it } from "vitest";
import { FakeEureka } from "./testing/fake-eureka.ts";
import { Watch } from "./testing/watch.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function fake(...ids: readonly string[]): Promise<FakeEureka> {
  const eureka = await FakeEureka.open();
  closing.push(() => eureka.stop());
  for (const id of ids) eureka.register({ app: "orders", id, ip: ipOf(id) });
  return eureka;
}

const ipOf = (id: string): string => `10.0.0.${id.charCodeAt(0) - 96}`;
const healthy = (...ids: readonly string[]): string => `orders: ${ids.map((id) => `${id}=HEALTHY`).join(" ")}`;

async function watch(servers: readonly FakeEureka[], before?: Watch, config: object = {}): Promise<Watch> {
  const urls = servers.map(({ url }) => url);
  const started = await Watch.start({ urls, timeoutSeconds: 0.5, ...config }, before && { before });
  closing.push(() => started.stop());
  return started;
}

/** A run that ended; what it said last is in force. */
async function ended(...servers: readonly FakeEureka[]): Promise<Watch> {
  const run = await watch(servers);
  await run.stop();
  return run;
}

const events = ({ warnings }: Watch): readonly string[] => warnings.map(({ event }) => event);

describe("the first read of a run", () => {
  it("that is empty takes nothing away: clients that register again continue, the others leave in time", async () => {
    const eureka = await fake("a", "b", "c");
    const before = await ended(eureka);
    eureka.forget(() => true);
    const reader = await watch([eureka], before);
    expect(reader.sink.updates.map(({ type }) => type)).toEqual(["snapshot"]);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    expect(events(reader)).toEqual(["eureka-losses-held"]);
    await reader.pollFor(30);
    for (const id of ["a", "b"]) eureka.register({ app: "orders", id, ip: ipOf(id) });
    await reader.pollFor(50);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
    await reader.pollFor(20);
    expect(reader.state).toEqual([healthy("a", "b")]);
    expect(reader.sink.updates).toHaveLength(2);
  });

  it("that is half believes the half, with what is new and what changed, at once", async () => {
    const eureka = await fake("a", "b");
    const before = await ended(eureka);
    eureka.forget((_, id) => id === "a");
    eureka.register({ app: "orders", id: "b", ip: ipOf("b"), status: "OUT_OF_SERVICE" });
    eureka.register({ app: "orders", id: "c", ip: ipOf("c") });
    const reader = await watch([eureka], before);
    expect(reader.state).toEqual(["orders: a=HEALTHY b=DRAINING c=HEALTHY"]);
  });

  it("believes the deletions that the server still tells", async () => {
    const eureka = await fake("a", "b", "c", "d");
    const before = await ended(eureka);
    eureka.cancel("orders", "d");
    const reader = await watch([eureka], before);
    expect(reader.state).toEqual([healthy("a", "b", "c")]);
  });

  it("says the same again, object for object, where nothing changed", async () => {
    const eureka = await fake("a", "b");
    const before = await ended(eureka);
    const reader = await watch([eureka], before);
    expect([...reader.sink.records.values()]).toEqual([...before.sink.records.values()]);
    expect(events(reader)).toEqual([]);
    await reader.pollFor(200);
    expect(reader.sink.updates).toHaveLength(1);
  });

  it("is of the server that lacks least of what was there, not of the one with most instances", async () => {
    const [one, two] = [await fake("a", "b"), await fake("a", "b")];
    const before = await ended(one, two);
    one.forget(() => true);
    for (const id of ["w", "x", "y", "z"]) one.register({ app: "orders", id, ip: ipOf(id) });
    const reader = await watch([one, two], before);
    expect(reader.state).toEqual([healthy("a", "b", "w", "x", "y", "z")]);
    await reader.pollFor(200);
    expect(reader.state).toEqual([healthy("a", "b", "w", "x", "y", "z")]);
  });

  it("is compared with the baseline also when it comes after failures", async () => {
    const eureka = await fake("a", "b");
    const before = await ended(eureka);
    eureka.mood = { type: "says", status: 503, body: "" };
    const reader = await watch([eureka], before);
    await reader.poll(3);
    expect(reader.sink.updates).toEqual([]);
    eureka.forget(() => true);
    eureka.mend();
    await reader.poll();
    expect(reader.state).toEqual([healthy("a", "b")]);
  });

  it("follows a new configuration, and tells what it cannot place", async () => {
    const eureka = await fake("a");
    const before = await ended(eureka);
    eureka.forget(() => true);
    const moved = await watch([eureka], before, { domain: "mesh" });
    expect([...moved.sink.records.keys()]).toEqual(["default/orders.mesh"]);
    expect(moved.state).toEqual(["orders.mesh: a=HEALTHY"]);
    const lost = await watch([eureka], before, { serviceBy: "vip" });
    expect(lost.state).toEqual([]);
    expect(lost.warnings).toEqual([
      { event: "eureka-baseline-unplaced", fields: { count: 1, examples: ["orders.eureka a/port"] } },
    ]);
  });
});
