import type { RunningKube } from "@signalbox/test-servers";
import { namespace, port } from "./cast.ts";

/** A pod as it is written to the cluster. */
export interface PodSpec {
  readonly name: string;
  readonly address: string;
  readonly labels: Readonly<Record<string, string>>;
}

const pods = `/api/v1/namespaces/${namespace}/pods`;
const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;

/** What people, controllers and kubelets would write to the cluster. */
export class Cluster {
  readonly #kube: RunningKube;
  readonly #published = new Map<string, readonly PodSpec[]>();

  constructor(kube: RunningKube) {
    this.#kube = kube;
  }

  async createNamespace(): Promise<void> {
    await this.#kube.create("/api/v1/namespaces", { metadata: { name: namespace } });
  }

  /** A Service with port 80, for HTTP. */
  async createService(name: string, selector: Readonly<Record<string, string>>): Promise<void> {
    const ports = [{ name: "http", port: 80, targetPort: port }];
    await this.#kube.create(`/api/v1/namespaces/${namespace}/services`, {
      metadata: { name },
      spec: { selector, ports },
    });
  }

  /** A pod that runs and is ready. */
  async addPod({ address, labels, name }: PodSpec): Promise<void> {
    await this.#kube.create(pods, {
      metadata: { name, labels },
      spec: { containers: [{ name: "main", image: "main" }] },
    });
    const conditions = [{ type: "Ready", status: "True" }];
    const status = {
      phase: "Running",
      podIP: address,
      podIPs: [{ ip: address }],
      startTime: new Date().toISOString().replace(/\.\d+Z$/, "Z"),
      conditions,
    };
    await this.#write(`${pods}/${name}/status`, "PATCH", { status });
  }

  /** Resolves when the server has deleted it: nobody waits for its process. */
  async deletePod(name: string): Promise<void> {
    await this.#write(`${pods}/${name}?gracePeriodSeconds=0`, "DELETE", {});
  }

  /** Writes that these pods are the endpoints of a Service. */
  async publish(service: string, endpoints: readonly PodSpec[]): Promise<void> {
    const known = this.#published.has(service);
    this.#published.set(service, endpoints);
    const slice = {
      metadata: { name: `${service}-1`, labels: { "kubernetes.io/service-name": service } },
      addressType: "IPv4",
      endpoints: endpoints.map(({ address, name }) => ({
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: "Pod", namespace, name },
      })),
      ports: [{ name: "http", port, protocol: "TCP" }],
    };
    if (known) await this.#write(`${slices}/${service}-1`, "PUT", slice);
    else await this.#kube.create(slices, slice);
  }

  async #write(path: string, method: string, body: object): Promise<void> {
    const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
    const answer = await this.#kube.request(path, { method, body, headers });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }
}

/** The pod of a service at an address; `generation` tells the pods of one service apart that a Service selects from others. */
export function podOf(service: string, address: string, generation: "old" | "new"): PodSpec {
  const name = `${service}-${address.replaceAll(".", "-")}`;
  return { name, address, labels: { app: service, generation } };
}
