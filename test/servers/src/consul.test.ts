import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiRequest } from "./api-request.ts";
import { startConsul } from "./consul.ts";
import type { RunningConsul } from "./consul.ts";

const web = { Node: "shop-1", Address: "10.9.9.9", Service: { Service: "web", Port: 8080 } };
const put = (body: unknown) => ({ method: "PUT", body });

describe("Consul in memory", () => {
  let consul: RunningConsul;
  beforeAll(async () => {
    consul = await startConsul({ own: true });
  });
  afterAll(() => consul.stop());

  const names = async () => Object.keys((await consul.request("/v1/catalog/services")).json() as object);

  it("answers a waiting query when the catalogue changes", async () => {
    const before = await consul.request("/v1/health/service/web");
    const index = String(before.headers["x-consul-index"]);
    const waiting = consul.request(`/v1/health/service/web?index=${index}&wait=60s`, { timeoutMs: 70_000 });
    expect((await consul.request("/v1/catalog/register", put(web))).status).toBe(200);
    expect((await waiting).json()).toMatchObject([{ Node: { Node: "shop-1" }, Service: { Port: 8080 } }]);
  });

  it("answers nothing while it is frozen, and all of it afterwards", async () => {
    consul.freeze();
    await expect(consul.request("/v1/catalog/services", { timeoutMs: 300 })).rejects.toThrow();
    consul.thaw();
    expect(await names()).toContain("web");
  });

  it("is gone at once when killed, and empty after a restart on the same port", async () => {
    const { url } = consul;
    await consul.kill();
    await expect(consul.request("/v1/catalog/services")).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await consul.restart();
    expect(consul.url).toBe(url);
    expect(await names()).toEqual(["consul"]);
  });
});

describe("Consul on disk with access control and client certificates", () => {
  let consul: RunningConsul;
  beforeAll(async () => {
    consul = await startConsul({ data: "disk", acl: true, mtls: true });
    await consul.request("/v1/catalog/register", put(web));
  });
  afterAll(() => consul.stop());

  it("hides all services from a token without rights, silently, and refuses one that it does not know", async () => {
    const path = "/v1/health/service/web";
    expect((await consul.request(path)).json()).toHaveLength(1);
    const anonymous = await consul.request(path, { token: "" });
    expect([anonymous.status, anonymous.text]).toEqual([200, "[]"]);
    const unknown = await consul.request(path, { token: "11111111-2222-3333-4444-555555555555" });
    expect([unknown.status, unknown.text]).toEqual([403, "ACL not found"]);
  });

  it("refuses a connection without a client certificate", async () => {
    const { caFile } = consul.tls ?? { caFile: "" };
    await expect(apiRequest(`${consul.url}/v1/agent/self`, { tls: { caFile } })).rejects.toThrow(
      /certificate required/i,
    );
  });

  it("has the same content and a higher index after a crash and a restart", async () => {
    const index = async () => Number((await consul.request("/v1/health/service/web")).headers["x-consul-index"]);
    const before = await index();
    await consul.kill();
    await consul.restart();
    expect((await consul.request("/v1/health/service/web")).json()).toHaveLength(1);
    expect(await index()).toBeGreaterThanOrEqual(before);
  });
});
