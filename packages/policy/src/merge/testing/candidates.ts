import { registryId, serviceKey } from "@signalbox/model";
import type { RegistryId, Service, ServiceInstance } from "@signalbox/model";
import type { Candidate, CandidateRecord } from "../../candidate.ts";

/** Three registries, by precedence. */
export const one = registryId("fake", "one");
export const two = registryId("fake", "two");
export const three = registryId("fake", "three");
export const registries = [one, two, three] as const;

/** The key of the service that `record` describes. */
export const key = serviceKey({ namespace: "test", hostname: "a.test" });

/** Makes a candidate at `ip`, port 8080, of service port `http`. */
export function candidate(
  registry: RegistryId,
  ip: string,
  more: Partial<ServiceInstance> = {},
  state: Partial<Omit<Candidate, "instance" | "registry">> = {},
): Candidate {
  return {
    registry,
    findings: [],
    priority: 0,
    instance: {
      id: `at ${ip}`,
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
    },
    ...state,
  };
}

/** Makes as many healthy candidates of a registry, at addresses that begin with `prefix`. */
export function many(registry: RegistryId, count: number, prefix = `10.${registries.indexOf(registry)}`): Candidate[] {
  return Array.from({ length: count }, (_, at) => candidate(registry, `${prefix}.${Math.floor(at / 250)}.${at % 250}`));
}

/** Makes what one registry says of a service with HTTP port 80. */
export function record(
  registry: RegistryId,
  candidates: readonly Candidate[],
  more: Partial<Service> = {},
): CandidateRecord {
  return {
    registry,
    candidates,
    service: {
      hostname: "a.test",
      namespace: "test",
      ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      resolution: "STATIC",
      addresses: [],
      labels: {},
      meshExternal: false,
      exportTo: [],
      serviceAccounts: [],
      provenance: { registry, object: "a" },
      ...more,
    },
  };
}
