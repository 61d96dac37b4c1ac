import { startKube } from "@signalbox/test-servers";
import { Api, parallel, type Access } from "../api.ts";
import type { Fleet, FleetInstance, FleetNode } from "../fleet.ts";
import { now } from "../time.ts";
import type { BareFollower, BenchSource, SourceOptions, Variant } from "./source.ts";

const namespace = "bench";
const services = `/api/v1/namespaces/${namespace}/services`;
const pods = `/api/v1/namespaces/${namespace}/pods`;
const slices = `/apis/discovery.k8s.io/v1/namespaces/${namespace}/endpointslices`;
/** Requests at the same time while the fleet is made. */
const width = 24;

/** Starts a Kubernetes API server. Nobody there runs pods, so the benchmark says itself what kubelets and controllers say. */
export async function startKubernetesSource({ fleet, signal }: SourceOptions): Promise<BenchSource> {
  const kube = await startKube({ own: true, signal });
  const access = { url: kube.url, caFile: kube.caFile, headers: { authorization: `Bearer ${kube.adminToken}` } };
  const api = new Api(access, width);
  const end = new AbortController();
  const create = async (path: string, body: object): Promise<void> => {
    await api.send(path, { method: "POST", body });
  };
  await create("/api/v1/namespaces", { metadata: { name: namespace } });
  await parallel(fleet.nodes, width, (node) => create("/api/v1/nodes", nodeOf(node)));
  return {
    name: "kubernetes",
    access,
    remarks: [
      `there are a pod for each instance, an EndpointSlice for each service, and ${fleet.nodes.length} nodes`,
      "the server has no controllers: the changes are writes to EndpointSlices",
      "the adapter has url, token and tls.ca, as in a pod; a kubeconfig takes some 20 MiB more, for the library that reads it",
    ],
    variants: () => [variant({ url: kube.url, token: kube.adminToken, tls: { ca: { file: kube.caFile } } })],
    async load(from, to) {
      const numbers = Array.from({ length: to - from }, (_, index) => from + index);
      await parallel(instancesOf(fleet, numbers), width, async (instance) => {
        await create(pods, podOf(instance));
        const type = "application/merge-patch+json";
        await api.send(`${pods}/${instance.id}/status`, { method: "PATCH", type, body: statusOf(instance, fleet) });
      });
      await parallel(numbers, width, async (number) => {
        await create(services, serviceOf(fleet.service(number)));
        await create(slices, sliceOf(fleet.instancesOf(number)));
      });
    },
    async move(service, address) {
      const [first, ...rest] = fleet.instancesOf(service);
      if (first === undefined) throw new RangeError("a service without instances");
      const body = sliceOf([{ ...first, ip: address }, ...rest]);
      await api.send(`${slices}/${sliceName(first.service)}`, { method: "PUT", body });
    },
    follower: followerOf(access, AbortSignal.any([signal, end.signal])),
    settled: () => Promise.resolve(),
    async stop() {
      end.abort();
      api.close();
      await kube.stop();
    },
  };
}

function variant(config: object): Variant {
  return {
    name: "",
    config,
    changes: { type: "one-by-one" },
    changesShare: 1,
    rereadsPerHour: 0,
    hasTargets: true,
  };
}

/** A watch without any of the adapter around it; it begins with the first change that is expected. */
function followerOf(access: Access, signal: AbortSignal): BareFollower {
  const waiting = new Map<string, (at: number) => void>();
  const api = new Api(access, 1);
  const take = (line: string): void => {
    for (const [address, tell] of waiting) {
      if (!line.includes(`"${address}"`)) continue;
      JSON.parse(line);
      waiting.delete(address);
      tell(now());
    }
  };
  const watch = async (): Promise<void> => {
    const { text } = await api.send(`${slices}?limit=1`, { signal });
    const { metadata } = JSON.parse(text) as { readonly metadata: { readonly resourceVersion: string } };
    const stream = await api.open(`${slices}?watch=1&resourceVersion=${metadata.resourceVersion}`, { signal });
    stream.setEncoding("utf8");
    let rest = "";
    stream.on("data", (chunk: string) => {
      const lines = `${rest}${chunk}`.split("\n");
      rest = lines.pop() ?? "";
      for (const line of lines) take(line);
    });
    // The end of the benchmark ends it.
    stream.on("error", () => api.close());
  };
  let began: Promise<void> | undefined;
  return {
    type: "wait",
    async expect(_service, address) {
      began ??= watch();
      await began;
      return { seen: new Promise((resolve) => waiting.set(address, resolve)) };
    },
  };
}

function* instancesOf(fleet: Fleet, numbers: readonly number[]): Iterable<FleetInstance> {
  for (const number of numbers) yield* fleet.instancesOf(number);
}

function nodeOf({ name, zone }: FleetNode): object {
  const labels = { "topology.kubernetes.io/region": "region-1", "topology.kubernetes.io/zone": zone };
  return { metadata: { name, labels } };
}

function labelsOf(service: string): Readonly<Record<string, string>> {
  return { app: service, version: "v1", "pod-template-hash": "6d4cf56db6" };
}

function podOf({ id, node, port, service }: FleetInstance): object {
  const ports = [{ name: "http", containerPort: port }];
  return {
    metadata: {
      name: id,
      labels: labelsOf(service),
      ownerReferences: [
        { apiVersion: "apps/v1", kind: "ReplicaSet", name: `${service}-6d4cf56db6`, uid: service, controller: true },
      ],
    },
    spec: { nodeName: node, containers: [{ name: "main", image: "registry.example/app:1.4.2", ports }] },
  };
}

function statusOf({ ip, node }: FleetInstance, { nodes }: Fleet): object {
  const startTime = "2025-01-01T00:00:00Z";
  const conditions = ["PodScheduled", "Initialized", "ContainersReady", "Ready"].map((type) => ({
    ...{ type, status: "True", lastTransitionTime: startTime },
  }));
  const hostIP = nodes.find(({ name }) => name === node)?.ip ?? "";
  return { status: { phase: "Running", hostIP, podIP: ip, podIPs: [{ ip }], startTime, conditions } };
}

function serviceOf(name: string): object {
  const ports = [{ name: "http", port: 80, targetPort: "http" }];
  return { metadata: { name }, spec: { selector: { app: name }, ports } };
}

function sliceName(service: string): string {
  return `${service}-1`;
}

function sliceOf(instances: readonly FleetInstance[]): object {
  const [first] = instances;
  const service = first?.service ?? "";
  return {
    metadata: { name: sliceName(service), labels: { "kubernetes.io/service-name": service } },
    addressType: "IPv4",
    ports: [{ name: "http", port: first?.port, protocol: "TCP" }],
    endpoints: instances.map(({ id, ip, node, zone }) => ({
      addresses: [ip],
      conditions: { ready: true, serving: true, terminating: false },
      nodeName: node,
      zone,
      targetRef: { kind: "Pod", name: id, namespace },
    })),
  };
}
