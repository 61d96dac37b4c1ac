import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeApiServer } from "./client/testing/fake-api-server.ts";
import { parseKubernetesConfig } from "./config.ts";
import { kubernetesModule } from "./index.ts";

let dir: string;
let api: FakeApiServer;
let stop: AbortController;
const ended: Promise<void>[] = [];

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "signalbox-kubernetes-"));
  api = await FakeApiServer.open();
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await Promise.all(ended.splice(0));
  await api.shut();
  await rm(dir, { recursive: true });
});

function follow(config: object, name = "main") {
  const sink = new RecordingSink();
  const counts = new Map<string, number>();
  const lags: number[] = [];
  const metrics = {
    counter: (metric: string) => void counts.set(metric, (counts.get(metric) ?? 0) + 1),
    histogram: (metric: string, value: number) => {
      if (metric === "kubernetes_endpoints_lag_seconds") lags.push(value);
    },
  };
  const deps = { name, logger: silentLogger, clock: systemClock, metrics, baseDir: dir };
  ended.push(kubernetesModule.create(parseKubernetesConfig(config), deps).run(sink, stop.signal));
  const until = (predicate: (sink: RecordingSink) => boolean) => sink.waitFor(predicate, 10_000);
  return { sink, counts, lags, until };
}

const cluster = (config: object = {}, name?: string) => follow({ url: api.url, ...config }, name);

function service(namespace: string, name = "web"): void {
  const spec = { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80 }] };
  api.put("services", { metadata: { name, namespace }, spec });
}

function endpoints(namespace: string, list: readonly object[], name = "web", triggered?: string): void {
  const labels = { "kubernetes.io/service-name": name };
  const annotations = { "endpoints.kubernetes.io/last-change-trigger-time": triggered };
  const metadata = { name: `${name}-1`, namespace, labels, ...(triggered !== undefined && { annotations }) };
  api.put("endpointslices", { metadata, addressType: "IPv4", ports: [{ name: "http", port: 80 }], endpoints: list });
}

function node(name: string, region: string, change: object = {}): void {
  api.put("nodes", { metadata: { name, labels: { "topology.kubernetes.io/region": region }, ...change } });
}

function pod(
  namespace: string,
  name: string,
  content: { readonly node?: string; readonly labels?: object } = {},
): void {
  const status = { podIP: "10.1.0.1", conditions: [{ type: "Ready", status: "True" }] };
  const spec = { nodeName: content.node ?? "n1", serviceAccountName: "web-sa" };
  api.put("pods", { metadata: { name, namespace, labels: content.labels ?? {} }, spec, status });
}

const hosts = (sink: RecordingSink) => [...sink.records.keys()].sort();

