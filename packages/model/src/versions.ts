import { canonicalIp } from "./address.ts";
import type { CatalogEntry, CatalogInstance } from "./catalog.ts";
import { contentHash } from "./content-hash.ts";
import type { Address, Service } from "./service.ts";

/**
 * What identifies an endpoint within one port of a service: its primary address. Two spellings of one IPv6 address or
 * of one hostname give one key: `10.0.0.1:80`, `[2001:db8::1]:80`, `db.example.com:5432`, `unix:/run/app.sock`.
 */
export function instanceKey(address: Address): string {
  switch (address.type) {
    case "ip":
      return address.ip.includes(":")
        ? `[${canonicalIp(address.ip)}]:${address.port}`
        : `${address.ip}:${address.port}`;
    case "hostname":
      return `${address.hostname.toLowerCase()}:${address.port}`;
    case "unix":
      return `unix:${address.path}`;
  }
}

/** Content hash of a service without its provenance. */
export function serviceVersion(service: Service): string {
  const { provenance: _, ...content } = service;
  return contentHash(content);
}

/** Content hash of a list of endpoints, in its order, without provenance and findings, and of what is to fail beside them. */
export function instancesVersion(instances: readonly CatalogInstance[], unserved?: CatalogEntry["unserved"]): string {
  const contents = instances.map(({ provenance: _, findings: __, ...content }) => content);
  // Entries without it have the versions that they always had.
  return contentHash(unserved === undefined ? contents : { instances: contents, unserved });
}

/** Both content hashes of a catalog entry. */
export function entryVersions(
  service: Service,
  instances: readonly CatalogInstance[],
  unserved?: CatalogEntry["unserved"],
): CatalogEntry["versions"] {
  return { service: serviceVersion(service), instances: instancesVersion(instances, unserved) };
}
