import type { RunningKube } from "@signalbox/test-servers";

const pods = "/api/v1/namespaces/shop/pods";
const slices = "/apis/discovery.k8s.io/v1/namespaces/shop/endpointslices";

/** What controllers and kubelets would write: pods that run and answer on port 8080, and the slice of their one service, `web` in `shop`. */
export class PodCluster {
  readonly #kube: RunningKube;
  #pods: readonly string[] = [];
  #touched = 0;

  constructor(kube: RunningKube) {
    this.#kube = kube;
  }

  async createService(): Promise<void> {
    await this.#kube.create("/api/v1/namespaces", { metadata: { name: "shop" } });
    const ports = [{ name: "http", port: 80, targetPort: 8080 }];
    const service = { metadata: { name: "web" }, spec: { selector: { app: "web" }, ports } };
    await this.#kube.create("/api/v1/namespaces/shop/services", service);
  }

  async addPod(address: string): Promise<void> {
    const name = podName(address);
    await this.#kube.create(pods, {
      metadata: { name, labels: { app: "web" } },
      spec: { containers: [{ name: "web", image: "web" }] },
    });
    const conditions = [{ type: "Ready", status: "True" }];
    await this.#write(`${pods}/${name}/status`, "PATCH", {
      status: { phase: "Running", podIP: address, podIPs: [{ ip: address }], conditions },
    });
    this.#pods = [...this.#pods, address];
    if (this.#pods.length === 1) await this.#kube.create(slices, this.#slice());
    else await this.#write(`${slices}/web-1`, "PUT", this.#slice());
  }

  async removePod(address: string): Promise<void> {
    this.#pods = this.#pods.filter((pod) => pod !== address);
    await this.#write(`${slices}/web-1`, "PUT", this.#slice());
    await this.#write(`${pods}/${podName(address)}?gracePeriodSeconds=0`, "DELETE", {});
  }

  /** Writes the slice again with another annotation: a new version of the same state. */
  async touch(): Promise<void> {
    this.#touched++;
    await this.#write(`${slices}/web-1`, "PATCH", { metadata: { annotations: { touched: String(this.#touched) } } });
  }

  #slice(): object {
    return {
      metadata: { name: "web-1", labels: { "kubernetes.io/service-name": "web" } },
      addressType: "IPv4",
      endpoints: this.#pods.map((address) => ({
        addresses: [address],
        conditions: { ready: true, serving: true, terminating: false },
        targetRef: { kind: "Pod", namespace: "shop", name: podName(address) },
      })),
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
    };
  }

  async #write(path: string, method: string, body: object): Promise<void> {
    const headers = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
    const answer = await this.#kube.request(path, { method, body, headers });
    if (answer.status !== 200) throw new Error(`${method} ${path}: ${answer.status} ${answer.text}`);
  }
}

function podName(address: string): string {
  return `web-${address.replaceAll(".", "-")}`;
}
