import { silentLogger, systemClock } from "@signalbox/registry";
import type { Logger } from "@signalbox/registry";
import { RecordingSink } from "@signalbox/registry/conformance";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { FakeApiServer } from "./client/testing/fake-api-server.ts";
import { parseKubernetesConfig } from "./config.ts";
import { kubernetesModule, readManifests } from "./index.ts";

let api: FakeApiServer;
let stop: AbortController;
const ended: Promise<void>[] = [];

beforeEach(async () => {
  api = await FakeApiServer.open();
  stop = new AbortController();
});

afterEach(async () => {
  stop.abort();
  await Promise.all(ended.splice(0));
  await api.shut();
});

function follow(config: object = {}, logger: Logger = silentLogger) {
  const sink = new RecordingSink();
  const metrics = { counter: () => {}, histogram: () => {} };
  const deps = { name: "main", logger, clock: systemClock, metrics, baseDir: "/" };
  const parsed = parseKubernetesConfig({ url: api.url, discoveryMs: 100, ...config });
  ended.push(kubernetesModule.create(parsed, deps).run(sink, stop.signal));
  const until = (predicate: (sink: RecordingSink) => boolean) => sink.waitFor(predicate, 10_000);
  return { sink, until };
}

const networking = "networking.istio.io/v1";

function define(...collections: string[]): void {
  for (const collection of collections) api.definitions.set(collection, networking);
}

function virtualService(name: string, spec: object, namespace = "shop", annotations: object = {}): void {
  api.put("virtualservices", { metadata: { name, namespace, annotations }, spec });
}

function serviceEntry(
  name: string,
  host: string,
  change: object = {},
  namespace = "shop",
  created = "2026-01-01T00:00:00Z",
) {
  const ports = [{ number: 80, name: "http", protocol: "HTTP" }];
  const spec = { hosts: [host], ports, resolution: "STATIC", endpoints: [{ address: "10.0.0.1" }], ...change };
  api.put("serviceentries", { metadata: { name, namespace, creationTimestamp: created }, spec });
}

function service(name: string, namespace = "shop"): void {
  const spec = { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80 }] };
  api.put("services", { metadata: { name, namespace }, spec });
}

const keys = (sink: RecordingSink) => [...sink.objects.keys()].sort();

