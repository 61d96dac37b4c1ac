import {
  startConsul,
  startEureka,
  startKube,
  waitFor,
  type RunningEureka,
  type RunningKube,
} from "@signalbox/test-servers";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import type { SignalboxConfigInput } from "signalbox";
import { Registrar } from "./consul-world.ts";
import { cancel, register } from "./eureka-world.ts";
import { WholeSignalbox } from "./whole-signalbox.ts";

// What test/feature shows of a whole Signalbox before fake servers, before real ones: as far as they can be brought to it.

const stops: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop();
});

async function start(config: SignalboxConfigInput): Promise<WholeSignalbox> {
  const whole = await WholeSignalbox.start(config);
  stops.push(() => whole.stop());
  return whole;
}

describe("a real Consul", () => {
  let consul: Awaited<ReturnType<typeof startConsul>>;
  let registrar: Registrar;
  const registries = () => [{ provider: "consul", name: "main", url: consul.url, waitSeconds: 5 }];

  beforeAll(async () => {
    consul = await startConsul({ own: true });
    registrar = new Registrar(consul);
  });
  afterAll(async () => {
    await consul.stop();
  });

  /** Instances at 10.2.<net>.1 and so on, each on a node of its own. */
  async function put(service: string, net: number, count: number, status?: "critical"): Promise<void> {
    for (let at = 1; at <= count; at++) {
      const id = `${service}-${at}`;
      const instance = { node: `node-of-${id}`, id, service, ip: `10.2.${net}.${at}`, port: 8080 };
      await registrar.register({ ...instance, ...(status !== undefined && { status }) });
    }
  }

  it("6. a service that is deregistered leaves: at once with one instance, after the guard's time with several", async () => {
    await put("stays", 1, 8);
    await put("single", 2, 1);
    await put("double", 3, 2);
    const whole = await start({ registries: registries(), guards: { holdFor: "3s" } });
    await whole.has("single.service.consul", ["10.2.2.1:8080"]);
    await whole.has("double.service.consul", ["10.2.3.1:8080", "10.2.3.2:8080"]);
    await registrar.deregister("node-of-single-1");
    await whole.has("single.service.consul", undefined);
    for (const at of [1, 2]) await registrar.deregister(`node-of-double-${at}`);
    await whole.holds();
    // What is read between the two goes at once, and the last one is held.
    expect(whole.endpoints("double.service.consul")).toContain("10.2.3.2:8080");
    await whole.has("double.service.consul", undefined);
    expect(whole.endpoints("stays.service.consul")).toHaveLength(8);
  });

  it("7. all instances are critical: they are told as such, and none leaves", async () => {
    await put("sick", 4, 2);
    const whole = await start({ registries: registries() });
    await whole.has("sick.service.consul", ["10.2.4.1:8080", "10.2.4.2:8080"]);
    await put("sick", 4, 2, "critical");
    await whole.has("sick.service.consul", ["10.2.4.1:8080 UNHEALTHY", "10.2.4.2:8080 UNHEALTHY"]);
  });

  it("8. an instance without an address of its own has that of its node", async () => {
    await registrar.register({ node: "bare", address: "10.2.5.5", id: "bare-1", service: "bare", ip: "", port: 8080 });
    const whole = await start({ registries: registries() });
    await whole.has("bare.service.consul", ["10.2.5.5:8080"]);
  });
});

