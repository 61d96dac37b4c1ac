import type { IncomingMessage, ServerResponse } from "node:http";
import { FakeHttp, sendJson } from "./fake-http.ts";

type Collection = "services" | "endpointslices" | "pods" | "nodes";
type KubernetesObject = Readonly<Record<string, unknown>> & {
  readonly metadata: Readonly<Record<string, unknown>> & { readonly name: string };
};

/** A pod; what is absent is as of one that is ready. */
interface PodOptions {
  readonly app: string;
  readonly ip: string;
  readonly deletedAt?: string;
}

interface Event {
  readonly version: number;
  readonly collection: Collection;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: object;
}

/** As much of a Kubernetes API server as discovery reads: lists, and watches that may have expired. All is in the namespace `shop`. */
export class FakeKubernetes extends FakeHttp {
  #version = 100;
  /** Watches from before this version have expired. */
  #oldest = 0;
  #events: Event[] = [];
  readonly #objects = new Map<Collection, Map<string, KubernetesObject>>();
  readonly #watches = new Set<{ readonly collection: Collection; readonly response: ServerResponse }>();

  pod(name: string, { app, deletedAt, ip }: PodOptions): void {
    this.#put("pods", {
      metadata: {
        name,
        namespace: "shop",
        labels: { app },
        ...(deletedAt !== undefined && { deletionTimestamp: deletedAt }),
      },
      spec: { nodeName: "node-1", containers: [{ name: "main", ports: [{ containerPort: 8080 }] }] },
      status: {
        phase: "Running",
        podIP: ip,
        podIPs: [{ ip }],
        startTime: "2026-01-01T00:00:00Z",
        conditions: [{ type: "Ready", status: "True" }],
      },
    });
  }

  deletePod(name: string): void {
    this.#delete("pods", name);
  }

  /** A service on port 8080 with ready endpoints at these addresses. */
  service(name: string, ...ips: readonly string[]): void {
    const spec = { clusterIP: "10.96.0.1", clusterIPs: ["10.96.0.1"], ports: [{ name: "http", port: 8080 }] };
    if (!this.#of("services").has(name)) this.#put("services", { metadata: { name, namespace: "shop" }, spec });
    this.#put("endpointslices", {
      metadata: { name: `${name}-1`, namespace: "shop", labels: { "kubernetes.io/service-name": name } },
      addressType: "IPv4",
      ports: [{ name: "http", port: 8080, protocol: "TCP" }],
      endpoints: ips.map((ip) => ({ addresses: [ip], conditions: { ready: true } })),
    });
  }

  /** Ends every watch after changes that no watch tells, and forgets the versions before. */
  expire(changes: () => void): void {
    const watches = [...this.#watches];
    this.#watches.clear();
    changes();
    this.#oldest = ++this.#version;
    this.#events = [];
    for (const { response } of watches) response.end();
  }

  protected answer(url: URL, _request: IncomingMessage, response: ServerResponse): void {
    const collection = /\/(services|endpointslices|pods|nodes)$/.exec(url.pathname)?.[1] as Collection | undefined;
    if (collection === undefined) sendJson(response, { kind: "Status", code: 404 }, 404);
    else if (url.searchParams.get("watch") === "1") this.#watch(url, collection, response);
    else {
      const metadata = { resourceVersion: String(this.#version) };
      sendJson(response, { kind: "List", metadata, items: [...this.#of(collection).values()] });
    }
  }

  #watch(url: URL, collection: Collection, response: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < this.#oldest) {
      const object = { kind: "Status", code: 410, reason: "Expired", message: `too old resource version: ${from}` };
      response.end(`${JSON.stringify({ type: "ERROR", object })}\n`);
      return;
    }
    for (const event of this.#events)
      if (event.version > from && event.collection === collection) tell(response, event);
    const watch = { collection, response };
    this.#watches.add(watch);
    response.on("close", () => this.#watches.delete(watch));
  }

  #of(collection: Collection): Map<string, KubernetesObject> {
    const objects = this.#objects.get(collection) ?? new Map<string, KubernetesObject>();
    this.#objects.set(collection, objects);
    return objects;
  }

  #put(collection: Collection, object: KubernetesObject): void {
    const objects = this.#of(collection);
    const { name } = object.metadata;
    const type = objects.has(name) ? "MODIFIED" : "ADDED";
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    objects.set(name, stored);
    this.#tell({ version: this.#version, collection, type, object: stored });
  }

  #delete(collection: Collection, name: string): void {
    const object = this.#of(collection).get(name);
    if (object === undefined) return;
    this.#of(collection).delete(name);
    const gone = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#tell({ version: this.#version, collection, type: "DELETED", object: gone });
  }

  #tell(event: Event): void {
    this.#events.push(event);
    for (const { collection, response } of this.#watches) if (collection === event.collection) tell(response, event);
  }
}

function tell(response: ServerResponse, { object, type }: Event): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}
