import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { apiRequest } from "./api-request.ts";
import { startKube } from "./kube.ts";
import type { RunningKube } from "./kube.ts";

const services = "/api/v1/namespaces/shop/services";
const reader = { name: "reader", token: "token-of-the-reader" };

describe("the Kubernetes API", () => {
  let kube: RunningKube;
  let dir: string;
  beforeAll(async () => {
    kube = await startKube({ own: true, users: [reader] });
    dir = await mkdtemp(join(tmpdir(), "signalbox-kube-test-"));
    await kube.create("/api/v1/namespaces", { metadata: { name: "shop" } });
    await kube.create(services, { metadata: { name: "orders" }, spec: { ports: [{ port: 80 }] } });
  });
  afterAll(async () => {
    await rm(dir, { recursive: true });
    await kube.stop();
  });

  const names = async () => {
    const { items } = (await kube.request(services)).json() as { items: { metadata: { name: string } }[] };
    return items.map((item) => item.metadata.name);
  };

  it("tells an unknown token from one without rights, and grants rights", async () => {
    expect((await kube.request(services, { token: "made-up" })).status).toBe(401);
    expect((await kube.request(services, { token: reader.token })).status).toBe(403);
    await kube.grant(reader.name, [{ apiGroups: [""], resources: ["services"], verbs: ["list"] }]);
    expect((await kube.request(services, { token: reader.token })).status).toBe(200);
    expect((await kube.request(`${services}/orders`, { token: reader.token })).status).toBe(403);
  });

  it("knows its admin by the kubeconfig and a group by a client certificate", async () => {
    const { users } = JSON.parse(await readFile(kube.kubeconfig, "utf8")) as { users: [{ user: { token: string } }] };
    expect((await kube.request(services, { token: users[0].user.token })).status).toBe(200);
    const certificate = await kube.clientCertificate("operator", "system:masters");
    const tls = { caFile: kube.caFile, ...certificate };
    expect((await apiRequest(`${kube.url}${services}`, { tls })).status).toBe(200);
    await kube.writeKubeconfig(join(dir, "operator"), certificate);
    expect(await readFile(join(dir, "operator"), "utf8")).toContain(certificate.keyFile);
  });

  it("can be shared through the environment, with all that belongs to its address", async () => {
    const env = { SIGNALBOX_KUBE_URL: kube.url };
    await expect(startKube({ env })).rejects.toThrow("SIGNALBOX_KUBE_TOKEN");
    const rest = { SIGNALBOX_KUBE_TOKEN: kube.adminToken, SIGNALBOX_KUBE_CA: kube.caFile };
    const shared = await startKube({ env: { ...env, ...rest } });
    expect((await shared.request(services)).status).toBe(200);
    await expect(shared.etcd.kill()).rejects.toMatchObject({ code: "SBX_SERVER_SHARED" });
    await shared.stop();
    expect(await names()).toEqual(["orders"]);
  });

  it("answers nothing while it is frozen, and all of it afterwards", async () => {
    kube.freeze();
    await expect(kube.request(services, { timeoutMs: 300 })).rejects.toThrow();
    kube.thaw();
    expect(await names()).toEqual(["orders"]);
  });

  it("keeps its content when the API server is killed, and when etcd is", async () => {
    await kube.kill();
    await expect(kube.request(services)).rejects.toMatchObject({ code: "ECONNREFUSED" });
    await kube.restart();
    expect(await names()).toEqual(["orders"]);
    await kube.etcd.kill();
    await kube.etcd.restart();
    await kube.restart();
    expect(await names()).toEqual(["orders"]);
  });
});
