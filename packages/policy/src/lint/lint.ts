import { byCodeUnit, canonicalIp, type Protocol, type Service, type ServiceKey } from "@signalbox/model";
import type { CandidateRecord } from "../candidate.ts";

/** Something that is allowed and probably not meant. */
export interface Lint {
  readonly code:
    /** An endpoint's address is a service's virtual address: its traffic is balanced twice, and gRPC only once for each connection. */
    | "CLUSTERIP_ENDPOINT"
    /** A gRPC service has a virtual address: clients outside the mesh that call it stay with one endpoint for each connection. */
    | "HEADLESS_RECOMMENDED"
    /** Registries say that one port speaks HTTP/1 and that it speaks HTTP/2: it is spoken to in one way, which some of its endpoints may not understand. */
    | "MIXED_PROTOCOLS";
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
  for (const { number, protocol } of service.ports) {
    const version = httpVersion(protocol);
    if (version === undefined) continue;
    for (const { registry, service: said } of records) {
      const other = said.ports.find((port) => port.number === number)?.protocol;
      const differs = other !== undefined && httpVersion(other) !== undefined && httpVersion(other) !== version;
      if (differs) add("MIXED_PROTOCOLS", `port ${number} is spoken to as ${protocol}, and ${registry} says ${other}`);
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

/** Which version of HTTP proxies speak to endpoints of a protocol; undefined where they do not speak HTTP themselves. */
function httpVersion(protocol: Protocol): 1 | 2 | undefined {
  switch (protocol) {
    case "HTTP":
      return 1;
    case "HTTP2":
    case "GRPC":
    case "GRPC-WEB":
      return 2;
    default:
      return undefined;
  }
}
