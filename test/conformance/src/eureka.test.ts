import { eurekaModule } from "@signalbox/adapter-eureka";
import { noMetrics, silentLogger, systemClock } from "@signalbox/registry";
import { describeRegistry } from "@signalbox/registry/conformance";
import { startEureka, startSpringProvider, type RunningEureka } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { EurekaReader } from "./eureka-reader.ts";
import { EurekaWorld, register } from "./eureka-world.ts";

let server: RunningEureka;

beforeAll(async () => {
  server = await startEureka({ own: true });
});

afterAll(async () => {
  await server.stop();
});

describeRegistry<EurekaWorld>({
  name: "eureka, against a real server",
  world: () => EurekaWorld.open(server),
  create: ({ url }, deps) => eurekaModule.create(eurekaModule.parseConfig({ urls: url }), deps),
  supports: {
    deltas: true,
    workloads: false,
    objects: false,
    truncation: true,
    secrets: false,
    emptyServices: false,
    backoff: true,
    problems: ["UNREACHABLE"],
    malformed: ["port", "weight", "address"],
    labelKeys: ["__proto__", "constructor", "toString"],
  },
  deadlineMs: 30_000,
  quietMs: 100,
});

describe("a Spring Cloud application", () => {
  it("is served from its registration to its orderly end, and for no longer than its lease after a crash", async () => {
    const reader = new EurekaReader({ urls: server.url });
    const [orderly, crashing] = await Promise.all([
      startSpringProvider({
        eurekaUrl: server.url,
        name: "shop",
        host: "127.0.0.2",
        metadata: { version: "v1", zone: "z1" },
      }),
      startSpringProvider({ eurekaUrl: server.url, name: "shop", host: "127.0.0.3" }),
    ]);
    try {
      const addresses = [orderly, crashing].map(({ host, port }) => `${host}:${port}`);
      await reader.serves("shop", addresses, 60_000);
      const [record] = [...reader.sink.records.values()].filter(({ service }) => service.hostname === "shop.eureka");
      const instance = record?.instances.find(({ id }) => id === `${orderly.instanceId}/port`);
      expect(instance).toMatchObject({
        labels: { version: "v1", zone: "z1", "management.port": String(orderly.port) },
        locality: { region: "", zone: "z1", subzone: "" },
        tls: "disabled",
        weight: 1,
      });
      expect(record?.service.ports.map(({ protocol }) => protocol)).toEqual(["HTTP", "HTTP"]);

      await crashing.kill();
      // Alive for the server until the lease has ended: the adapter says what the source says.
      await reader.serves("shop", addresses.slice(0, 1), 60_000);
      await orderly.stop();
      await reader.sink.waitFor(({ records }) => ![...records.keys()].some((key) => key.includes("shop")), 60_000);
      expect(reader.sink.degradations).toEqual([]);
    } finally {
      await Promise.all([orderly.stop(), crashing.stop(), reader.stop()]);
    }
  }, 240_000);
});

describe("withdrawing an instance", () => {
  it("cancels a registration that the server keeps beyond its lease, and none that is renewed or is another one now", async () => {
    const preserving = await startEureka({ own: true, properties: { "eureka.server.enable-self-preservation": true } });
    const reader = new EurekaReader({ urls: preserving.url });
    const registry = eurekaModule.create(eurekaModule.parseConfig({ urls: preserving.url }), {
      ...{ name: "real", logger: silentLogger, metrics: noMetrics, clock: systemClock, baseDir: "/" },
    });
    try {
      const instances = ["a", "b:x", "c", "d"].map((id, index) => ({ id, ip: `10.0.1.${index + 1}` }));
      const registerOne = ({ id, ip }: { readonly id: string; readonly ip: string }) =>
        register(preserving, { app: "haunted", id, ip, port: 80, leaseSeconds: id === "a" ? 300 : 1 });
      for (const instance of instances) await registerOne(instance);
      await reader.serves(
        "haunted",
        instances.map(({ ip }) => `${ip}:80`),
      );
      const listed = reader.sink.records.get("default/haunted.eureka" as never)?.instances ?? [];
      const withdraw = (ip: string) => {
        const ghost = listed.find(({ addresses: [first] }) => first.type === "ip" && first.ip === ip);
        if (ghost === undefined) throw new Error(`${ip} is not listed`);
        return registry.withdraw?.(ghost, AbortSignal.timeout(10_000));
      };
      expect(await withdraw("10.0.1.1")).toMatchObject({ type: "kept" });
      // Another instance by the same id.
      await register(preserving, { app: "haunted", id: "d", ip: "10.0.1.9", port: 80, leaseSeconds: 1 });
      await expect.poll(() => withdraw("10.0.1.2"), { timeout: 20_000, interval: 500 }).toEqual({ type: "done" });
      expect(await withdraw("10.0.1.4")).toMatchObject({ type: "kept" });
      await reader.serves("haunted", ["10.0.1.1:80", "10.0.1.3:80", "10.0.1.9:80"]);
      expect(await withdraw("10.0.1.2")).toEqual({ type: "gone" });
    } finally {
      await reader.stop();
      await preserving.stop();
    }
  }, 240_000);
});

describe("a server with settings of its own", () => {
  it("is read over TLS with its authority, and not at all without", async () => {
    const secure = await startEureka({ own: true, tls: true });
    const trusting = new EurekaReader({ urls: secure.url, tls: { ca: { file: secure.tls?.caFile } } });
    const wary = new EurekaReader({ urls: secure.url });
    try {
      await trusting.goodRounds(2);
      await wary.failedRound();
      expect(wary.sink.updates).toEqual([]);
    } finally {
      await Promise.all([trusting.stop(), wary.stop()]);
      await secure.stop();
    }
  }, 240_000);

  it("is read in full where its delta is switched off", async () => {
    const plain = await startEureka({ own: true, properties: { "eureka.server.disable-delta": true } });
    const world = await EurekaWorld.open(plain);
    const reader = new EurekaReader({ urls: plain.url });
    try {
      const instances = ["a", "b", "c", "d"].map((name, index) => ({ name, ip: `10.0.0.${index + 1}` }));
      await world.set({ name: "full", port: 80, instances });
      await reader.serves(
        "full",
        instances.map(({ ip }) => `${ip}:80`),
      );
      await world.set({ name: "full", port: 80, instances: instances.slice(1) });
      await reader.serves(
        "full",
        instances.slice(1).map(({ ip }) => `${ip}:80`),
      );
      expect(reader.sink.degradations).toEqual([]);
    } finally {
      await reader.stop();
      await world.close();
      await plain.stop();
    }
  }, 240_000);
});
