import { registryId, serviceKey, workloadKey } from "@signalbox/model";
import type { Address, ServiceInstance, Workload } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../../candidate.ts";
import type { DriftService } from "../belonging.ts";
import { MemberIndex } from "../members.ts";
import type { DriftOptions } from "../options.ts";
import { DriftTruth } from "../truth.ts";

/** A registry that is checked. */
export const book = registryId("book", "a");
/** Two registries whose workloads are the truth. */
export const east = registryId("cluster", "east");
export const west = registryId("cluster", "west");

export const orders: DriftService = { namespace: "shop", hostname: "orders.test", name: "orders" };
export const billing: DriftService = { namespace: "shop", hostname: "billing.test", name: "billing" };
export const ordersKey = serviceKey(orders);
export const billingKey = serviceKey(billing);

const locality = { region: "", zone: "", subzone: "" };

/** What tests check unless they say otherwise: `east` has 10.0.0.0/16 and 2001:db8::/64, `west` has 10.1.0.0/16. */
export const options: DriftOptions = {
  clusters: [
    { registry: east, podCidrs: ["10.0.0.0/16", "2001:db8::/64"] },
    { registry: west, podCidrs: ["10.1.0.0/16"] },
  ],
  checked: ["book/*"],
};

/** A truth that believes both clusters. */
export function believed(more: Partial<DriftOptions> = {}): DriftTruth {
  const truth = new DriftTruth({ ...options, ...more });
  for (const { registry } of options.clusters) truth.trust(registry, true);
  return truth;
}

/** Makes a ready workload of `east`, `prod/<name>`, with one address and no ports. */
export function workload(name: string, ip: string, more: Partial<Workload> = {}): Workload {
  return {
    key: workloadKey("east", "prod", name),
    addresses: [ip],
    hostNetwork: false,
    ports: [],
    phase: "READY",
    labels: {},
    owner: "",
    serviceAccount: "",
    node: "",
    locality,
    network: "",
    provenance: { registry: east, object: name },
    ...more,
  };
}

/** Makes an address of an IP and port 8080. */
export function at(ip: string, port = 8080): Address {
  return { type: "ip", ip, port };
}

/** Makes an instance of `book` at port 8080 of an address. */
export function instance(ip: string, more: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    id: `at ${ip}`,
    servicePort: "http",
    addresses: [at(ip)],
    labels: {},
    locality,
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    provenance: { registry: book, object: ip },
    ...more,
  };
}

/** Makes a candidate of `book`. */
export function candidate(ip: string, more: Partial<Candidate> = {}): Candidate {
  return { instance: instance(ip), registry: book, findings: [], priority: 0, ...more };
}

/** Makes the record of `book` about `orders`. */
export function record(...candidates: readonly Candidate[]): CandidateRecord {
  return {
    registry: book,
    service: {
      hostname: orders.hostname,
      namespace: orders.namespace,
      ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      resolution: "STATIC",
      addresses: [],
      labels: {},
      meshExternal: false,
      exportTo: [],
      serviceAccounts: [],
      provenance: { registry: book, object: "ORDERS" },
    },
    candidates,
  };
}

/** Nobody lists anything. */
export const nobody = new MemberIndex();

/** Members where `east` lists these addresses under these services. */
export function membersOf(listed: readonly (readonly [DriftService, readonly Address[]])[]): MemberIndex {
  const members = new MemberIndex();
  for (const [service, addresses] of listed) {
    const instances = addresses.map((address) => instance("", { addresses: [address] }));
    members.update(east, serviceKey(service), { service: serviceKey(service), name: service.name, instances });
  }
  return members;
}
