import { startEureka, waitFor, type RunningEureka } from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { Heartbeat } from "./eureka-heartbeat.ts";
import { EurekaReader } from "./eureka-reader.ts";
import { cancel } from "./eureka-world.ts";
import { Relay } from "./relay.ts";

const closing: (() => Promise<unknown>)[] = [];
let server: RunningEureka;
/** The network before the server, for its clients and its readers. */
let network: Relay;
let url: string;
beforeAll(async () => {
  server = await startEureka({ own: true });
  network = await Relay.open(Number(new URL(server.url).port));
  url = `http://127.0.0.1:${network.port}/eureka`;
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});
afterAll(async () => {
  await network.close();
  await server.stop();
});

// The server ends a lease that was renewed once after twice its length.
const leaseSeconds = 3;
const beatMs = 500;
const addressOf = (id: string): string => `10.0.0.${id.charCodeAt(0) - 96}:80`;

/** A client that keeps its lease alive. */
async function beating(app: string, id: string): Promise<Heartbeat> {
  const ip = addressOf(id).replace(":80", "");
  const heartbeat = await Heartbeat.start(
    { url, request: (path, options) => server.request(path, options) },
    { app, id, ip, port: 80, leaseSeconds },
    beatMs,
  );
  closing.push(async () => {
    await heartbeat.pause();
    await cancel(server, app, id);
  });
  return heartbeat;
}

function read(config: object): EurekaReader {
  const reader = new EurekaReader({ urls: url, timeoutSeconds: 1, ...config });
  closing.push(() => reader.stop());
  return reader;
}

/** Waits until the server does not list the application any more. */
async function isEvicted(app: string): Promise<void> {
  const isGone = async (): Promise<boolean> => (await server.request(`/apps/${app.toUpperCase()}`)).status === 404;
  await waitFor(isGone, { what: `the eviction of ${app}`, deadlineMs: 30_000 });
}

describe("leases that a real server ends", () => {
  it.each([
    { app: "suspended", what: "with its machine, and wakes up with leases that are over" },
    { app: "cut-off", what: "from everybody, and ends all leases meanwhile" },
  ])(
    "when it was $app $what: who lives was never gone, who is dead leaves after the hold",
    async ({ app }) => {
      const alive = await beating(app, "a");
      const dead = await beating(app, "b");
      const reader = read({ losses: { holdSeconds: 6 } });
      // Before: both are served, for longer than a lease.
      await reader.serves(app, ["a", "b"].map(addressOf));
      await reader.goodRounds(5 * (leaseSeconds + 1));

      network.lose(true);
      if (app === "suspended") server.freeze();
      await dead.pause();
      // During: nobody hears the client, which keeps trying, nor answers a reader.
      await waitFor(() => alive.unanswered * (beatMs + 500) > 2000 * leaseSeconds + 1000, {
        what: "heartbeats that nobody hears",
        deadlineMs: 30_000,
      });
      expect(reader.sink.degradations.at(-1)?.problem).toBe("UNREACHABLE");
      expect(reader.serving(app)).toEqual(["a", "b"].map(addressOf));
      await alive.pause();
      if (app === "suspended") server.thaw();
      network.lose(false);

      // After: the server has ended both leases, and says so, before it hears the client again.
      await isEvicted(app);
      const evicted = performance.now();
      await reader.goodRounds(3);
      expect(reader.serving(app)).toEqual(["a", "b"].map(addressOf));
      expect(reader.warnings).toContain("eureka-losses-held");
      expect(await alive.once()).toBe("registered");
      alive.resume(beatMs);
      await reader.serves(app, [addressOf("a")]);
      expect(performance.now() - evicted).toBeGreaterThan(4000);
      expect(reader.neverLost(app, addressOf("a"))).toBe(true);
    },
    90_000,
  );

  it("of one client that died, while the server could be heard, end it at once", async () => {
    await beating("heard", "a");
    const dead = await beating("heard", "b");
    const reader = read({ losses: { holdSeconds: 600 } });
    await reader.serves("heard", ["a", "b"].map(addressOf));
    await dead.pause();
    await reader.serves("heard", [addressOf("a")]);
    expect(reader.neverLost("heard", addressOf("a"))).toBe(true);
  }, 60_000);
});
