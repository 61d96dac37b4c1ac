import { isIpAddress, registryId, workloadKey } from "@signalbox/model";
import type {
  Address,
  ConfigObject,
  Labels,
  Port,
  Provenance,
  RegistryId,
  Service,
  ServiceInstance,
  ServiceRecord,
  Workload,
} from "@signalbox/model";

/** The registry that test data comes from where the test does not care. */
const testRegistry = registryId("test", "records");

/** What a test says about an endpoint; all the rest has a plain default. */
export interface InstanceOptions extends Partial<Omit<ServiceInstance, "addresses" | "provenance">> {
  /** An IP address, a hostname, `unix:<path>`, or whole addresses. Default 10.0.0.1. */
  readonly address?: string | readonly [Address, ...Address[]];
  /** Where the endpoint listens. Default 8080. */
  readonly port?: number;
  readonly registry?: RegistryId;
  readonly provenance?: Provenance;
}

/** What a test says about a service; all the rest has a plain default. */
export interface RecordOptions extends Partial<Omit<Service, "ports" | "provenance">> {
  /** Port numbers, each an HTTP port named `http` (the first) or `http-<number>`, or whole ports. Default [80]. */
  readonly ports?: readonly (number | Port)[];
  /** Addresses or options; each endpoint serves the first port unless it says another. Default none. */
  readonly instances?: readonly (string | InstanceOptions)[];
  readonly registry?: RegistryId;
  readonly provenance?: Provenance;
}

/** A valid endpoint. Its id is its address and port unless given. */
export function serviceInstance(options: InstanceOptions = {}): ServiceInstance {
  const { address = "10.0.0.1", port = 8080, registry = testRegistry, ...given } = options;
  const addresses = typeof address === "string" ? ([addressOf(address, port)] as const) : address;
  const id = given.id ?? (typeof address === "string" ? `${address}:${port}` : JSON.stringify(address[0]));
  return {
    servicePort: "http",
    labels: {},
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    provenance: { registry, object: id },
    ...given,
    id,
    addresses,
  };
}

/** A valid record: `serviceRecord({ hostname: "web.example.com", instances: ["10.0.0.1", "10.0.0.2"] })`. */
export function serviceRecord(options: RecordOptions = {}): ServiceRecord {
  const { ports: portsGiven = [80], instances = [], registry = testRegistry, ...given } = options;
  const hostname = given.hostname ?? "web.default.svc.cluster.local";
  const ports = portsGiven.map((port, index) => (typeof port === "number" ? httpPort(port, index) : port));
  const servicePort = ports[0]?.name ?? "http";
  return {
    service: {
      namespace: "default",
      resolution: "STATIC",
      addresses: [],
      labels: {},
      meshExternal: false,
      exportTo: [],
      serviceAccounts: [],
      provenance: { registry, object: hostname },
      ...given,
      hostname,
      ports,
    },
    instances: instances.map((instance) =>
      serviceInstance({ registry, servicePort, ...(typeof instance === "string" ? { address: instance } : instance) }),
    ),
  };
}

/** A valid workload, by default a ready pod `default/web-1` with the address 10.0.0.1. */
export function workload(
  options: Partial<Omit<Workload, "key">> & {
    readonly cluster?: string;
    readonly namespace?: string;
    readonly name?: string;
    readonly registry?: RegistryId;
  } = {},
): Workload {
  const { cluster = "", namespace = "default", name = "web-1", registry = testRegistry, ...given } = options;
  return {
    key: workloadKey(cluster, namespace, name),
    addresses: ["10.0.0.1"],
    hostNetwork: false,
    ports: [],
    phase: "READY",
    labels: {},
    owner: "",
    serviceAccount: "default",
    node: "",
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    provenance: { registry, object: `Pod ${namespace}/${name}` },
    ...given,
  };
}

/** A valid Istio object, by default an empty VirtualService `default/web`. */
export function configObject(
  options: Partial<ConfigObject> & { readonly registry?: RegistryId; readonly labels?: Labels } = {},
): ConfigObject {
  const { registry = testRegistry, ...given } = options;
  const kind = given.kind ?? "VirtualService";
  const name = given.name ?? "web";
  return {
    namespace: "default",
    labels: {},
    annotations: {},
    spec: {},
    provenance: { registry, object: `${kind} ${given.namespace ?? "default"}/${name}` },
    ...given,
    kind,
    name,
  };
}

function httpPort(number: number, index: number): Port {
  return { name: index === 0 ? "http" : `http-${number}`, number, protocol: "HTTP" };
}

function addressOf(text: string, port: number): Address {
  if (text.startsWith("unix:")) return { type: "unix", path: text.slice("unix:".length) };
  return isIpAddress(text) ? { type: "ip", ip: text, port } : { type: "hostname", hostname: text, port };
}