describe("Istio's objects of a cluster", () => {
  it("are in the first snapshot, without what kubectl keeps for itself", async () => {
    define("virtualservices");
    virtualService("web", { hosts: ["web"] }, "shop", {
      "kubectl.kubernetes.io/last-applied-configuration": "{}",
      mine: "a",
    });
    const { sink, until } = follow();
    await until(({ updates }) => updates.length > 0);
    const [first] = sink.updates;
    expect(first?.type).toBe("snapshot");
    expect(first?.objects).toEqual([
      {
        kind: "VirtualService",
        namespace: "shop",
        name: "web",
        labels: {},
        annotations: { mine: "a" },
        spec: { hosts: ["web"] },
        provenance: {
          registry: "kubernetes/main",
          object: "VirtualService shop/web",
          sourceVersion: expect.any(String) as string,
        },
      },
    ]);
  });

  it("change and go, and a status alone changes nothing", async () => {
    define("virtualservices");
    virtualService("web", { hosts: ["web"] });
    const { sink, until } = follow();
    await until(({ objects }) => objects.size === 1);
    const stored = api.get("virtualservices", "shop/web");
    if (stored !== undefined) api.put("virtualservices", { ...stored, status: { observedGeneration: 1 } });
    virtualService("other", { hosts: ["other"] });
    await until(({ objects }) => objects.size === 2);
    expect(sink.updates.flatMap(({ objects }) => (Array.isArray(objects) ? objects : []))).toHaveLength(1);
    virtualService("web", { hosts: ["web", "more"] });
    await until(({ objects }) => [...objects.values()].some(({ spec }) => JSON.stringify(spec).includes("more")));
    api.delete("virtualservices", "shop/other");
    await until(({ objects }) => objects.size === 1);
    expect(keys(sink)).toEqual(["VirtualService/shop/web"]);
  });

  it("keep their last good form while they cannot be read", async () => {
    define("virtualservices");
    virtualService("web", { hosts: ["web"] });
    const { sink, until } = follow();
    await until(({ objects }) => objects.size === 1);
    virtualService("web", { hosts: "web" });
    virtualService("next", { hosts: ["next"], field: "of a newer API" });
    await until(({ objects }) => objects.size === 2);
    expect([...sink.objects.values()].find(({ name }) => name === "web")?.spec).toEqual({ hosts: ["web"] });
  });

  it("are read in the best version that is served", async () => {
    api.definitions.set("virtualservices", "networking.istio.io/v1alpha3");
    api.definitions.set("envoyfilters", "networking.istio.io/v1alpha3");
    virtualService("web", { hosts: ["web"] });
    const { until } = follow();
    await until(({ objects }) => objects.size === 1);
    expect(api.requests.some((request) => request.includes("v1alpha3/virtualservices?limit"))).toBe(true);
  });

  it("are found when their definitions come later, and are gone when they go", async () => {
    const { sink, until } = follow();
    await until(({ updates }) => updates.length > 0);
    expect(sink.updates[0]?.objects).toBeUndefined();
    virtualService("web", { hosts: ["web"] });
    define("virtualservices");
    await until(({ objects }) => objects.size === 1);
    expect(sink.degradations).toEqual([]);
    api.definitions.clear();
    await until(({ objects }) => objects.size === 0);
  });

  it("need no right: what is refused is left out without a failure, until it is allowed", async () => {
    define("virtualservices", "gateways");
    virtualService("web", { hosts: ["web"] });
    api.put("gateways", { metadata: { name: "edge", namespace: "shop" }, spec: {} });
    api.forbidden.add("virtualservices");
    const refused: unknown[] = [];
    const logger = {
      ...silentLogger,
      warn: (event: string, fields?: object) => void refused.push({ event, ...fields }),
    };
    const { sink, until } = follow({}, logger);
    await until(({ updates }) => updates.length > 0);
    expect(keys(sink)).toEqual(["Gateway/shop/edge"]);
    expect(refused).toContainEqual(
      expect.objectContaining({ event: "kubernetes-istio-refused", path: `/apis/${networking}/virtualservices` }),
    );
    api.forbidden.clear();
    await until(({ objects }) => objects.size === 2);
    expect(sink.degradations).toEqual([]);
  });

  it("are left out where nobody may ask what is served", async () => {
    api.hidesApis = true;
    define("virtualservices");
    service("web");
    const { sink, until } = follow();
    await until(({ records }) => records.size === 1);
    expect(sink.degradations).toEqual([]);
  });

  it("are not left out of the first snapshot because the server was in trouble before", async () => {
    api.mood = "FORBIDS";
    define("virtualservices");
    virtualService("web", { hosts: ["web"] });
    const { sink, until } = follow();
    await until(({ degradations }) => degradations.length >= 5);
    expect(sink.updates).toEqual([]);
    api.mood = "FINE";
    await until(({ updates }) => updates.length > 0);
    expect(sink.updates[0]?.objects).toHaveLength(1);
  });

  it("hold the registry back where they are wanted and refused", async () => {
    define("virtualservices");
    api.forbidden.add("virtualservices");
    service("web");
    const { sink, until } = follow({ istio: true });
    await until(({ degradations }) => degradations.some(({ problem }) => problem === "AUTH_FAILED"));
    expect(sink.updates).toEqual([]);
    api.forbidden.clear();
    await until(({ records }) => records.size === 1);
  });

  it("are a failure where they are wanted and the server has none", async () => {
    const { sink, until } = follow({ istio: true });
    await until(({ degradations }) => degradations.length > 0);
    expect(sink.degradations[0]?.error.message).toBe("/apis: no kinds of Istio");
    define("virtualservices");
    await until(({ updates }) => updates.length > 0);
  });

  it("are not asked for where they are not wanted", async () => {
    define("virtualservices");
    virtualService("web", { hosts: ["web"] });
    const { sink, until } = follow({ istio: false });
    await until(({ updates }) => updates.length > 0);
    expect(sink.objects.size).toBe(0);
    expect(api.requests.filter((request) => request.includes("/apis?") || request.endsWith("/apis"))).toEqual([]);
  });

  it("are of the namespaces that are chosen, by their labels as they are now", async () => {
    define("virtualservices");
    virtualService("web", { hosts: ["web"] });
    virtualService("web", { hosts: ["web"] }, "bank");
    const label = (name: string, labels: object) => api.put("namespaces", { metadata: { name, labels } });
    label("shop", { mesh: "on" });
    label("bank", {});
    const { sink, until } = follow({ namespaces: { selector: { mesh: "on" } } });
    await until(({ updates }) => updates.length > 0);
    expect(keys(sink)).toEqual(["VirtualService/shop/web"]);
    label("bank", { mesh: "on" });
    await until(({ objects }) => objects.size === 2);
    label("shop", {});
    await until(({ objects }) => objects.size === 1);
    expect(keys(sink)).toEqual(["VirtualService/bank/web"]);
  });

  it("are asked for within named namespaces", async () => {
    define("virtualservices");
    virtualService("web", { hosts: ["web"] });
    virtualService("web", { hosts: ["web"] }, "bank");
    const { sink, until } = follow({ namespaces: { include: ["shop"] } });
    await until(({ updates }) => updates.length > 0);
    expect(keys(sink)).toEqual(["VirtualService/shop/web"]);
    expect(api.requests.some((request) => request.includes("/namespaces/shop/virtualservices"))).toBe(true);
  });
});

