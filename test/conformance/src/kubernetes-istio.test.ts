import { kubernetesModule } from "@signalbox/adapter-kubernetes";
import { customResourceDefinitions } from "@signalbox/istio-objects";
import type { ObjectKey, ServiceKey } from "@signalbox/model";
import { noMetrics, silentLogger, systemClock } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";
import { startKube, waitFor, type RunningKube } from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const networking = "/apis/networking.istio.io/v1/namespaces/shop";
/** May read what the README asks for, and nothing of Istio. */
const reader = { name: "plain-reader", token: "plain-reader-token" };
const deadlineMs = 30_000;

let kube: RunningKube;
let stop = new AbortController();
const ended: Promise<void>[] = [];

beforeAll(async () => {
  kube = await startKube({ own: true, users: [reader] });
  const verbs = ["list", "watch"];
  await kube.grant(reader.name, [
    { apiGroups: [""], resources: ["services", "pods", "nodes"], verbs },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
  ]);
  await kube.create("/api/v1/namespaces", { metadata: { name: "shop" } });
});

afterEach(async () => {
  stop.abort();
  await Promise.all(ended.splice(0));
  stop = new AbortController();
});

afterAll(() => kube.stop());

function follow(token: string): RecordingSink {
  const sink = new RecordingSink();
  const config = kubernetesModule.parseConfig({
    url: kube.url,
    tls: { ca: { file: kube.caFile } },
    token,
    discoveryMs: 500,
  });
  const deps = { name: "real", logger: silentLogger, clock: systemClock, metrics: noMetrics, baseDir: "/" };
  ended.push(kubernetesModule.create(config, deps).run(sink, stop.signal));
  return sink;
}

const virtualService = (name: string, hosts: readonly string[]) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name },
  spec: { hosts, http: [{ timeout: "1.5s", route: [{ destination: { host: "web", port: { number: 80 } } }] }] },
});

async function established(name: string): Promise<readonly string[]> {
  const answer = (await kube.request(`${definitions}/${name}`)).json() as {
    status?: { conditions?: readonly { type: string; status: string }[] };
  };
  return (answer.status?.conditions ?? []).filter(({ status }) => status === "True").map(({ type }) => type);
}

// The tests tell one story: a cluster without Istio's kinds gets them.
describe("Istio's kinds of a real API server", () => {
  it("are not there, and nothing is wrong", async () => {
    const sink = follow(kube.adminToken);
    await sink.waitFor(({ updates }) => updates.length > 0, deadlineMs);
    expect(sink.objects.size).toBe(0);
    expect(sink.degradations).toEqual([]);
  });

  it("come with the definitions of signalbox crds, which are structural, and are noticed", async () => {
    const sink = follow(kube.adminToken);
    await sink.waitFor(({ updates }) => updates.length > 0, deadlineMs);
    for (const definition of customResourceDefinitions()) await kube.create(definitions, definition);
    for (const { metadata } of customResourceDefinitions()) {
      const what = `the definition ${metadata.name}`;
      await waitFor(async () => (await established(metadata.name)).includes("Established"), { what, deadlineMs });
      expect(await established(metadata.name)).not.toContain("NonStructuralSchema");
    }
    await kube.create(`${networking}/virtualservices`, virtualService("web", ["web"]));
    await sink.waitFor(({ objects }) => objects.size === 1, deadlineMs);
    const object = sink.objects.get("VirtualService/shop/web" as ObjectKey);
    expect(object?.spec).toEqual(virtualService("web", ["web"]).spec);
    expect(object?.createdAt).toBeGreaterThan(0);
  });

  it("are in the first snapshot, change, and go", async () => {
    const sink = follow(kube.adminToken);
    await sink.waitFor(({ updates }) => updates.length > 0, deadlineMs);
    expect(sink.updates[0]?.objects).toHaveLength(1);
    const path = `${networking}/virtualservices/web`;
    const body = JSON.stringify({ spec: { hosts: ["web", "more"] } });
    await kube.request(path, { method: "PATCH", headers: { "content-type": "application/merge-patch+json" }, body });
    await sink.waitFor(({ objects }) => JSON.stringify([...objects.values()]).includes("more"), deadlineMs);
    await kube.request(path, { method: "DELETE" });
    await sink.waitFor(({ objects }) => objects.size === 0, deadlineMs);
  });

  it("are refused by the API server where a reader would not understand them", async () => {
    const wrong = { ...virtualService("bad", ["web"]), spec: { hosts: "web" } };
    const answer = await kube.request(`${networking}/virtualservices`, { method: "POST", body: wrong });
    expect(answer.status).toBe(422);
    expect(answer.text).toContain("spec.hosts");
  });

  it("are services, too, where they are ServiceEntries", async () => {
    const sink = follow(kube.adminToken);
    const ports = [{ number: 80, name: "http", protocol: "HTTP" }];
    await kube.create(`${networking}/serviceentries`, {
      apiVersion: "networking.istio.io/v1",
      kind: "ServiceEntry",
      metadata: { name: "ext" },
      spec: { hosts: ["ext.test"], ports, resolution: "STATIC", endpoints: [{ address: "10.0.0.1" }] },
    });
    await sink.waitFor(({ records }) => records.has("shop/ext.test" as ServiceKey), deadlineMs);
    expect(sink.records.get("shop/ext.test" as ServiceKey)?.instances).toHaveLength(1);
  });

  it("are left out for a user who may not read them, without a failure", async () => {
    const sink = follow(reader.token);
    await sink.waitFor(({ updates }) => updates.length > 0, deadlineMs);
    expect(sink.objects.size).toBe(0);
    expect(sink.degradations).toEqual([]);
  });

  it("are gone with their definitions", async () => {
    const sink = follow(kube.adminToken);
    await sink.waitFor(({ objects }) => objects.size === 1, deadlineMs);
    await kube.request(`${definitions}/serviceentries.networking.istio.io`, { method: "DELETE" });
    await sink.waitFor(
      ({ objects, records }) => objects.size === 0 && !records.has("shop/ext.test" as ServiceKey),
      deadlineMs,
    );
  });
});
