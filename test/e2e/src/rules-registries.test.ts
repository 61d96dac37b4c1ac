import { freePort, startConsul, startEureka, type RunningConsul, type RunningEureka } from "@signalbox/test-servers";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { call, calls, shares } from "./call.ts";
import { startEcho, type EchoBackend } from "./echo-backend.ts";
import { destinationRule, startShop, to, virtualService, type Shop } from "./rules.ts";
import { hostname } from "./services.ts";

const names = { static: hostname("ratings"), consul: "ratings.service.consul", eureka: "ratings.eureka" } as const;

describe("rules for services of every registry", () => {
  const stops: (() => Promise<unknown>)[] = [];
  let shop: Shop;
  let servicePort: number;

  beforeAll(async () => {
    const start = async (version: string) => {
      const backend = await startEcho({ service: "ratings", version });
      stops.push(() => backend.stop());
      return backend;
    };
    const both = async () => [await start("v1"), await start("v2")];
    const [inFiles, inConsul, inEureka] = [await both(), await both(), await both()];
    const [consul, eureka] = await Promise.all([startConsul({ own: true }), startEureka({ own: true })]);
    stops.push(
      () => consul.stop(),
      () => eureka.stop(),
    );
    for (const backend of inConsul) await registerInConsul(consul, backend);
    for (const backend of inEureka) await registerInEureka(eureka, backend);
    servicePort = await freePort();
    shop = await startShop({
      services: [{ name: "ratings", port: servicePort, endpoints: inFiles }],
      registries: [
        { provider: "consul", name: "consul", url: consul.url, servicePort, defaultProtocol: "http" },
        { provider: "eureka", name: "eureka", urls: eureka.url, servicePort },
      ],
    });
    stops.push(() => shop.stop());
  });
  afterAll(async () => {
    for (const stop of stops.reverse()) await stop();
  });

  it.each(["static", "consul", "eureka"] as const)(
    "of %s divide calls by the versions of its instances",
    async (kind) => {
      const host = names[kind];
      const at = { port: servicePort, host };
      await shop.apply();
      expect(Object.keys(shares(await calls(60, at)))).toEqual(["v1", "v2"]);
      const rules = (first: number, second: number) => [
        destinationRule(host, ["v1", "v2"]),
        virtualService(host, { http: [{ route: [to(host, "v1", first), to(host, "v2", second)] }] }),
      ];
      await shop.apply(...rules(0, 100));
      expect(shares(await calls(60, at))).toEqual({ v2: 100 });
      await shop.apply(...rules(75, 25));
      const { v1 = 0, v2 = 0 } = shares(await calls(2000, at));
      expect(v1 + v2).toBe(100);
      // Four standard deviations of this many.
      expect(Math.abs(v1 - 75)).toBeLessThan(4);
      expect((await call({ ...at, host: "nobody.example.com" })).echo).toBeUndefined();
    },
  );

  it("were all by configurations that nobody refused", () => shop.expectNoRefusal());
});

async function registerInConsul(consul: RunningConsul, { port, version }: EchoBackend): Promise<void> {
  const body = { ID: `ratings-${version}`, Name: "ratings", Address: "127.0.0.1", Port: port, Meta: { version } };
  const { status } = await consul.request("/v1/agent/service/register", { method: "PUT", body });
  expect(status).toBe(200);
}

async function registerInEureka(eureka: RunningEureka, { port, version }: EchoBackend): Promise<void> {
  const instance = {
    instanceId: `ratings-${version}`,
    hostName: "127.0.0.1",
    ...{ app: "RATINGS", vipAddress: "ratings", ipAddr: "127.0.0.1", status: "UP" },
    port: { $: port, "@enabled": "true" },
    dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    metadata: { version },
  };
  const { status } = await eureka.request("/apps/RATINGS", { method: "POST", body: { instance } });
  expect(status).toBe(204);
}
