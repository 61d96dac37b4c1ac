import {
  adsBootstrap,
  freePorts,
  get,
  startDaemon,
  startEnvoy,
  startHttpBackend,
  startTraffic,
  waitFor,
  type Backend,
  type Daemon,
  type RunningEnvoy,
} from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

const clients = [
  {
    kind: "a sidecar that binds its listeners",
    id: "sidecar~127.0.0.1~web.shop~shop.svc.cluster.local",
    metadata: { INTERCEPTION_MODE: "NONE" },
  },
  { kind: "a plain Envoy", id: "some-envoy", metadata: {} },
];
const cases = (["sotw", "delta"] as const).flatMap((mode) => clients.map((client) => ({ mode, ...client })));

describe.each(cases)("$kind over $mode ADS", ({ mode, id, metadata }) => {
  let v1: Backend, v2: Backend, other: Backend;
  let daemon: Daemon;
  let envoy: RunningEnvoy;
  let httpPort: number, secondPort: number, tcpPort: number;
  const base = () => [
    { name: "other", port: httpPort, endpoints: [other.address] },
    { name: "second", port: secondPort, protocol: "HTTP2", endpoints: [] },
    { name: "database", port: tcpPort, protocol: "TCP", endpoints: [other.address] },
  ];
  const orders = (...endpoints: string[]) => [{ name: "orders", port: httpPort, endpoints }, ...base()];

  beforeAll(async () => {
    [v1, v2, other] = await Promise.all([
      startHttpBackend({ name: "v1" }),
      startHttpBackend({ name: "v2" }),
      startHttpBackend({ name: "other" }),
    ]);
    [httpPort, secondPort, tcpPort] = (await freePorts(3)) as [number, number, number];
    daemon = await startDaemon({
      config: { registries: fileRegistry },
      files: { "services.json": servicesFile(orders(v1.address)) },
    });
    envoy = await startEnvoy({ bootstrap: adsBootstrap({ node: { id, metadata }, xdsPort: daemon.xdsPort, mode }) });
    await waitFor(async () => (await get(httpPort, `${hostname("orders")}:${httpPort}`)).status === 200, {
      what: "the first request to arrive",
    });
  });
  afterAll(async () => {
    await envoy.stop();
    await daemon.stop();
    await Promise.all([v1, v2, other].map((backend) => backend.stop()));
  });

  it("routes by the full name with and without the port", async () => {
    expect(await get(httpPort, `${hostname("orders")}:${httpPort}`)).toMatchObject({ status: 200, text: "v1" });
    expect(await get(httpPort, hostname("other"))).toMatchObject({ status: 200, text: "other" });
  });

  it("passes TCP through to a service without a virtual address", async () => {
    expect(await get(tcpPort, "whatever")).toMatchObject({ status: 200, text: "other" });
  });

  it("answers 503 for a service without endpoints", async () => {
    expect(await get(secondPort, hostname("second"))).toMatchObject({ status: 503 });
  });

  it("moves live traffic when the file changes, without a failed request and without touching clusters", async () => {
    const clusters = () => envoy.stats("cluster_manager.cds.update_success");
    const before = await clusters();
    const traffic = startTraffic(httpPort, hostname("orders"));
    await traffic.next((answer) => answer.text === "v1");
    const arrived = traffic.next((answer) => answer.text === "v2");
    await replaceServices(daemon, orders(v2.address));
    await arrived;
    const back = traffic.next((answer) => answer.text === "v1");
    await replaceServices(daemon, orders(v1.address));
    await back;
    expect(await traffic.stop()).toEqual([]);
    expect(await clusters()).toEqual(before);
  });

  it("adds and removes a service while others are called", async () => {
    const traffic = startTraffic(httpPort, hostname("other"));
    await replaceServices(daemon, [...orders(v1.address), { name: "fresh", port: httpPort, endpoints: [v2.address] }]);
    await waitFor(async () => (await get(httpPort, hostname("fresh"))).text === "v2", { what: "the new service" });
    await replaceServices(daemon, orders(v1.address));
    await waitFor(async () => (await get(httpPort, hostname("fresh"))).text !== "v2", { what: "the service to go" });
    await waitFor(async () => !JSON.stringify(await envoy.configDump()).includes("|fresh.shop"), {
      what: "the cluster to go",
    });
    expect(await traffic.stop()).toEqual([]);
  });

  it("refused nothing, and the server knows it", async () => {
    expect(await envoy.nacks()).toBe(0);
    const synced = JSON.stringify(await daemon.debug("/debug/syncz"));
    expect(synced).toContain(id);
    expect(daemon.log()).not.toMatch(/nack/i);
    const watched = JSON.stringify(await daemon.debug("/debug/adsz"));
    expect(watched).toContain(`"outbound|${httpPort}||${hostname("orders")}"`);
  });
});
