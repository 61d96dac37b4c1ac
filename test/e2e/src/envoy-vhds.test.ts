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
import { rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { object, textOf, to, virtualService } from "./rules.ts";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

const id = "sidecar~127.0.0.1~web.shop~shop.svc.cluster.local";
const metadata = { INTERCEPTION_MODE: "NONE", SIGNALBOX_VHDS: "true" };
const others = Array.from({ length: 20 }, (_, at) => `other-${at}`);
const virtualHosts = "type.googleapis.com/envoy.config.route.v3.VirtualHost";

/** What the daemon sent of a type, by its log. */
function sent(daemon: Daemon, type: string): readonly { readonly resources: number; readonly bytes: number }[] {
  return daemon
    .log()
    .split("\n")
    .filter((line) => line.includes('"xds-sent"') && line.includes(type))
    .map((line) => JSON.parse(line) as { resources: number; bytes: number });
}

describe("an Envoy that asks for virtual hosts one by one, over delta ADS", () => {
  let v1: Backend, v2: Backend;
  let daemon: Daemon;
  let envoy: RunningEnvoy;
  let port: number, laterPort: number;
  const shop = (...more: { name: string; port: number }[]) =>
    [{ name: "orders", port }, ...others.map((name) => ({ name, port })), { name: "second", port }, ...more].map(
      ({ name, port: at }) => ({ name, port: at, endpoints: [name === "second" ? v2.address : v1.address] }),
    );
  const rules = async (...objects: readonly object[]) => {
    const path = join(daemon.dir, "rules.yaml");
    await writeFile(`${path}.new`, textOf(...objects));
    await rename(`${path}.new`, path);
  };
  const rdsUpdates = () => envoy.stats("rds.*update_success|rds.*config_reload$");

  beforeAll(async () => {
    [v1, v2] = await Promise.all([startHttpBackend({ name: "v1" }), startHttpBackend({ name: "v2" })]);
    [port, laterPort] = (await freePorts(2)) as [number, number];
    daemon = await startDaemon({
      config: { registries: fileRegistry, rules: [{ files: "rules.yaml" }], log: { level: "debug" } },
      files: {
        "services.json": servicesFile(shop()),
        "rules.yaml": textOf(virtualService("orders", { http: [{ route: [to("orders")] }] })),
      },
    });
    envoy = await startEnvoy({
      bootstrap: adsBootstrap({ node: { id, metadata }, xdsPort: daemon.xdsPort, mode: "delta" }),
    });
  });
  afterAll(async () => {
    await envoy.stop();
    await daemon.stop();
    await Promise.all([v1.stop(), v2.stop()]);
  });

  it("is served from the first request that its listener takes", async () => {
    expect(await get(port, hostname("orders"))).toMatchObject({ status: 200, text: "v1" });
    expect(await get(port, hostname("second"))).toMatchObject({ status: 200, text: "v2" });
    expect((await get(port, "unknown.example.com")).status).toBe(502);
  });

  it("gets one virtual host when one rule changes, and its table stays", async () => {
    console.log(daemon.log().slice(-3000), JSON.stringify(await daemon.debug("/debug/syncz")));
    const before = sent(daemon, virtualHosts).length;
    const tables = await rdsUpdates();
    const traffic = startTraffic(port, hostname("orders"));
    const moved = traffic.next((answer) => answer.text === "v2");
    await rules(virtualService("orders", { http: [{ route: [to("second")] }] }));
    await moved;
    expect(await traffic.stop()).toEqual([]);
    expect(sent(daemon, virtualHosts).slice(before)).toMatchObject([{ resources: 1 }]);
    expect(await rdsUpdates()).toEqual(tables);
  });
});