describe("a registry of a cluster", () => {
  it("pushes nothing before every collection was listed", async () => {
    service("a");
    api.put("endpointslices", { metadata: { name: "x", namespace: "a" } });
    const { sink, until } = cluster({ pageSize: 1 });
    await until(({ updates }) => updates.length > 0);
    expect(sink.updates[0]?.type).toBe("snapshot");
    const asked = new Set(api.requests.map((request) => request.split("?")[0]));
    expect([...asked].sort()).toEqual([
      "GET /api/v1/nodes",
      "GET /api/v1/pods",
      "GET /api/v1/services",
      "GET /apis",
      "GET /apis/discovery.k8s.io/v1/endpointslices",
    ]);
  });

  it("asks for named namespaces one by one, and for no pods and nodes where they are not wanted", async () => {
    service("a");
    service("b");
    service("c");
    const { sink, until } = cluster({ namespaces: { include: ["a", "b"] }, pods: false, nodes: false });
    await until(({ updates }) => updates.length > 0);
    expect(hosts(sink)).toEqual(["a/web.a.svc.cluster.local", "b/web.b.svc.cluster.local"]);
    const asked = new Set(api.requests.map((request) => request.split("?")[0]));
    asked.delete("GET /apis");
    expect(asked.size).toBe(4);
    expect([...asked].every((request) => request?.includes("/namespaces/"))).toBe(true);
  });

  it("follows the labels of namespaces where there is a selector", async () => {
    for (const namespace of ["a", "b"]) {
      service(namespace);
      pod(namespace, "p");
    }
    api.put("namespaces", { metadata: { name: "a", labels: { team: "x" } } });
    api.put("namespaces", { metadata: { name: "b" } });
    const { sink, until } = cluster({ namespaces: { selector: { team: "x" } } });
    await until(({ updates }) => updates.length > 0);
    expect(hosts(sink)).toEqual(["a/web.a.svc.cluster.local"]);
    expect([...sink.workloads.keys()]).toEqual(["main/a/p"]);
    api.put("namespaces", { metadata: { name: "b", labels: { team: "x" } } });
    await until(({ records, workloads }) => records.size === 2 && workloads.size === 2);
    api.put("namespaces", { metadata: { name: "a", labels: { team: "y" } } });
    await until(({ records }) => records.size === 1);
    expect(hosts(sink)).toEqual(["b/web.b.svc.cluster.local"]);
  });

  it("moves instances and workloads with their nodes and pods, and not with a node's heartbeat", async () => {
    node("n1", "eu");
    service("a");
    pod("a", "web-0", { labels: { version: "v1" } });
    endpoints("a", [{ addresses: ["10.1.0.1"], nodeName: "n1", targetRef: { kind: "Pod", name: "web-0" } }]);
    const { sink, until } = cluster();
    const instance = () => [...sink.records.values()][0]?.instances[0];
    await until(() => instance() !== undefined);
    expect(instance()).toMatchObject({
      labels: { version: "v1" },
      serviceAccount: "web-sa",
      locality: { region: "eu" },
    });
    const before = sink.updates.length;
    const alive = sink.aliveCount;
    node("n1", "eu", { annotations: { heartbeat: "2" } });
    await until(({ aliveCount }) => aliveCount > alive);
    expect(sink.updates).toHaveLength(before);
    node("n1", "us");
    await until(() => instance()?.locality.region === "us");
    expect([...sink.workloads.values()][0]?.locality.region).toBe("us");
    pod("a", "web-0", { labels: { version: "v2" } });
    await until(() => instance()?.labels["version"] === "v2");
  });

  it("gives an alias without ports those of its service, also when that comes later", async () => {
    const spec = { type: "ExternalName", externalName: "web.a.svc.cluster.local" };
    api.put("services", { metadata: { name: "alias", namespace: "b" }, spec });
    const { sink, until } = cluster();
    await until(({ records }) => records.size === 1);
    const ports = () => [...sink.records.values()].find((record) => record.service.namespace === "b")?.service.ports;
    expect(ports()).toEqual([]);
    service("a");
    await until(() => ports()?.length === 1);
    api.delete("services", "a/web");
    await until(() => ports()?.length === 0);
  });

  it("keeps what it knew of an object that became malformed, also over a new list", async () => {
    service("a");
    service("a", "db");
    endpoints("a", [{ addresses: ["10.1.0.1"] }]);
    const { counts, sink, until } = cluster();
    await until(({ records }) => records.size === 2);
    api.put("services", { metadata: { name: "web", namespace: "a" }, spec: { ports: 7 } });
    api.compact();
    api.endWatches();
    service("a", "new");
    await until(({ records }) => records.size === 3);
    expect(hosts(sink)).toContain("a/web.a.svc.cluster.local");
    expect(counts.get("kubernetes_objects_rejected_total")).toBeGreaterThan(0);
    expect(counts.get("kubernetes_relists_total")).toBeGreaterThan(0);
  });

  it("measures how late changes of endpoints are, once each, and not those of a list", async () => {
    const ago = (ms: number) => new Date(Date.now() - ms).toISOString();
    const [first, second] = [ago(5000), ago(3000)];
    const show = (count: number, triggered?: string) =>
      endpoints(
        "a",
        Array.from({ length: count }, (_, index) => ({ addresses: [`10.1.0.${index + 1}`] })),
        "web",
        triggered,
      );
    service("a");
    show(1, first);
    const { counts, lags, sink, until } = cluster();
    const shown = (count: number) => until(() => [...sink.records.values()][0]?.instances.length === count);
    await shown(1);
    show(2, first);
    await shown(2);
    expect(lags).toEqual([]);
    for (const triggered of [second, second, "soon", ago(7_200_000), ago(-60_000), undefined]) {
      show(3, triggered);
      await shown(3);
      show(2, triggered);
      await shown(2);
    }
    expect(lags).toHaveLength(1);
    expect(lags[0]).toBeGreaterThanOrEqual(3);
    expect(counts.get("kubernetes_events_total")).toBeGreaterThan(12);
  });

  it("stays degraded while one collection cannot be read, and passes on the news of the others", async () => {
    service("a");
    const { sink, until } = cluster();
    await until(({ records }) => records.size === 1);
    api.forbidden.add("pods");
    api.cutWatches();
    await until(({ degradations }) => degradations.length >= 2);
    const { aliveCount } = sink;
    service("a", "db");
    await until(({ records }) => records.size === 2);
    await until(({ degradations }) => degradations.length >= 4);
    expect(sink.degradations.every(({ problem }) => problem === "AUTH_FAILED")).toBe(true);
    expect(sink.aliveCount).toBe(aliveCount);
    api.forbidden.clear();
    await until((now) => now.aliveCount > aliveCount);
  });

  it("is one of several: each cluster has its own keys, network and domain", async () => {
    service("a");
    pod("a", "web-0");
    endpoints("a", [{ addresses: ["10.1.0.1"], targetRef: { kind: "Pod", name: "web-0" } }]);
    const east = cluster({ network: "net-east" }, "east");
    const west = cluster({ cluster: "other", domain: "west.local" }, "west");
    for (const { until } of [east, west])
      await until(({ records, workloads }) => records.size === 1 && workloads.size === 1);
    expect([...east.sink.workloads.keys(), ...west.sink.workloads.keys()]).toEqual(["east/a/web-0", "other/a/web-0"]);
    expect([...east.sink.records.values()][0]?.instances[0]?.network).toBe("net-east");
    expect(hosts(west.sink)).toEqual(["a/web.a.svc.west.local"]);
  });
});

