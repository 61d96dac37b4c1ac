import {
  startEureka,
  startEurekaPeers,
  startSpringProvider,
  waitFor,
  type RunningEureka,
} from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { JsRegistration } from "./eureka-js-client.ts";
import { EurekaReader } from "./eureka-reader.ts";
import { EurekaSignalbox, TextArchive } from "./eureka-signalbox.ts";
import { cancel, register } from "./eureka-world.ts";

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

function read(config: object): EurekaReader {
  const reader = new EurekaReader({ timeoutSeconds: 2, ...config });
  closing.push(() => reader.stop());
  return reader;
}

const ids = ["a", "b", "c"] as const;
const addressOf = (id: string): string => `10.0.0.${id.charCodeAt(0) - 96}:80`;
const all = ids.map(addressOf);

/** Nobody sends heartbeats for these; their leases last longer than any test. */
async function put(server: RunningEureka, app: string, names: readonly string[] = ids): Promise<void> {
  for (const id of names) await register(server, { app, id, ip: addressOf(id).replace(":80", ""), port: 80 });
}

async function clear(server: RunningEureka, app: string): Promise<void> {
  for (const id of ids) await cancel(server, app, id);
}

/** How many instances a server lists. */
async function listed(server: RunningEureka): Promise<number> {
  const { applications } = (await server.request("/apps")).json() as {
    applications: { application: readonly { instance: readonly unknown[] }[] };
  };
  return applications.application.reduce((sum, { instance }) => sum + instance.length, 0);
}

/** Registers with one peer until the other one has it, too: a replication that meets a busy machine is given up. */
async function putInBoth(one: RunningEureka, two: RunningEureka, app: string): Promise<void> {
  const isInBoth = async (): Promise<boolean> => {
    await put(one, app);
    return (await listed(two)) === ids.length;
  };
  await waitFor(isInBoth, { what: "the replication", deadlineMs: 60_000, intervalMs: 1000 });
}

describe("one server", () => {
  let server: RunningEureka;

  beforeAll(async () => {
    server = await startEureka({ own: true });
  });

  afterAll(async () => {
    await server.stop();
  });

  it("that is killed and comes back empty loses nobody who registers again, and nobody too early", async () => {
    await put(server, "killed");
    const reader = read({ urls: server.url, losses: { holdSeconds: 4 } });
    // Before: all are served.
    await reader.serves("killed", all);

    await server.kill();
    // During: the source is unreachable, and all are served.
    await reader.failedRound();
    expect(reader.sink.degradations.at(-1)?.problem).toBe("UNREACHABLE");
    expect(reader.serving("killed")).toEqual(all);

    await server.restart();
    const back = performance.now();
    expect(await listed(server)).toBe(0);
    // After: it answers well, and knows nobody.
    await reader.goodRounds(3);
    expect(reader.serving("killed")).toEqual(all);
    expect(reader.warnings).toContain("eureka-losses-held");
    await put(server, "killed", ["a", "b"]);
    // The one that really went while nobody could tell leaves when the time is over, and alone.
    await reader.serves("killed", all.slice(0, 2));
    expect(performance.now() - back).toBeGreaterThan(3_500);
    expect(reader.neverLost("killed", addressOf("a"))).toBe(true);
    expect(reader.neverLost("killed", addressOf("b"))).toBe(true);
    expect(reader.neverLost("killed", addressOf("c"))).toBe(false);
    await clear(server, "killed");
  });

  it("that freezes in the middle and thaws costs nothing but time", async () => {
    await put(server, "frozen");
    const reader = read({ urls: server.url, timeoutSeconds: 1 });
    // Before: all are served.
    await reader.serves("frozen", all);
    const updates = reader.sink.updates.length;

    server.freeze();
    // During: no answer within the time, and nothing is said of services.
    await reader.failedRound();
    await reader.failedRound();
    expect(reader.sink.degradations.at(-1)?.problem).toBe("UNREACHABLE");
    expect(reader.serving("frozen")).toEqual(all);

    server.thaw();
    // After: good reads without news, and changes arrive again.
    await reader.goodRounds(2);
    expect(reader.sink.updates).toHaveLength(updates);
    await cancel(server, "frozen", "c");
    await reader.serves("frozen", all.slice(0, 2));
    await clear(server, "frozen");
  });

  it.each(["at-deadline", "at-once"] as const)(
    "that restarts empty together with Signalbox loses nobody who registers again (restored %s)",
    async (restore) => {
      const archive = new TextArchive();
      const config = { urls: server.url, losses: { holdSeconds: 5 } };
      const live = (): EurekaSignalbox => {
        const life = new EurekaSignalbox(config, { archive, restore });
        closing.push(() => life.stop());
        return life;
      };
      const app = `both-${restore}`;
      const client = { url: server.url, app, id: "a", ip: "10.0.0.1", port: 80 };
      const alive = await JsRegistration.start(client);
      closing.push(() => alive.stop());
      await put(server, app, ["b", "c"]);
      const before = live();
      // Before: all are published.
      await before.serves(app, all);

      await server.kill();
      await before.stop();
      await server.restart();
      expect(await listed(server)).toBe(0);
      const after = live();
      const began = performance.now();
      // During: the server answers well from the first read on, and knows nobody.
      await after.reads(3);
      await after.serves(app, all);
      await alive.again();
      await put(server, app, ["b"]);

      // After: who came back was there all the time; who never came leaves when the time is over.
      await after.serves(app, all.slice(0, 2));
      expect(performance.now() - began).toBeGreaterThan(4_500);
      expect(after.alwaysServed(app, addressOf("a"))).toBe(true);
      expect(after.alwaysServed(app, addressOf("b"))).toBe(true);
      await clear(server, app);
    },
    60_000,
  );

  it("that restarts is empty until an application's heartbeat brings it back, which nobody notices", async () => {
    const provider = await startSpringProvider({ eurekaUrl: server.url, name: "beating", host: "127.0.0.4" });
    closing.push(() => provider.stop());
    const address = `${provider.host}:${provider.port}`;
    const reader = read({ urls: server.url });
    // Before: it is served.
    await reader.serves("beating", [address], 60_000);

    await server.restart();
    // During: whether the server knew it already again or not at a given read, it was served.
    await reader.goodRounds(1);
    expect(reader.serving("beating")).toEqual([address]);

    // After: the application registered again by itself, and was never gone.
    await waitFor(async () => (await listed(server)) === 1, { what: "the next heartbeat", deadlineMs: 60_000 });
    await reader.goodRounds(5);
    expect(reader.serving("beating")).toEqual([address]);
    expect(reader.neverLost("beating", address)).toBe(true);
  }, 120_000);
});

