import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import { freePort, startDaemon, startHttpBackend, waitFor, type Backend, type Daemon } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { failuresDuring, startClient, type Client } from "./client.ts";
import { metric } from "./metric.ts";
import { fileRegistry, replaceServices, servicesFile } from "./services.ts";

/** The processes that a daemon started. */
function workersOf(daemon: Daemon): readonly number[] {
  const text = readFileSync(`/proc/${daemon.pid()}/task/${daemon.pid()}/children`, "utf8");
  return text.split(" ").filter(Boolean).map(Number);
}

/** The connected clients, each with the place of its worker. */
async function clientsOf(daemon: Daemon): Promise<readonly { readonly id: string; readonly worker: number }[]> {
  const { clients = [] } = (await daemon.debug("/debug/adsz")) as {
    clients?: { node: string; connectionId: string; watches: Record<string, string[]> }[];
  };
  for (const { watches } of clients) expect(Object.values(watches).flat()).toContain("*");
  // Each worker numbers its streams from a thousand millions of its own.
  const streamOf = (connectionId: string) => Number(/\d+$/.exec(connectionId)?.[0]);
  return clients.map(({ connectionId, node }) => ({ id: node, worker: Math.floor(streamOf(connectionId) / 1e9) }));
}

describe("signalbox run --workers 2", () => {
  const stops: (() => Promise<unknown>)[] = [];
  let daemon: Daemon;
  let v1: Backend;
  let v2: Backend;
  let port: number;
  let clients: readonly Client[];

  const leadTo = (backend: Backend) =>
    replaceServices(daemon, [{ name: "orders", port, endpoints: [backend.address] }]);

  beforeAll(async () => {
    v1 = await startHttpBackend({ name: "v1" });
    stops.push(() => v1.stop());
    v2 = await startHttpBackend({ name: "v2" });
    stops.push(() => v2.stop());
    port = await freePort();
    daemon = await startDaemon({
      command: ["run", "--workers", "2"],
      config: { registries: fileRegistry },
      files: { "services.json": servicesFile([{ name: "orders", port, endpoints: [v1.address] }]) },
    });
    stops.push(() => daemon.stop());
    await waitFor(() => daemon.log().includes('"listening"'), { what: "both workers to listen", deadlineMs: 30_000 });
    const started: Client[] = [];
    for (const [index, address] of ["127.0.0.1", "127.0.0.2", "127.0.0.3"].entries()) {
      const client = await startClient({
        id: `envoy-${index}`,
        address,
        xdsPorts: [daemon.xdsPort],
        service: "orders",
        port,
      });
      stops.push(() => client.stop());
      started.push(client);
    }
    clients = started;
  });

  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  it("serves clients from both, and shows them as one server does", async () => {
    const connected = await clientsOf(daemon);
    expect(connected.map(({ id }) => id).sort()).toEqual(["envoy-0", "envoy-1", "envoy-2"]);
    expect(new Set(connected.map(({ worker }) => worker))).toEqual(new Set([0, 1]));
    const synced = JSON.stringify(await daemon.debug("/debug/syncz"));
    for (const { id } of clients) expect(synced).toContain(id);
    expect(await metric(daemon, "pilot_xds")).toBe(3);
    expect(await metric(daemon, "signalbox_xds_streams_total")).toBe(3);
    expect(await metric(daemon, "pilot_services")).toBe(1);
  });

  it("brings a change to the clients of both", async () => {
    const moved = clients.map(({ traffic }) => traffic.next(({ text }) => text === "v2"));
    await Promise.all([leadTo(v2), ...moved]);
  });

  it("serves the clients of one that was killed again, without a failed request or a push of what did not change", async () => {
    const counters = () => Promise.all(clients.map((client) => client.counters()));
    const before = await counters();
    const [killed = 0] = workersOf(daemon);
    const failures = await failuresDuring(clients, async () => {
      process.kill(killed, "SIGKILL");
      const again = async () => {
        const workers = workersOf(daemon);
        return workers.length === 2 && !workers.includes(killed) && (await clientsOf(daemon)).length === 3;
      };
      await waitFor(again, { what: "another worker and all clients", deadlineMs: 30_000 });
    });
    expect(failures.slice(0, 3)).toEqual([]);
    expect(await counters()).toEqual(before);
    expect(daemon.log()).toContain('"worker-ended"');
    const moved = clients.map(({ traffic }) => traffic.next(({ text }) => text === "v1"));
    await Promise.all([leadTo(v1), ...moved]);
    expect(await metric(daemon, "pilot_xds")).toBe(3);
  });

  it("says that a taken port is taken, and names its key", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const { port: taken } = server.address() as { port: number };
    const starting = startDaemon({
      command: ["run", "--workers", "2"],
      config: { registries: [], xds: { plaintext: { port: taken } } },
    });
    await expect(starting).rejects.toThrow(
      /code 1[^]*xds\.plaintext\.port: .*EADDRINUSE.*does another Signalbox run here\?/,
    );
    await new Promise((resolve) => server.close(resolve));
  });

  it("takes leave of all clients on SIGTERM, and leaves no process behind", async () => {
    const workers = workersOf(daemon);
    expect(workers).toHaveLength(2);
    const failures = await failuresDuring(clients, async () => {
      expect(await daemon.end()).toEqual({ code: 0, signal: null });
    });
    expect(failures.slice(0, 3)).toEqual([]);
    for (const worker of workers) expect(() => process.kill(worker, 0)).toThrow("ESRCH");
  });
});
