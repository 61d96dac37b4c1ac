import { registryId, serviceKey } from "@signalbox/model";
import type { RegistryId, Service, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";
import type { CandidateRecord } from "../candidate.ts";

export const eureka = registryId("eureka", "main");
export const consul = registryId("consul", "dc1");
export const kubernetes = registryId("kubernetes", "main");

/** The key of a service `name` of the tests. */
export function keyOf(name: string): ServiceKey {
  return serviceKey({ namespace: "prod", hostname: `${name}.prod.svc.cluster.local` });
}

/** A service as a registry has it, with one HTTP port 80. */
export function service(registry: RegistryId, name: string, more: Partial<Service> = {}): Service {
  return {
    hostname: `${name}.prod.svc.cluster.local`,
    namespace: "prod",
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance: { registry, object: name },
    ...more,
  };
}

/** A healthy endpoint at `ip:8080`. */
export function instance(registry: RegistryId, ip: string, more: Partial<ServiceInstance> = {}): ServiceInstance {
  return {
    id: `${ip}/http`,
    servicePort: "http",
    addresses: [{ type: "ip", ip, port: 8080 }],
    labels: {},
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    provenance: { registry, object: ip },
    ...more,
  };
}

/** What a registry says about `orders`. */
export function record(registry: RegistryId, ...instances: readonly ServiceInstance[]): ServiceRecord {
  return { service: service(registry, "orders"), instances };
}

/** The same as candidates that no stage has seen. */
export function candidates({ instances, service: of }: ServiceRecord): CandidateRecord {
  const { registry } = of.provenance;
  return {
    registry,
    service: of,
    candidates: instances.map((one) => ({ instance: one, registry, findings: [], priority: 0 })),
  };
}