describe("ServiceEntries and WorkloadEntries of a cluster", () => {
  it("are services and workloads, too", async () => {
    define("serviceentries", "workloadentries");
    serviceEntry("ext", "ext.test");
    api.put("workloadentries", { metadata: { name: "vm", namespace: "shop" }, spec: { address: "10.0.0.9" } });
    const { sink, until } = follow({ cluster: "c1" });
    await until(({ updates }) => updates.length > 0);
    expect([...sink.records.keys()]).toEqual(["shop/ext.test"]);
    expect([...sink.workloads.keys()]).toEqual(["c1/shop/vm"]);
    expect(keys(sink)).toEqual(["ServiceEntry/shop/ext", "WorkloadEntry/shop/vm"]);
    api.delete("workloadentries", "shop/vm");
    serviceEntry("ext", "renamed.test");
    await until(({ workloads, records }) => workloads.size === 0 && records.has("shop/renamed.test" as never));
    expect([...sink.records.keys()]).toEqual(["shop/renamed.test"]);
  });

  it("are not served where Istio would refuse them, and keep their last good form", async () => {
    define("serviceentries");
    serviceEntry("ext", "ext.test");
    const { sink, until } = follow();
    await until(({ records }) => records.size === 1);
    serviceEntry("ext", "ext.test", { endpoints: [{ address: "not an address" }] });
    serviceEntry("next", "next.test");
    await until(({ records }) => records.size === 2);
    expect(sink.records.get("shop/ext.test" as never)?.instances).toHaveLength(1);
  });

  it("give way to the older one of the same host, and come back when it goes", async () => {
    define("serviceentries");
    serviceEntry("new", "ext.test", { endpoints: [{ address: "10.0.0.2" }] }, "shop", "2026-02-01T00:00:00Z");
    serviceEntry("old", "ext.test");
    const { sink, until } = follow();
    const address = () => JSON.stringify(sink.records.get("shop/ext.test" as never)?.instances[0]?.addresses[0]);
    await until(({ records }) => records.size === 1);
    expect(address()).toContain("10.0.0.1");
    api.delete("serviceentries", "shop/old");
    await until(() => address()?.includes("10.0.0.2") === true);
    api.delete("serviceentries", "shop/new");
    await until(({ records }) => records.size === 0);
  });

  it("give way to a Service of the same host, and come back when it goes", async () => {
    define("serviceentries");
    serviceEntry("same", "web.shop.svc.cluster.local");
    const { sink, until } = follow();
    const resolution = () => sink.records.get("shop/web.shop.svc.cluster.local" as never)?.service.provenance.object;
    await until(() => resolution() === "ServiceEntry shop/same");
    service("web");
    await until(() => resolution() !== "ServiceEntry shop/same");
    serviceEntry("same", "web.shop.svc.cluster.local", { endpoints: [{ address: "10.0.0.7" }] });
    serviceEntry("marker", "marker.test");
    await until(({ records }) => records.size === 2);
    expect(resolution()).not.toBe("ServiceEntry shop/same");
    api.delete("services", "shop/web");
    await until(() => resolution() === "ServiceEntry shop/same");
  });
});

