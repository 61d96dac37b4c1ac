import { waitFor, type Daemon } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failuresDuring } from "./client.ts";
import { busOf, natsEngine, redisEngine, startSplit, type Split } from "./split.ts";

/** What `/readyz` says, also where it is not ready. */
async function readinessOf({ debugPort }: Daemon): Promise<{ readonly ready: boolean; readonly checks: unknown[] }> {
  const answer = await fetch(`http://127.0.0.1:${debugPort}/readyz`);
  return (await answer.json()) as { ready: boolean; checks: unknown[] };
}

describe.each([
  { name: "NATS", start: natsEngine },
  { name: "Redis", start: redisEngine },
])("discovery and publishers as processes, over $name", ({ start }) => {
  let split: Split;

  // Each test leaves all processes running, as it found them.
  beforeAll(async () => {
    split = await startSplit(start);
  });

  afterAll(async () => {
    expect((await split.stop()).slice(0, 3)).toEqual([]);
  });

  const counters = () => Promise.all(split.clients.map((client) => client.counters()));

  /** Lets traffic flow while `act` goes on. Nothing may fail, and the Envoys may be told nothing. */
  async function unnoticed(act: () => Promise<void>): Promise<void> {
    const before = await counters();
    expect(Object.keys(before[0] ?? {}).length).toBeGreaterThan(3);
    expect((await failuresDuring(split.clients, act)).slice(0, 3)).toEqual([]);
    expect(await counters()).toEqual(before);
  }

  it("brings a change to the Envoys of both publishers", async () => {
    await split.same();
    await split.change();
    await split.same();
    const [one, two] = split.clients;
    expect(await split.connected(one, split.publishers[0])).toBe(true);
    expect(await split.connected(two, split.publishers[1])).toBe(true);
  });

  it("says of each role whether it is ready, and what it does", async () => {
    const { leader, standby } = await split.ranks();
    const catalog = { name: "catalog", ready: true };
    expect(await readinessOf(leader)).toEqual({
      ready: true,
      checks: [{ name: "bus", ready: true, note: "this process leads" }, catalog],
    });
    expect(await readinessOf(standby)).toEqual({
      ready: true,
      checks: [{ name: "bus", ready: true, note: "standby: another process leads" }, catalog],
    });
    expect(await readinessOf(split.publishers[0])).toEqual({
      ready: true,
      checks: [{ name: "bus", ready: true }, catalog, { name: "xds", ready: true }],
    });
  });

  it.each(["SIGKILL", "SIGTERM"])(
    "moves the Envoys of a publisher that gets %s to the other one, and sends them nothing that did not change",
    async (signal) => {
      const [publisher, other] = split.publishers;
      const [mine] = split.clients;
      await waitFor(() => split.connected(mine, publisher), { what: "the Envoy at its own publisher" });
      await unnoticed(async () => {
        if (signal === "SIGKILL") await publisher.kill();
        else expect(await publisher.end()).toEqual({ code: 0, signal: null });
        await waitFor(() => split.connected(mine, other), { what: "the Envoy to move", deadlineMs: 30_000 });
      });
      await split.change();
      await publisher.start();
      await split.same();
      // Back to where it was, for those who come next.
      await unnoticed(async () => {
        await other.kill();
        await waitFor(() => split.connected(mine, publisher), { what: "the Envoy to return", deadlineMs: 30_000 });
      });
      await other.start();
    },
  );

  it("lets the standby take over within 10 s from a leader that was killed, and no client notices", async () => {
    const { leader, standby } = await split.ranks();
    const { revision } = await busOf(split.publishers[0]);
    await unnoticed(async () => {
      const killed = performance.now();
      await leader.kill();
      const leads = async () => (await busOf(standby)).led;
      await waitFor(leads, { what: "the standby to lead", deadlineMs: 15_000 });
      expect(performance.now() - killed).toBeLessThan(10_000);
      await split.same();
    });
    await split.anew(revision);
    await split.change();
    await leader.start();
    expect((await split.ranks()).leader).toBe(standby);
  });

  it("hands the lead over at once when the leader is asked to end", async () => {
    const { leader, standby } = await split.ranks();
    await unnoticed(async () => {
      const leads = async () => (await busOf(standby)).led;
      expect(await leader.end()).toEqual({ code: 0, signal: null });
      const ended = performance.now();
      await waitFor(leads, { what: "the standby to lead" });
      // Sooner than the lease of four seconds would have ended.
      expect(performance.now() - ended).toBeLessThan(3000);
      await split.same();
    });
    await split.change();
    await leader.start();
  });

  it("heals by itself after the engine lost all that it stored", async () => {
    const { revision } = await busOf(split.publishers[0]);
    await unnoticed(async () => {
      await split.engine.wipe();
      await split.anew(revision);
      await split.same(30_000);
    });
    await split.change();
    await split.same();
  });
});
