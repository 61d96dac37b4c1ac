import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiRequest } from "./api-request.ts";
import { startEureka, startEurekaPeers } from "./eureka.ts";
import type { RunningEureka } from "./eureka.ts";
import { startSpringProvider } from "./spring-provider.ts";
import { waitFor } from "./wait-for.ts";

const register = (app: string) => ({
  method: "POST",
  body: {
    instance: {
      instanceId: `${app}-1`,
      app: app.toUpperCase(),
      hostName: "127.0.0.1",
      ipAddr: "127.0.0.1",
      status: "UP",
      vipAddress: app,
      port: { $: 8080, "@enabled": "true" },
      dataCenterInfo: { "@class": "com.netflix.appinfo.InstanceInfo$DefaultDataCenterInfo", name: "MyOwn" },
    },
  },
});

const statusOf = async (eureka: RunningEureka, path: string) => (await eureka.request(path)).status;

describe("two Eureka peers", () => {
  let one: RunningEureka;
  let two: RunningEureka;
  beforeAll(async () => {
    [one, two] = await startEurekaPeers();
  });
  afterAll(async () => {
    await one.stop();
    await two.stop();
  });

  it.each(["to the second", "to the first"])("replicate %s", async (direction) => {
    const [from, to] = direction === "to the second" ? [one, two] : [two, one];
    const app = direction.replaceAll(" ", "-");
    expect((await from.request(`/apps/${app}`, register(app))).status).toBe(204);
    // Not after the next poll of some cache: in the very next answer.
    expect(await statusOf(from, `/apps/${app}`)).toBe(200);
    const arrived = async () => (await statusOf(to, `/apps/${app}`)) === 200;
    await waitFor(arrived, { what: "the instance at the peer", deadlineMs: 60_000 });
  });

  it("the frozen one answers again after it is thawed", async () => {
    one.freeze();
    await expect(one.request("/apps", { timeoutMs: 300 })).rejects.toThrow();
    one.thaw();
    expect(await statusOf(one, "/apps")).toBe(200);
  });

  it("a killed one has forgotten what it was told after its restart, while the other keeps what it has", async () => {
    await two.request("/apps/kept", register("kept"));
    await one.kill();
    await expect(one.request("/apps")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await one.restart();
    // What the other one itself was told may come again: it repeats what was not acknowledged in time.
    expect(await statusOf(one, "/apps/to-the-second")).toBe(404);
    for (const app of ["to-the-second", "kept"]) expect(await statusOf(two, `/apps/${app}`)).toBe(200);
  });
});

describe("Eureka", () => {
  let eureka: RunningEureka;
  beforeAll(async () => {
    eureka = await startEureka({ tls: true, basicAuth: "signalbox:secret" });
  });
  afterAll(() => eureka.stop());

  it("serves HTTPS with a certificate of its own authority to those who know the password", async () => {
    expect(eureka.url).toMatch(/^https:/);
    expect(await statusOf(eureka, "/apps")).toBe(200);
    await expect(apiRequest(`${eureka.url}/apps`)).rejects.toThrow(/certificate/);
    expect((await apiRequest(`${eureka.url}/apps`, { ...(eureka.tls && { tls: eureka.tls }) })).status).toBe(401);
  });

  // Three starts of a Java program on a machine that may be busy.
  it(
    "lists a provider from its start to its orderly end, and a crashed one until its lease is over",
    { timeout: 300_000 },
    async () => {
      const plain = await startEureka({ own: true });
      const provider = await startSpringProvider({
        eurekaUrl: plain.url,
        name: "payments",
        metadata: { version: "v2", "signalbox.zone": "a" },
      });
      const path = `/apps/PAYMENTS/${provider.instanceId}`;
      const listed = async (status: number) =>
        waitFor(async () => (await statusOf(plain, path)) === status, {
          what: `${path} to give ${status}`,
          deadlineMs: 60_000,
        });
      try {
        await listed(200);
        expect((await plain.request(path)).json()).toMatchObject({
          instance: {
            ipAddr: "127.0.0.1",
            port: { $: provider.port },
            metadata: { version: "v2", "signalbox.zone": "a" },
          },
        });
        const answer = await apiRequest(provider.url);
        expect(answer.json()).toMatchObject({ name: "payments", port: provider.port });
        await provider.kill();
        expect(await statusOf(plain, path)).toBe(200);
        await listed(404);
        await provider.restart();
        await listed(200);
      } finally {
        await provider.stop();
        expect(await statusOf(plain, path)).toBe(404);
        await plain.stop();
      }
    },
  );
});
