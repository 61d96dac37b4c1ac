import { byCodeUnit, instanceKey, parseLocality, workloadKey } from "@signalbox/model";
import type {
  Address,
  HealthStatus,
  Locality,
  Port,
  RegistryId,
  Resolution,
  ServiceInstance,
  ServiceRecord,
  Workload,
} from "@signalbox/model";
import type { KubeEndpoint, KubeNode, KubePod, KubeService, KubeSlice } from "./convert/objects.ts";

/** What the conversion has to know beside the objects. */
export interface ConvertContext {
  readonly registry: RegistryId;
  /** First part of the keys of workloads. */
  readonly cluster: string;
  /** Network of pods that name none. */
  readonly network: string;
  readonly domain: string;
  readonly trustDomain: string;
}

/** The other objects of the cluster, as far as a service or a pod needs them. Absent ones are simply not known. */
export interface ClusterView {
  pod(namespace: string, name: string): KubePod | undefined;
  node(name: string): KubeNode | undefined;
  service(namespace: string, name: string): KubeService | undefined;
}

/** The host name of a service. */
export function hostnameOf(service: { readonly namespace: string; readonly name: string }, domain: string): string {
  return `${service.name}.${service.namespace}.svc.${domain}`;
}

/** The service of the same cluster that a host name means, if it has the form of one. */
export function serviceOfHostname(
  hostname: string,
  domain: string,
): { readonly namespace: string; readonly name: string } | undefined {
  const end = `.svc.${domain.toLowerCase()}`;
  if (!hostname.endsWith(end)) return undefined;
  const [name = "", namespace = "", ...rest] = hostname.slice(0, -end.length).split(".");
  return name === "" || namespace === "" || rest.length > 0 ? undefined : { namespace, name };
}

/**
 * Converts a Service with its EndpointSlices, in any order. Pure. Endpoints are merged over the slices: one that several slices
 * hold counts once, as healthy as the healthiest of them; the IPv4 and IPv6 address of a pod are one instance.
 */
export function convertService(
  service: KubeService,
  slices: Iterable<KubeSlice>,
  view: ClusterView,
  context: ConvertContext,
): ServiceRecord {
  const provenance = {
    registry: context.registry,
    object: `Service ${service.namespace}/${service.name}`,
    ...(service.version === "" ? {} : { sourceVersion: service.version }),
  };
  const ports = portsOf(service, view, context);
  const record = {
    hostname: hostnameOf(service, context.domain),
    namespace: service.namespace,
    ports,
    resolution: resolutionOf(service),
    addresses: service.addresses,
    labels: service.labels,
    meshExternal: service.externalName !== undefined,
    exportTo: service.exportTo,
    serviceAccounts: [
      ...service.identities,
      ...service.accounts.map((name) => `spiffe://${context.trustDomain}/ns/${service.namespace}/sa/${name}`),
    ],
    ...(service.createdAt === undefined ? {} : { createdAt: service.createdAt }),
    provenance,
  };
  const { externalName } = service;
  const instances =
    externalName === undefined
      ? new Instances(service, ports, view, context).of(slices)
      : ports.map((port) => aliasInstance(externalName, port, provenance, context));
  return { service: record, instances };
}

function resolutionOf(service: KubeService): Resolution {
  if (service.externalName !== undefined) return "ALIAS";
  return service.headless ? "NONE" : "STATIC";
}

/** An alias without ports, as most are, has those of the service that it names. */
function portsOf(service: KubeService, view: ClusterView, { domain }: ConvertContext): readonly Port[] {
  let { ports } = service;
  if (service.externalName !== undefined && ports.length === 0) {
    const target = serviceOfHostname(service.externalName, domain);
    if (target !== undefined) ports = view.service(target.namespace, target.name)?.ports ?? [];
  }
  return ports.map(({ name, number, protocol }) => ({ name, number, protocol }));
}

function aliasInstance(
  hostname: string,
  port: Port,
  provenance: ServiceInstance["provenance"],
  { network }: ConvertContext,
): ServiceInstance {
  const address: Address = { type: "hostname", hostname, port: port.number };
  return {
    id: `${port.name}/${instanceKey(address)}`,
    servicePort: port.name,
    addresses: [address],
    labels: {},
    locality: nowhere,
    network,
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    provenance,
  };
}

const nowhere: Locality = { region: "", zone: "", subzone: "" };
const rank: Readonly<Record<HealthStatus, number>> = {
  HEALTHY: 0,
  DEGRADED: 1,
  UNKNOWN: 2,
  TERMINATING: 3,
  DRAINING: 4,
  UNHEALTHY: 5,
};

/** Merges the endpoints of all slices of one service. */
class Instances {
  readonly #service: KubeService;
  readonly #view: ClusterView;
  readonly #context: ConvertContext;
  readonly #ports: ReadonlySet<string>;
  readonly #byId = new Map<string, ServiceInstance>();
  /** The first instance of each pod on each port, for its addresses of the other family. */
  readonly #ofPod = new Map<string, string>();

  constructor(service: KubeService, ports: readonly Port[], view: ClusterView, context: ConvertContext) {
    this.#service = service;
    this.#view = view;
    this.#context = context;
    this.#ports = new Set(ports.map(({ name }) => name));
  }

