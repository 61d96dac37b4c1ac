import type { HealthStatus, RegistryId, ServiceInstance, ServiceRecord } from "@signalbox/model";

/** What tells one service of a made-up mesh from the others. */
export interface PlainService {
  readonly registry: RegistryId;
  readonly hostname: string;
  readonly namespace: string;
  readonly instances: readonly PlainInstance[];
}

/** What tells one of its endpoints from the others. */
export interface PlainInstance {
  readonly id: string;
  readonly ip: string;
  readonly port: number;
  readonly version: string;
  /** HEALTHY by default. */
  readonly healthStatus?: HealthStatus;
}

/** A service as most are: HTTP on port 80, no address of its own, endpoints without a place. */
export function plainRecord({ hostname, instances, namespace, registry }: PlainService): ServiceRecord {
  return {
    service: {
      hostname,
      namespace,
      ports: [{ name: "http", number: 80, protocol: "HTTP" }],
      resolution: "STATIC",
      addresses: [],
      labels: {},
      meshExternal: false,
      exportTo: [],
      serviceAccounts: [],
      provenance: { registry, object: hostname },
    },
    instances: instances.map((one) => plainInstance(one, registry)),
  };
}

function plainInstance(
  { healthStatus = "HEALTHY", id, ip, port, version }: PlainInstance,
  registry: RegistryId,
): ServiceInstance {
  return {
    id,
    servicePort: "http",
    addresses: [{ type: "ip", ip, port }],
    labels: { version },
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus,
    weight: 1,
    provenance: { registry, object: id },
  };
}
