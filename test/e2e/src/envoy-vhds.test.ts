import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
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
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { object, textOf, to, virtualService } from "./rules.ts";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

const domain = "shop.svc.cluster.local";
const asks = { NAMESPACE: "shop", SIGNALBOX_VHDS: "true" };
const sidecar = { id: `sidecar~127.0.0.1~web.shop~${domain}`, metadata: { ...asks, INTERCEPTION_MODE: "NONE" } };
const router = { id: `router~10.0.0.9~edge.shop~${domain}`, metadata: { ...asks, LABELS: { istio: "edge" } } };
const others = Array.from({ length: 20 }, (_, at) => `other-${at}`);
const config = { registries: fileRegistry, rules: [{ files: "rules.yaml" }], log: { level: "debug" } };

interface Sent {
  readonly type: string;
  readonly resources: number;
  readonly removed: number;
}

/** The responses that the daemon sent, by its log. */
function sentBy(daemon: Daemon): readonly Sent[] {
  const lines = daemon.log().split("\n");
  return lines
    .filter((line) => line.includes('"xds-sent"'))
    .map((line) => {
      const { resourceType, resources, removed } = JSON.parse(line) as Sent & { resourceType: string };
      return { type: resourceType.slice(resourceType.lastIndexOf(".") + 1), resources, removed };
    });
}

async function writeRules(daemon: Daemon, ...objects: readonly object[]): Promise<void> {
  const path = join(daemon.dir, "rules.yaml");
  await writeFile(`${path}.new`, textOf(...objects));
  await rename(`${path}.new`, path);
}

const sendsTo = (host: string) => virtualService("orders", { http: [{ route: [to(host)] }] });

/** The route tables that an Envoy has, as text. */
async function tablesOf(envoy: RunningEnvoy): Promise<string> {
  const { configs } = await envoy.configDump();
  return JSON.stringify(configs.filter((part) => String(part["@type"]).endsWith("RoutesConfigDump")));
}

let v1: Backend, v2: Backend;
beforeAll(async () => {
  [v1, v2] = await Promise.all([startHttpBackend({ name: "v1" }), startHttpBackend({ name: "v2" })]);
});
afterAll(() => Promise.all([v1.stop(), v2.stop()]));

const servicesAt = (port: number, ...more: { readonly name: string; readonly port: number }[]) =>
  [{ name: "orders", port }, ...others.map((name) => ({ name, port })), { name: "second", port }, ...more].map(
    ({ name, port: at }) => ({ name, port: at, endpoints: [name === "second" ? v2.address : v1.address] }),
  );

describe("a sidecar that asks for virtual hosts one by one, over delta ADS", () => {
  let daemon: Daemon;
  let envoy: RunningEnvoy;
  let port: number, laterPort: number;
  let before: number;
  const since = () => sentBy(daemon).slice(before);
  const tableUpdates = () => envoy.stats("\\.rds\\.\\d+\\.update_success$");

  beforeAll(async () => {
    [port, laterPort] = (await freePorts(2)) as [number, number];
    const files = { "services.json": servicesFile(servicesAt(port)), "rules.yaml": textOf(sendsTo("orders")) };
    daemon = await startDaemon({ config, files });
    envoy = await startEnvoy({ bootstrap: adsBootstrap({ node: sidecar, xdsPort: daemon.xdsPort, mode: "delta" }) });
  });
  afterAll(async () => {
    await envoy.stop();
    await daemon.stop();
  });
  beforeEach(() => {
    before = sentBy(daemon).length;
  });

  it("is served from the first request that its listener takes", async () => {
    expect(await get(port, hostname("orders"))).toMatchObject({ status: 200, text: "v1" });
    expect(await get(port, hostname("second"))).toMatchObject({ status: 200, text: "v2" });
    expect((await get(port, "unknown.example.com")).status).toBe(502);
  });

  it("gets one virtual host when one rule changes, and its table stays", async () => {
    const tables = await tableUpdates();
    expect(tables.size).toBe(1);
    const traffic = startTraffic(port, hostname("orders"));
    const moved = traffic.next((answer) => answer.text === "v2");
    await writeRules(daemon, sendsTo("second"));
    await moved;
    expect(await traffic.stop()).toEqual([]);
    expect(since()).toEqual([{ type: "VirtualHost", resources: 1, removed: 0 }]);
    expect(await tableUpdates()).toEqual(tables);
  });

  it("gets and loses a service while others are called", async () => {
    const traffic = startTraffic(port, hostname("other-1"));
    await replaceServices(daemon, servicesAt(port, { name: "fresh", port }));
    await waitFor(async () => (await get(port, hostname("fresh"))).text === "v1", { what: "the new service" });
    await replaceServices(daemon, servicesAt(port));
    await waitFor(async () => (await get(port, hostname("fresh"))).status === 502, { what: "the service to go" });
    expect(await traffic.stop()).toEqual([]);
    expect(since().filter(({ type }) => type === "VirtualHost")).toEqual([
      { type: "VirtualHost", resources: 1, removed: 0 },
      { type: "VirtualHost", resources: 0, removed: 1 },
    ]);
  });

  it("is served at a port that comes later, from the first request, and still there when that port is gone", async () => {
    const later = { name: "later", port: laterPort };
    await replaceServices(daemon, servicesAt(port, later));
    let first = await get(laterPort, hostname("later"));
    const answered = async () => {
      first = await get(laterPort, hostname("later"));
      return first.status !== 0;
    };
    if (first.status === 0) await waitFor(answered, { what: "the later listener", deadlineMs: 10_000 });
    expect(first).toMatchObject({ status: 200, text: "v1" });
    await replaceServices(daemon, servicesAt(port));
    await waitFor(async () => (await get(laterPort, hostname("later"))).status === 0, { what: "the listener to go" });
    await replaceServices(daemon, servicesAt(port, later));
    await waitFor(answered, { what: "the later listener again", deadlineMs: 10_000 });
    expect(first).toMatchObject({ status: 200, text: "v1" });
  });

  it("loses no request when the daemon is killed, and is sent nothing that did not change meanwhile", async () => {
    const traffic = startTraffic(port, hostname("orders"));
    await traffic.next((answer) => answer.status === 200);
    await daemon.kill();
    await writeRules(daemon, sendsTo("orders"));
    const moved = traffic.next((answer) => answer.text === "v1", 30_000);
    before = sentBy(daemon).length;
    await daemon.start();
    await moved;
    expect(await traffic.stop()).toEqual([]);
    expect(since().filter(({ type }) => type !== "ClusterLoadAssignment")).toEqual([
      { type: "VirtualHost", resources: 1, removed: 0 },
    ]);
  });

  it("has what an EnvoyFilter makes of a virtual host, and gives it back, without a failed request", async () => {
    const traffic = startTraffic(port, hostname("other-1"));
    const tables = await tableUpdates();
    const teapot = {
      applyTo: "VIRTUAL_HOST",
      match: {},
      patch: {
        operation: "ADD",
        value: {
          name: "tea/pot",
          domains: ["teapot"],
          routes: [{ match: { prefix: "/" }, direct_response: { status: 418 } }],
        },
      },
    };
    await writeRules(daemon, sendsTo("orders"), {
      ...object("EnvoyFilter", "teapot", { configPatches: [teapot] }),
      apiVersion: "networking.istio.io/v1alpha3",
    });
    await waitFor(async () => (await get(port, "teapot")).status === 418, { what: "the patch" });
    await writeRules(daemon, sendsTo("orders"));
    await waitFor(async () => (await get(port, "teapot")).status === 502, { what: "the patch to go" });
    expect(await traffic.stop()).toEqual([]);
    expect(await tableUpdates()).toEqual(tables);
  });

  it("refused nothing, and the debug pages show what it has", async () => {
    expect(await envoy.nacks()).toBe(0);
    expect(daemon.log()).not.toMatch(/nack/i);
    expect(JSON.stringify(await daemon.debug("/debug/syncz"))).toContain("route.v3.VirtualHost");
    const dump = JSON.stringify(await daemon.debug(`/debug/config_dump?types=vhds&proxyID=${sidecar.id}`));
    const host = `"${port}/${hostname("orders")}:${port}"`;
    for (const text of [dump, await tablesOf(envoy)]) {
      expect(text).toContain("vhds");
      expect(text).toContain(host);
    }
  });
});

