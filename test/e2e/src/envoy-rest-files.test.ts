import { join } from "node:path";
import { rm } from "node:fs/promises";
import {
  freePort,
  get,
  signalbox,
  startDaemon,
  startEnvoy,
  startHttpBackend,
  startTraffic,
  waitFor,
  type Backend,
} from "@signalbox/test-servers";
import { afterAll, beforeAll, expect, it } from "vitest";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

let v1: Backend, v2: Backend;
beforeAll(async () => {
  [v1, v2] = await Promise.all([startHttpBackend({ name: "v1" }), startHttpBackend({ name: "v2" })]);
});
afterAll(() => Promise.all([v1.stop(), v2.stop()]));

it.each(["rest", "files"] as const)("Envoy follows the catalog by %s, and refuses nothing", async (way) => {
  const port = await freePort();
  const orders = (address: string) => ({ name: "orders", port, endpoints: [address] });
  const node = ["--node", `${way}-envoy`, "--admin-port", "0"];
  const daemon = await startDaemon({
    config: {
      registries: fileRegistry,
      ...(way === "files" ? { xds: { files: { dir: "published", node: `${way}-envoy` } } } : {}),
    },
    files: { "services.json": servicesFile([orders(v1.address)]) },
  });
  const bootstrap =
    way === "rest"
      ? signalbox("bootstrap", ...node, "--rest", "--xds-address", `127.0.0.1:${daemon.debugPort}`)
      : signalbox("bootstrap", ...node, "--files", join(daemon.dir, "published"));
  const envoy = await startEnvoy({ bootstrap });
  try {
    const routed = async () => (await get(port, hostname("orders"))).text === "v1";
    await waitFor(routed, { what: "the first request to arrive", deadlineMs: 30_000 });
    const traffic = startTraffic(port, hostname("orders"));
    const moved = traffic.next((answer) => answer.text === "v2", 30_000);
    await replaceServices(daemon, [orders(v2.address), { name: "fresh", port, endpoints: [v1.address] }]);
    await moved;
    const fresh = async () => (await get(port, hostname("fresh"))).text === "v1";
    await waitFor(fresh, { what: "the new service", deadlineMs: 30_000 });
    expect((await traffic.stop()).slice(0, 3)).toEqual([]);
    expect(await envoy.nacks()).toBe(0);
  } finally {
    await envoy.stop();
    await daemon.stop();
    await rm(join(daemon.dir, "published"), { recursive: true, force: true });
  }
});