describe("a registry of manifests", () => {
  const text = (ip: string, port: number | string = 80) =>
    [
      {
        kind: "Service",
        metadata: { name: "web" },
        spec: { selector: { app: "web" }, ports: [{ name: "http", port }] },
      },
      { kind: "Pod", metadata: { name: "web-0", labels: { app: "web" } }, status: { podIP: ip } },
    ]
      .map((object) => JSON.stringify(object))
      .join("\n---\n");
  const write = async (name: string, content: string) => {
    await writeFile(join(dir, `${name}.tmp`), content);
    await rename(join(dir, `${name}.tmp`), join(dir, name));
  };
  const addresses = (sink: RecordingSink) =>
    [...sink.records.values()].flatMap(({ instances }) => instances.map(({ id }) => id));

  it("follows its files, and keeps the last good content of one with a mistake", async () => {
    await write("a.yaml", text("10.1.0.1"));
    const { sink, until } = follow({ manifests: "*.yaml" });
    await until(({ records }) => records.size === 1);
    expect(addresses(sink)).toEqual(["http/10.1.0.1:80"]);
    await write("a.yaml", text("10.1.0.2"));
    await until(() => addresses(sink)[0] === "http/10.1.0.2:80");
    await write("a.yaml", text("10.1.0.3", "none"));
    await until(({ degradations }) => degradations.length > 0);
    expect(sink.degradations[0]?.error.message).toBe("a.yaml:1:1: spec.ports[0].port is not a port number");
    expect(addresses(sink)).toEqual(["http/10.1.0.2:80"]);
    await write("a.yaml", text("10.1.0.4"));
    await until(() => addresses(sink)[0] === "http/10.1.0.4:80");
  });
});
