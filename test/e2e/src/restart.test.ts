import {
  adsBootstrap,
  freePort,
  startDaemon,
  startEnvoy,
  startHttpBackend,
  startTraffic,
  waitFor,
} from "@signalbox/test-servers";
import { expect, it } from "vitest";
import { fileRegistry, hostname, replaceServices, servicesFile } from "./services.ts";

const updates =
  /^(cluster_manager\.cds|listener_manager\.lds|http\..*rds.*|cluster\.outbound.*)\.update_(success|rejected)/;

it.each(["sotw", "delta"] as const)(
  "killing the daemon under a connected Envoy loses no request and sends nothing that did not change (%s)",
  async (mode) => {
    const [v1, v2] = await Promise.all([startHttpBackend({ name: "v1" }), startHttpBackend({ name: "v2" })]);
    const port = await freePort();
    const services = (address: string) => [
      { name: "orders", port, endpoints: [address] },
      { name: "other", port, endpoints: [v1.address] },
    ];
    const daemon = await startDaemon({
      config: { registries: fileRegistry },
      files: { "services.json": servicesFile(services(v1.address)) },
    });
    const node = { id: "restart-test" };
    const envoy = await startEnvoy({ bootstrap: adsBootstrap({ node, xdsPort: daemon.xdsPort, mode }) });
    const connected = async () => JSON.stringify(await daemon.debug("/debug/syncz")).includes(node.id);
    const counters = async () =>
      Object.fromEntries([...(await envoy.stats("update_"))].filter(([name]) => updates.test(name)));
    try {
      const traffic = startTraffic(port, hostname("orders"));
      await traffic.next((answer) => answer.status === 200);
      const before = await counters();
      expect(Object.keys(before).length).toBeGreaterThan(3);
      for (let round = 0; round < 2; round++) {
        await daemon.kill();
        await traffic.next((answer) => answer.status === 200);
        await daemon.start();
        await waitFor(connected, { what: "Envoy to come back", deadlineMs: 30_000 });
      }
      const moved = traffic.next((answer) => answer.text === "v2");
      await replaceServices(daemon, services(v2.address));
      await moved;
      const after = await counters();
      const changed = Object.keys(after).filter((name) => after[name] !== before[name]);
      expect(changed).toEqual([`cluster.outbound|${port}||${hostname("orders")}.update_success`]);
      expect((await traffic.stop()).slice(0, 3)).toEqual([]);
      expect(await envoy.nacks()).toBe(0);
    } finally {
      await envoy.stop();
      await daemon.stop();
      await Promise.all([v1.stop(), v2.stop()]);
    }
  },
);