describe("Istio's objects of manifests", () => {
  const read = (text: string, config = {}) => readManifests({ texts: new Map([["a.yaml", text]]) }, { config });
  const gateway = (apiVersion: string) =>
    `apiVersion: ${apiVersion}\nkind: Gateway\nmetadata: {name: edge}\nspec: {}\n`;

  it("are read beside the others, in namespace default where they name none", async () => {
    const { objects, faults } = await read(gateway("networking.istio.io/v1beta1"));
    expect(faults).toEqual([]);
    expect(objects.map(({ kind, namespace, name }) => `${kind}/${namespace}/${name}`)).toEqual([
      "Gateway/default/edge",
    ]);
  });

  it("are not those of the Gateway API", async () => {
    const { objects } = await read(gateway("gateway.networking.k8s.io/v1"));
    expect(objects).toEqual([]);
  });

  it("are passed over where they are not wanted", async () => {
    expect((await read(gateway("networking.istio.io/v1"), { istio: false })).objects).toEqual([]);
  });

  it("are left out with the place of their mistake, and a field that is not known is a warning", async () => {
    const text = [
      "apiVersion: networking.istio.io/v1",
      "kind: VirtualService",
      "metadata: {name: web}",
      "spec:",
      "  hosts: web",
      "  unheard: of",
    ].join("\n");
    const { objects, faults } = await read(text);
    expect(objects).toEqual([]);
    expect(faults.map(({ line, severity, message }) => `${line} ${severity} ${message}`)).toEqual([
      expect.stringContaining('6 warning spec.unheard: unknown field "unheard"'),
      expect.stringContaining("5 error spec.hosts: must be a list"),
    ]);
  });

  it("make services and workloads of ServiceEntries and WorkloadEntries", async () => {
    const text = [
      "apiVersion: v1",
      "kind: List",
      "items:",
      "  - apiVersion: networking.istio.io/v1",
      "    kind: ServiceEntry",
      "    metadata: {name: ext, namespace: shop}",
      "    spec: {hosts: [ext.test], ports: [{number: 80, name: http, protocol: HTTP}], resolution: DNS}",
      "  - apiVersion: networking.istio.io/v1",
      "    kind: WorkloadEntry",
      "    metadata: {name: vm, namespace: shop}",
      "    spec: {address: 10.0.0.9}",
    ].join("\n");
    const { records, workloads, objects, faults } = await read(text, { cluster: "c1" });
    expect(faults).toEqual([]);
    expect(records.map(({ service: { hostname } }) => hostname)).toEqual(["ext.test"]);
    expect(workloads.map(({ key }) => key)).toEqual(["c1/shop/vm"]);
    expect(objects).toHaveLength(2);
  });
});
