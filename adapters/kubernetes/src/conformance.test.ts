import { objectKey, serviceKey, workloadKey } from "@signalbox/model";
import type { ConfigObject, ObjectKey, ServiceKey, WorkloadKey } from "@signalbox/model";
import type { Problem } from "@signalbox/registry";
import {
  describeRegistry,
  type Malformation,
  type SourceService,
  type SourceWorld,
} from "@signalbox/registry/conformance";
import { FakeApiServer, type FakeObject } from "./client/testing/fake-api-server.ts";
import { parseKubernetesConfig } from "./config.ts";
import { KubernetesRegistry } from "./registry.ts";

const namespace = "shop";

/** An API server of our own. Only instances with labels have pods, so that others are one change each. */
class FakeWorld implements SourceWorld {
  readonly secret = "token-that-nobody-may-see";
  readonly api: FakeApiServer;

  constructor(api: FakeApiServer) {
    this.api = api;
    api.tokens.add(this.secret);
    api.definitions.set("virtualservices", "networking.istio.io/v1");
  }

  static async open(): Promise<FakeWorld> {
    return new FakeWorld(await FakeApiServer.open());
  }

  set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    if (this.api.get("services", `${namespace}/${name}`) === undefined) this.api.put("services", service(name, port));
    for (const { name: pod, ip, labels } of instances)
      if (labels !== undefined) this.api.put("pods", podObject(pod, ip, labels));
    const endpoints = instances.map(({ name: pod, ip, labels }) => ({
      addresses: [ip],
      ...(labels === undefined ? {} : { targetRef: { kind: "Pod", name: pod, namespace } }),
    }));
    this.api.put("endpointslices", slice(name, { endpoints, ports: [{ name: "http", port }] }));
    return Promise.resolve(serviceKey({ namespace, hostname: `${name}.${namespace}.svc.cluster.local` }));
  }

  remove(name: string): Promise<void> {
    this.api.delete("services", `${namespace}/${name}`);
    this.api.delete("endpointslices", `${namespace}/${name}-1`);
    return Promise.resolve();
  }

  touch(): Promise<void> {
    for (const key of this.api.keys("services")) {
      const object = this.api.get("services", key);
      if (object !== undefined) this.api.put("services", object);
    }
    this.api.bookmark();
    return Promise.resolve();
  }

  async break(problem: Problem): Promise<void> {
    if (problem === "UNREACHABLE") await this.api.shut();
    else this.api.mood = problem === "AUTH_FAILED" ? "FORBIDS" : "TALKS";
    this.api.cutWatches();
  }

  truncate(): Promise<void> {
    this.api.mood = "CUTS";
    this.api.compact();
    this.api.cutWatches();
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.api.mood = "HANGS";
    this.api.cutWatches();
    return Promise.resolve();
  }

  mend(): Promise<void> {
    return this.api.mend();
  }

  async restart(): Promise<void> {
    await this.api.shut();
    this.api.compact();
    await this.api.listen();
  }

  malform(kind: Malformation): Promise<void> {
    const bad = service("malformed", 80);
    this.api.put("services", kind === "object" ? { ...bad, spec: { ports: "none" } } : bad);
    const good = { endpoints: [{ addresses: ["10.9.9.9"] }], ports: [{ name: "http", port: 80 }] };
    const port = { ...good, ports: [{ name: "http", port: 70_000 }] };
    const address = { ...good, endpoints: [{ addresses: ["no address"] }] };
    this.api.put("endpointslices", slice("malformed", kind === "port" ? port : kind === "address" ? address : good));
    return Promise.resolve();
  }

  setWorkload(name: string, ip: string): Promise<WorkloadKey> {
    this.api.put("pods", podObject(name, ip, {}));
    return Promise.resolve(workloadKey("contract", namespace, name));
  }

  removeWorkload(name: string): Promise<void> {
    this.api.delete("pods", `${namespace}/${name}`);
    return Promise.resolve();
  }

  setObject({ kind, name, spec }: Pick<ConfigObject, "kind" | "name" | "spec">): Promise<ObjectKey> {
    this.api.put("virtualservices", { kind, metadata: { name, namespace }, spec });
    return Promise.resolve(objectKey({ kind, namespace, name }));
  }

  removeObject(key: ObjectKey): Promise<void> {
    this.api.delete("virtualservices", key.slice(key.indexOf("/") + 1));
    return Promise.resolve();
  }

  connections(): Promise<number> {
    return this.api.connections();
  }

  close(): Promise<void> {
    return this.api.shut();
  }
}

function service(name: string, port: number): FakeObject {
  const spec = { clusterIP: "10.96.0.1", ports: [{ name: "http", port, protocol: "TCP" }] };
  return { kind: "Service", metadata: { name, namespace }, spec };
}

function slice(name: string, content: object): FakeObject {
  const labels = { "kubernetes.io/service-name": name };
  return { kind: "EndpointSlice", metadata: { name: `${name}-1`, namespace, labels }, addressType: "IPv4", ...content };
}

function podObject(name: string, ip: string, labels: object): FakeObject {
  const status = { phase: "Running", podIP: ip, conditions: [{ type: "Ready", status: "True" }] };
  return { kind: "Pod", metadata: { name, namespace, labels }, spec: {}, status };
}

describeRegistry({
  name: "kubernetes (fake API server)",
  world: () => FakeWorld.open(),
  create: (world, deps) =>
    new KubernetesRegistry(
      parseKubernetesConfig({ url: world.api.url, token: world.secret, cluster: "contract" }),
      deps,
    ),
  supports: {
    deltas: true,
    workloads: true,
    objects: true,
    truncation: true,
    secrets: true,
    emptyServices: true,
    backoff: true,
    problems: ["UNREACHABLE", "AUTH_FAILED", "PROTOCOL_ERROR"],
    malformed: ["object", "port", "address"],
    labelKeys: ["__proto__", "constructor", "toString"],
  },
  deadlineMs: 20_000,
});
