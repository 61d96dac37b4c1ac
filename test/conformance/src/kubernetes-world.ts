import { randomBytes } from "node:crypto";
import { serviceKey, workloadKey, type ServiceKey, type WorkloadKey } from "@signalbox/model";
import type { Problem } from "@signalbox/registry";
import type { SourceService, SourceWorld } from "@signalbox/registry/conformance";
import { Road, waitFor, type RunningKube } from "@signalbox/test-servers";

/** The user whose rights come and go, and who may read nothing but one namespace and the nodes. */
export const reader = { name: "reader", token: "reader-token-of-the-tests" };

const slices = "/apis/discovery.k8s.io/v1";
const rbac = "/apis/rbac.authorization.k8s.io/v1";

/** One namespace of a real API server, written by plain REST as an independent client. Only instances with labels have pods. */
export class KubernetesWorld implements SourceWorld {
  readonly secret = reader.token;
  readonly road: Road;
  readonly kube: RunningKube;
  readonly namespace = `world-${randomBytes(4).toString("hex")}`;

  private constructor(kube: RunningKube) {
    this.kube = kube;
    this.road = new Road(kube.url);
  }

  static async open(kube: RunningKube): Promise<KubernetesWorld> {
    const world = new KubernetesWorld(kube);
    await kube.create("/api/v1/namespaces", { metadata: { name: world.namespace } });
    await world.allow();
    await world.road.open();
    return world;
  }

  /** Gives the reader the rights that the README asks for, in this namespace only. */
  async allow(): Promise<void> {
    const path = `${rbac}/namespaces/${this.namespace}`;
    const verbs = ["list", "watch"];
    const rules = [
      { apiGroups: [""], resources: ["services", "pods"], verbs },
      { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs },
    ];
    await this.#ensure(`${path}/roles`, { metadata: { name: "reader" }, rules });
    const roleRef = { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "reader" };
    const subjects = [{ apiGroup: "rbac.authorization.k8s.io", kind: "User", name: reader.name }];
    await this.#ensure(`${path}/rolebindings`, { metadata: { name: "reader" }, roleRef, subjects });
    await this.#until(200);
  }

  /** Takes the rights in this namespace away again. */
  async forbid(): Promise<void> {
    await this.kube.request(`${rbac}/namespaces/${this.namespace}/rolebindings/reader`, { method: "DELETE" });
    await this.#until(403);
  }

  async set({ name, port, instances }: SourceService): Promise<ServiceKey> {
    const spec = { clusterIP: "None", ports: [{ name: "http", port, targetPort: port }] };
    await this.#ensure(`/api/v1/namespaces/${this.namespace}/services`, { metadata: { name }, spec });
    for (const instance of instances) {
      if (instance.labels !== undefined) await this.setPod(instance.name, instance.ip, instance.labels);
    }
    await this.#put(`${slices}/namespaces/${this.namespace}/endpointslices`, `${name}-1`, {
      apiVersion: "discovery.k8s.io/v1",
      kind: "EndpointSlice",
      metadata: { name: `${name}-1`, labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      endpoints: instances.map(({ ip, labels, name: pod }) => ({
        addresses: [ip],
        conditions: { ready: true },
        ...(labels === undefined ? {} : { targetRef: { kind: "Pod", name: pod, namespace: this.namespace } }),
      })),
      ports: [{ name: "http", port, protocol: "TCP" }],
    });
    return serviceKey({ namespace: this.namespace, hostname: `${name}.${this.namespace}.svc.cluster.local` });
  }

  async remove(name: string): Promise<void> {
    await this.#delete(`/api/v1/namespaces/${this.namespace}/services/${name}`);
    await this.#delete(`${slices}/namespaces/${this.namespace}/endpointslices/${name}-1`);
  }

  async touch(): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/services`;
    const { items } = (await this.kube.request(path)).json() as { items: { metadata: { name: string } }[] };
    for (const { metadata } of items) {
      const annotations = { touched: randomBytes(4).toString("hex") };
      await this.#patch(`${path}/${metadata.name}`, { metadata: { annotations } });
    }
  }

  async break(problem: Problem): Promise<void> {
    if (problem === "AUTH_FAILED") await this.forbid();
    else await this.road.close();
    this.road.cut();
  }

  async truncate(): Promise<void> {
    // Past the TLS handshake, and before the end of a list.
    this.road.limit = 3000;
    this.road.cut();
    // A server that started anew knows no older versions, so that watches do not go on and lists are needed.
    await this.touch();
    await this.kube.restart();
  }

  stall(): Promise<void> {
    this.road.stalled = true;
    this.road.cut();
    return Promise.resolve();
  }

  async mend(): Promise<void> {
    const { road } = this;
    const wasOdd = road.stalled || road.limit < Number.POSITIVE_INFINITY;
    road.stalled = false;
    road.limit = Number.POSITIVE_INFINITY;
    if (wasOdd) road.cut();
    await road.open();
    await this.allow();
  }

  restart(): Promise<void> {
    return this.kube.restart();
  }

  malform(): Promise<void> {
    return Promise.reject(new TypeError("a real API server takes nothing malformed"));
  }

  async setWorkload(name: string, ip: string): Promise<WorkloadKey> {
    await this.setPod(name, ip, {});
    return workloadKey("contract", this.namespace, name);
  }

  async removeWorkload(name: string): Promise<void> {
    await this.#delete(`/api/v1/namespaces/${this.namespace}/pods/${name}?gracePeriodSeconds=0`);
  }

  /** Creates a pod that says it is ready, as a kubelet would. */
  async setPod(name: string, ip: string, labels: object): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/pods`;
    const spec = { containers: [{ name: "main", image: "example.test/none" }] };
    await this.#ensure(path, { metadata: { name, labels }, spec });
    const conditions = [{ type: "Ready", status: "True" }];
    await this.#patch(`${path}/${name}/status`, {
      status: { phase: "Running", podIP: ip, podIPs: [{ ip }], conditions },
    });
  }

  connections(): Promise<number> {
    return Promise.resolve(this.road.connections);
  }

  async close(): Promise<void> {
    await this.road.close();
  }

  async #ensure(path: string, object: object): Promise<void> {
    const answer = await this.kube.request(path, { method: "POST", body: object });
    if (answer.status !== 201 && answer.status !== 409)
      throw new Error(`POST ${path}: ${answer.status} ${answer.text}`);
  }

  async #put(path: string, name: string, object: object): Promise<void> {
    const answer = await this.kube.request(`${path}/${name}`, { method: "PUT", body: object });
    if (answer.status === 404) await this.kube.create(path, object);
    else if (answer.status !== 200) throw new Error(`PUT ${path}/${name}: ${answer.status} ${answer.text}`);
  }

  async #patch(path: string, change: object): Promise<void> {
    const headers = { "content-type": "application/merge-patch+json" };
    const answer = await this.kube.request(path, { method: "PATCH", body: JSON.stringify(change), headers });
    if (answer.status !== 200) throw new Error(`PATCH ${path}: ${answer.status} ${answer.text}`);
  }

  async #delete(path: string): Promise<void> {
    const answer = await this.kube.request(path, { method: "DELETE" });
    if (answer.status >= 300 && answer.status !== 404)
      throw new Error(`DELETE ${path}: ${answer.status} ${answer.text}`);
  }

  /** Rights take effect a moment after they were written. */
  async #until(status: number): Promise<void> {
    const path = `/api/v1/namespaces/${this.namespace}/services`;
    const isSo = async () => (await this.kube.request(path, { token: reader.token })).status === status;
    await waitFor(isSo, { what: `${status} for the reader`, deadlineMs: 30_000 });
  }
}