describe("two peers", () => {
  it("of which one restarts empty: neither it, nor it alone, makes an endpoint leave", async () => {
    const [one, two] = await startEurekaPeers();
    closing.push(() => Promise.all([one.stop(), two.stop()]));
    await putInBoth(one, two, "paired");
    const reader = read({ urls: [one.url, two.url], timeoutSeconds: 1, losses: { holdSeconds: 600 } });
    // Before: all are served.
    await reader.serves("paired", all);

    await one.kill();
    // During: the other one is read in the same round, so that there is not one failed read.
    await reader.goodRounds(2);
    expect(reader.sink.degradations).toEqual([]);
    expect(reader.serving("paired")).toEqual(all);

    await one.restart();
    expect(await listed(one)).toBe(0);
    await reader.goodRounds(3);
    expect(reader.serving("paired")).toEqual(all);

    two.freeze();
    // The empty one is the only one that answers now. It is read, and not believed.
    await waitFor(() => reader.warnings.includes("eureka-losses-held"), { what: "held losses", deadlineMs: 30_000 });
    await reader.goodRounds(2);
    expect(reader.serving("paired")).toEqual(all);

    two.thaw();
    // After: the comparison leads back to the one that holds all, and its word counts again.
    await waitFor(() => reader.warnings.includes("eureka-peer-partial"), { what: "a comparison", deadlineMs: 30_000 });
    await reader.goodRounds(2);
    expect(reader.serving("paired")).toEqual(all);
    await cancel(two, "paired", "c");
    await reader.serves("paired", all.slice(0, 2));
    for (const id of ["a", "b"]) expect(reader.neverLost("paired", addressOf(id))).toBe(true);
    expect(reader.sink.degradations).toEqual([]);
  }, 240_000);

  it("of which both restart, one after the other: nobody who registers again is lost", async () => {
    const [one, two] = await startEurekaPeers();
    closing.push(() => Promise.all([one.stop(), two.stop()]));
    await putInBoth(one, two, "rolled");
    const reader = read({ urls: [one.url, two.url] });
    // Before: all are served.
    await reader.serves("rolled", all);

    await one.restart();
    await two.restart();
    // During: both answer, and neither knows anybody.
    expect([await listed(one), await listed(two)]).toEqual([0, 0]);
    await reader.goodRounds(3);
    expect(reader.serving("rolled")).toEqual(all);

    await put(two, "rolled");
    // After: nothing is held any more, and nobody was ever gone.
    await reader.goodRounds(5);
    expect(reader.serving("rolled")).toEqual(all);
    for (const id of ids) expect(reader.neverLost("rolled", addressOf(id))).toBe(true);
  }, 240_000);
});