describe("a real Eureka beside a real Kubernetes API server", () => {
  let eureka: RunningEureka;
  let kube: RunningKube;
  const hostname = "orders.shop.svc.cluster.local";
  const pods = "/api/v1/namespaces/shop/pods";
  const slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";

  beforeAll(async () => {
    [eureka, kube] = await Promise.all([startEureka({ own: true }), startKube({ own: true })]);
    await kube.create("/api/v1/namespaces", { metadata: { name: "shop" } });
    for (const name of ["orders", "billing"]) {
      const ports = [{ name: "http", port: 8080, targetPort: 8080 }];
      await kube.create("/api/v1/namespaces/shop/services", { metadata: { name }, spec: { ports } });
      await kube.create(slices, slice(name, []));
    }
  });
  afterAll(async () => {
    await Promise.all([eureka.stop(), kube.stop()]);
  });

  let put: [app: string, id: string][];
  let made: string[];
  beforeEach(() => {
    put = [];
    made = [];
  });
  afterEach(async () => {
    for (const [app, id] of put) await cancel(eureka, app, id);
    for (const name of made) {
      await write("PATCH", `${pods}/${name}`, { metadata: { finalizers: null } }).catch(() => undefined);
      await kube.request(`${pods}/${name}?gracePeriodSeconds=0`, { method: "DELETE" });
    }
    for (const name of ["orders", "billing"]) await endpoints(name, []);
  });

  async function inEureka(app: string, ip: string, metadata = {}): Promise<void> {
    put.push([app, `${app}-${ip}`]);
    await register(eureka, { app, id: `${app}-${ip}`, ip, port: 8080, metadata });
  }

  async function write(method: "PUT" | "PATCH", path: string, body: object): Promise<void> {
    const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
    const answer = await kube.request(path, { method, body, headers });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }

  /** What a kubelet would write of a pod that runs. */
  async function pod(app: string, ip: string): Promise<string> {
    const name = `${app}-${ip.replaceAll(".", "-")}`;
    made.push(name);
    // Nobody ends a pod here, as where the kubelet is dead.
    const metadata = { name, labels: { app }, finalizers: ["example.com/kept"] };
    const containers = [{ name: "main", image: "main", ports: [{ containerPort: 8080 }] }];
    await kube.create(pods, { metadata, spec: { containers } });
    const conditions = [{ type: "Ready", status: "True" }];
    const status = { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions };
    await write("PATCH", `${pods}/${name}/status`, { status });
    return name;
  }

  function slice(service: string, ips: readonly string[]): object {
    return {
      metadata: { name: `${service}-1`, labels: { "kubernetes.io/service-name": service } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    };
  }

  async function endpoints(service: string, ips: readonly string[]): Promise<void> {
    await write("PUT", `${slices}/${service}-1`, slice(service, ips));
  }

  const both = (rules: object): SignalboxConfigInput => ({
    registries: [
      { provider: "eureka", name: "main", urls: [eureka.url], pollSeconds: 0.2 },
      { provider: "kubernetes", name: "main", kubeconfig: kube.kubeconfig },
    ],
    identity: [{ registries: ["eureka/*"], hostname: "{{name}}.shop.svc.cluster.local", namespace: "shop" }],
    services: [{ match: hostname, ...rules }],
    drift: { clusters: [{ registry: "kubernetes/main", podCidrs: ["10.40.0.0/16"] }] },
  });

  it("4. services that are more than 30 % of the source leave after the guard's time, and not before", async () => {
    for (const at of [1, 2, 3, 4, 5]) await inEureka(`many-${at}`, `10.3.0.${at}`);
    const registries = [{ provider: "eureka", name: "main", urls: [eureka.url], pollSeconds: 0.2 }];
    const whole = await start({ registries, guards: { holdFor: "3s" } });
    await whole.has("many-5.eureka", ["10.3.0.5:8080"]);
    for (const at of [1, 2, 3]) await cancel(eureka, `many-${at}`, `many-${at}-10.3.0.${at}`);
    await whole.holds();
    // What is read in between goes at once, and the last one is held.
    expect(whole.endpoints("many-3.eureka")).toEqual(["10.3.0.3:8080"]);
    for (const at of [1, 2, 3]) await whole.has(`many-${at}.eureka`, undefined);
    expect(whole.endpoints("many-4.eureka")).toEqual(["10.3.0.4:8080"]);
  });

  it("9. UP with an override of OUT_OF_SERVICE is not eligible, until the override is taken back", async () => {
    await inEureka("orders", "10.0.1.1");
    await pod("orders", "10.40.1.1");
    await endpoints("orders", ["10.40.1.1"]);
    const whole = await start(both({ merge: { prefer: ["eureka/main", "kubernetes/main"] } }));
    await whole.has(hostname, ["10.0.1.1:8080"]);
    const path = "/apps/ORDERS/orders-10.0.1.1/status";
    const override = async (method: string, query: string) =>
      expect((await eureka.request(`${path}?${query}`, { method })).status).toBe(200);
    await override("PUT", "value=OUT_OF_SERVICE");
    await whole.has(hostname, ["10.40.1.1:8080"]);
    await override("DELETE", "value=UP");
    await whole.has(hostname, ["10.0.1.1:8080"]);
  });

  it("10. one instance with a host name among IP addresses: only that one is treated differently", async () => {
    await inEureka("mixed", "10.0.1.1");
    await inEureka("mixed", "legacy.example");
    await inEureka("mixed", "10.0.1.2");
    const whole = await start(both({}));
    await whole.has("mixed.shop.svc.cluster.local", ["10.0.1.1:8080", "10.0.1.2:8080", "legacy.example"]);
  });

  it("13. a pod that is registered twice has no double weight: the groups of a split have exactly their shares", async () => {
    for (const ip of ["10.0.1.1", "10.0.1.2", "10.40.1.1"]) await inEureka("orders", ip);
    for (const ip of ["10.40.1.1", "10.40.1.2"]) await pod("orders", ip);
    await endpoints("orders", ["10.40.1.1", "10.40.1.2"]);
    const whole = await start(both({ merge: { split: { "eureka/main": 90, "kubernetes/main": 10 } } }));
    await whole.has(hostname, ["10.0.1.1:8080", "10.0.1.2:8080", "10.40.1.1:8080", "10.40.1.2:8080"]);
    const weights = whole.weights(hostname);
    const of = (...addresses: string[]) => addresses.reduce((sum, one) => sum + (weights[`${one}:8080`] ?? 0), 0);
    expect(of("10.0.1.1", "10.0.1.2")).toBe(9 * of("10.40.1.1", "10.40.1.2"));
    expect(of("10.40.1.1")).toBe(of("10.40.1.2"));
    expect(of("10.40.1.1")).toBeGreaterThan(0);
  });

  it("15. a pod's address goes to another workload: an impostor gets no traffic, while Eureka goes on with it", async () => {
    for (const ip of ["10.40.1.1", "10.40.1.2"]) await inEureka("orders", ip);
    await pod("orders", "10.40.1.1");
    const old = await pod("orders", "10.40.1.2");
    await endpoints("orders", ["10.40.1.1", "10.40.1.2"]);
    const whole = await start(
      both({ merge: { authoritative: "eureka/main" }, drift: { IMPOSTOR: "exclude", GHOST: "exclude" } }),
    );
    await whole.has(hostname, ["10.40.1.1:8080", "10.40.1.2:8080"]);
    await write("PATCH", `${pods}/${old}`, { metadata: { finalizers: null } });
    await kube.request(`${pods}/${old}?gracePeriodSeconds=0`, { method: "DELETE" });
    await pod("billing", "10.40.1.2");
    await endpoints("orders", ["10.40.1.1"]);
    await endpoints("billing", ["10.40.1.2"]);
    await whole.has("billing.shop.svc.cluster.local", ["10.40.1.2:8080"]);
    await whole.has(hostname, ["10.40.1.1:8080"]);
    await waitFor(async () => (await whole.verdicts(hostname))["10.40.1.2:8080"] === "IMPOSTOR", {
      what: "an impostor",
      deadlineMs: 30_000,
    });
    await whole.reads("eureka/main", 3);
    expect(whole.endpoints(hostname)).toEqual(["10.40.1.1:8080"]);
  });

  it("19. a pod that is terminating for good, with a process that lives and renews its lease, is not eligible", async () => {
    for (const ip of ["10.40.1.1", "10.40.1.2"]) await inEureka("orders", ip);
    await pod("orders", "10.40.1.1");
    const ending = await pod("orders", "10.40.1.2");
    const whole = await start(both({ drift: { TERMINATING: "exclude" } }));
    await whole.has(hostname, ["10.40.1.1:8080", "10.40.1.2:8080"]);
    await kube.request(`${pods}/${ending}`, { method: "DELETE" });
    await whole.has(hostname, ["10.40.1.1:8080"]);
    await whole.reads("eureka/main", 3);
    expect(await whole.verdicts(hostname)).toMatchObject({ "10.40.1.2:8080": "TERMINATING" });
    expect(whole.endpoints(hostname)).toEqual(["10.40.1.1:8080"]);
  });
});