  of(slices: Iterable<KubeSlice>): readonly ServiceInstance[] {
    const { ipv6First } = this.#service;
    const family = (slice: KubeSlice) => (slice.ipv6 === ipv6First ? 0 : 1);
    const sorted = [...slices].sort((a, b) => family(a) - family(b) || byCodeUnit(a.name, b.name));
    for (const slice of sorted) this.#slice(slice, slice.ipv6 !== ipv6First);
    // By id, so that the order of slices, which says nothing, changes nothing.
    return [...this.#byId.values()].sort((a, b) => byCodeUnit(a.id, b.id));
  }

  #slice(slice: KubeSlice, secondary: boolean): void {
    const provenance = {
      registry: this.#context.registry,
      object: `${slice.kind} ${slice.namespace}/${slice.name}`,
      ...(slice.version === "" ? {} : { sourceVersion: slice.version }),
    };
    for (const endpoint of slice.endpoints) {
      const facts = this.#facts(slice.namespace, endpoint);
      for (const port of slice.ports) {
        if (!this.#ports.has(port.name)) continue;
        const pod = endpoint.pod === "" ? "" : `${port.name}/${endpoint.pod}/${port.number}`;
        for (const ip of endpoint.addresses) {
          const address: Address = { type: "ip", ip, port: port.number };
          if (secondary && pod !== "" && this.#join(pod, address)) continue;
          const id = `${port.name}/${instanceKey(address)}`;
          const known = this.#byId.get(id);
          if (known !== undefined && rank[known.healthStatus] <= rank[endpoint.health]) continue;
          this.#byId.set(id, {
            id,
            servicePort: port.name,
            addresses: [address],
            labels: facts.labels,
            locality: facts.locality,
            network: facts.network,
            serviceAccount: facts.serviceAccount,
            tls: facts.tls,
            healthStatus: facts.healthStatus,
            weight: 1,
            provenance,
          });
          if (pod !== "" && !this.#ofPod.has(pod)) this.#ofPod.set(pod, id);
        }
      }
    }
  }

  /** Adds the address to the instance that the pod already has; false where it has none. */
  #join(pod: string, address: Address): boolean {
    const instance = this.#byId.get(this.#ofPod.get(pod) ?? "");
    const [first] = instance?.addresses ?? [];
    if (instance === undefined || first?.type !== "ip" || address.type !== "ip") return false;
    if (first.ip.includes(":") === address.ip.includes(":")) return false;
    const known = instance.addresses.some((other) => other.type === "ip" && other.ip === address.ip);
    if (!known) this.#byId.set(instance.id, { ...instance, addresses: [...instance.addresses, address] });
    return true;
  }

  #facts(namespace: string, endpoint: KubeEndpoint) {
    const pod = endpoint.pod === "" ? undefined : this.#view.pod(namespace, endpoint.pod);
    const node = this.#view.node(endpoint.node === "" ? (pod?.node ?? "") : endpoint.node);
    return {
      labels: pod?.labels ?? noLabels,
      locality: localityOf(pod, node, endpoint.zone),
      network: networkOf(pod, this.#context),
      serviceAccount: pod?.serviceAccount ?? "",
      tls: tlsOf(pod),
      healthStatus: endpoint.health,
    };
  }
}

const noLabels = {};

/** A pod's own label wins, then what the endpoint says of its zone, then the node. */
function localityOf(pod: KubePod | undefined, node: KubeNode | undefined, zone: string): Locality {
  const own = labelOf(pod, "istio-locality");
  // Labels cannot hold a slash, so Istio takes dots.
  if (own !== "") return parseLocality(own.replaceAll(".", "/"));
  const { locality = nowhere } = node ?? {};
  // One object for all that runs on a node.
  return zone === "" || zone === locality.zone ? locality : { ...locality, zone };
}

function networkOf(pod: KubePod | undefined, { network }: ConvertContext): string {
  const own = labelOf(pod, "topology.istio.io/network");
  return own === "" ? network : own;
}

function tlsOf(pod: KubePod | undefined): ServiceInstance["tls"] {
  return labelOf(pod, "security.istio.io/tlsMode") === "istio" ? "istio" : "disabled";
}

function labelOf(pod: KubePod | undefined, key: string): string {
  if (pod === undefined || !Object.hasOwn(pod.labels, key)) return "";
  return pod.labels[key] ?? "";
}

/** Converts a Pod. Pure. */
export function convertPod(pod: KubePod, view: Pick<ClusterView, "node">, context: ConvertContext): Workload {
  return {
    key: workloadKey(context.cluster, pod.namespace, pod.name),
    addresses: pod.addresses,
    hostNetwork: pod.hostNetwork,
    ports: pod.ports,
    tls: tlsOf(pod),
    phase: pod.phase,
    labels: pod.labels,
    owner: pod.owner,
    serviceAccount: pod.serviceAccount,
    node: pod.node,
    locality: localityOf(pod, view.node(pod.node), ""),
    network: networkOf(pod, context),
    ...(pod.startedAt === undefined ? {} : { startedAt: pod.startedAt }),
    provenance: {
      registry: context.registry,
      object: `Pod ${pod.namespace}/${pod.name}`,
      ...(pod.version === "" ? {} : { sourceVersion: pod.version }),
    },
  };
}
