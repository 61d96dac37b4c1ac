import { byCodeUnit } from "@signalbox/model";
import { table } from "./table.ts";
import type { Address, Catalog, CatalogEntry, CatalogInstance, Labels, Port, Resolution } from "@signalbox/model";

/** One service as `signalbox catalog -o json` prints it. */
export interface PrintedService {
  readonly hostname: string;
  readonly namespace: string;
  readonly ports: readonly Port[];
  readonly resolution: Resolution;
  readonly addresses: readonly string[];
  readonly meshExternal: boolean;
  readonly registries: readonly string[];
  readonly instances: readonly PrintedInstance[];
}

/** One endpoint of a printed service. A Unix socket has its path as address and port 0. */
export interface PrintedInstance {
  readonly address: string;
  readonly port: number;
  readonly servicePort: string;
  readonly health: string;
  readonly weight: number;
  readonly labels: Labels;
}

/** The catalog as data for `-o json`: sorted by namespace and hostname. */
export function printedServices(catalog: Pick<Catalog, "entries">): PrintedService[] {
  return [...catalog.entries.values()].sort((a, b) => byCodeUnit(a.key, b.key)).map(printedService);
}

function printedService({ instances, registries, service }: CatalogEntry): PrintedService {
  const { addresses, hostname, meshExternal, namespace, ports, resolution } = service;
  const rows = instances
    .map(printedInstance)
    .sort((a, b) => byCodeUnit(a.servicePort, b.servicePort) || byCodeUnit(a.address, b.address) || a.port - b.port);
  return { hostname, namespace, ports, resolution, addresses, meshExternal, registries, instances: rows };
}

function printedInstance(instance: CatalogInstance): PrintedInstance {
  const { healthStatus, labels, servicePort, weight } = instance;
  return { ...addressAndPort(instance.addresses[0]), servicePort, health: healthStatus, weight, labels };
}

function addressAndPort(address: Address): { address: string; port: number } {
  switch (address.type) {
    case "ip":
      return { address: address.ip, port: address.port };
    case "hostname":
      return { address: address.hostname, port: address.port };
    case "unix":
      return { address: address.path, port: 0 };
  }
}

/** The catalog as a table for people, one line for each service port. */
export function catalogTable(services: readonly PrintedService[]): string {
  const rows = services.flatMap((service) =>
    service.ports.map((port, index) => {
      const endpoints = service.instances.filter((instance) => instance.servicePort === port.name);
      const shown = endpoints
        .slice(0, 3)
        .map(({ address, port: number }) => (number === 0 ? address : joined(address, number)));
      if (endpoints.length > shown.length) shown.push(`and ${endpoints.length - shown.length} more`);
      return [
        index === 0 ? service.namespace : "",
        index === 0 ? service.hostname : "",
        `${port.number}/${port.name}`,
        port.protocol,
        service.resolution,
        String(endpoints.length),
        shown.join(" "),
      ];
    }),
  );
  if (rows.length === 0) return "The catalog is empty.\n";
  return table([["NAMESPACE", "HOSTNAME", "PORT", "PROTOCOL", "RESOLUTION", "ENDPOINTS", ""], ...rows]);
}

function joined(address: string, port: number): string {
  return address.includes(":") ? `[${address}]:${port}` : `${address}:${port}`;
}
