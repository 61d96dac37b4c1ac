import { byCodeUnit, canonicalIp, type Service, type ServiceKey } from "@signalbox/model";
import type { CandidateRecord } from "../candidate.ts";

/** Something that is allowed and probably not meant. */
export interface Lint {
  readonly code:
    /** An endpoint's address is a service's virtual address: its traffic is balanced twice, and gRPC only once for each connection. */
    | "CLUSTERIP_ENDPOINT"
    /** A gRPC service has a virtual address: clients outside the mesh that call it stay with one endpoint for each connection. */
    | "HEADLESS_RECOMMENDED";
  /** For people: what and where. */
  readonly detail: string;
}

/** Looks at a service for what is known to make balancing of long connections uneven. `vips`: whose each virtual address is. */
export function lintService(
  service: Pick<Service, "addresses" | "hostname" | "ports">,
  records: readonly CandidateRecord[],
  vips: ReadonlyMap<string, ServiceKey>,
): readonly Lint[] {
  const found = new Map<string, Lint>();
  const add = (code: Lint["code"], detail: string): void => {
    found.set(`${code} ${detail}`, { code, detail });
  };
  for (const { candidates, registry } of records) {
    for (const { instance } of candidates) {
      for (const address of instance.addresses) {
        const owner = address.type === "ip" ? vips.get(canonicalIp(address.ip)) : undefined;
        if (address.type === "ip" && owner !== undefined)
          add("CLUSTERIP_ENDPOINT", `${registry} lists ${address.ip}:${address.port}, the virtual address of ${owner}`);
      }
    }
  }
  const [vip] = service.addresses;
  const grpc = service.ports.find(({ protocol }) => protocol === "GRPC" || protocol === "GRPC-WEB");
  if (vip !== undefined && grpc !== undefined)
    add(
      "HEADLESS_RECOMMENDED",
      `port ${grpc.number} is ${grpc.protocol}, and the service has the virtual address ${vip}`,
    );
  return [...found].sort(([a], [b]) => byCodeUnit(a, b)).map(([, lint]) => lint);
}