it("a router that asks for virtual hosts one by one gets its hosts as they come", async () => {
  const [port = 0, unused = 0] = await freePorts(2);
  const gateway = object("Gateway", "edge", {
    selector: router.metadata.LABELS,
    servers: [{ port: { number: port, name: "http", protocol: "HTTP" }, bind: "127.0.0.1", hosts: ["*"] }],
  });
  const at = (host: string, service: string) =>
    object("VirtualService", host, {
      hosts: [`${host}.example`],
      gateways: ["shop/edge"],
      http: [{ route: [to(service)] }],
    });
  const files = { "services.json": servicesFile(servicesAt(unused)), "rules.yaml": textOf(gateway) };
  const daemon = await startDaemon({ config, files });
  try {
    const envoy = await startEnvoy({
      bootstrap: adsBootstrap({ node: router, xdsPort: daemon.xdsPort, mode: "delta" }),
    });
    try {
      expect((await get(port, "a.example")).status).toBe(404);
      const traffic = startTraffic(port, "a.example");
      const arrived = traffic.next(({ text }) => text === "v1");
      await writeRules(daemon, gateway, at("a", "orders"));
      await arrived;
      const before = sentBy(daemon).length;
      const seen = traffic.answers.length;
      await writeRules(daemon, gateway, at("a", "orders"), at("b", "second"));
      await waitFor(async () => (await get(port, "b.example")).text === "v2", { what: "the other host" });
      await traffic.stop();
      expect(traffic.answers.slice(seen).filter(({ status }) => status !== 200)).toEqual([]);
      expect(sentBy(daemon).slice(before)).toEqual([{ type: "VirtualHost", resources: 1, removed: 0 }]);
      expect(await envoy.nacks()).toBe(0);
    } finally {
      await envoy.stop();
    }
  } finally {
    await daemon.stop();
  }
});

it.each([
  { what: "on a SotW stream", mode: "sotw", xds: {} },
  { what: "of a daemon with `xds.vhds: false`", mode: "delta", xds: { vhds: false } },
] as const)("an Envoy that asks for virtual hosts one by one $what gets whole tables", async ({ mode, xds }) => {
  const [port = 0] = await freePorts(1);
  const files = { "services.json": servicesFile(servicesAt(port)), "rules.yaml": textOf(sendsTo("orders")) };
  const daemon = await startDaemon({ config: { ...config, xds }, files });
  try {
    const envoy = await startEnvoy({ bootstrap: adsBootstrap({ node: sidecar, xdsPort: daemon.xdsPort, mode }) });
    try {
      const traffic = startTraffic(port, hostname("orders"));
      const moved = traffic.next((answer) => answer.text === "v2");
      await writeRules(daemon, sendsTo("second"));
      await moved;
      expect(await traffic.stop()).toEqual([]);
      expect(await tablesOf(envoy)).not.toContain("vhds");
      expect(sentBy(daemon).map(({ type }) => type)).not.toContain("VirtualHost");
      expect(await envoy.nacks()).toBe(0);
    } finally {
      await envoy.stop();
    }
  } finally {
    await daemon.stop();
  }
});
