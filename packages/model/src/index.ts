export { AddressMap, AddressSet } from "./address-map.ts";
export { canonicalIp, isCidr, isHostname, isIpAddress } from "./address.ts";
export { canonicalJson, contentHash } from "./content-hash.ts";
export { deepFreeze, deepFreezeParsed } from "./deep-freeze.ts";
export { didYouMean } from "./did-you-mean.ts";
export { objectKey, registryId, serviceKey, workloadKey } from "./keys.ts";
export { formatLocality, parseLocality } from "./locality.ts";
export { byCodeUnit } from "./order.ts";
export { precedence } from "./precedence.ts";
export { isHttp, isHttp2, parseProtocol, protocolFromAppProtocol, protocolFromPortName } from "./protocol.ts";
export { validateObject, validateWorkload } from "./validate-workload.ts";
export { validateRecord } from "./validate.ts";
export { entryVersions, instanceKey, instancesVersion, serviceVersion } from "./versions.ts";
export type { Catalog, CatalogDelta, CatalogEntry, CatalogInstance, Delta, Finding, Revision } from "./catalog.ts";
export type { RecordFault } from "./faults.ts";
export type { ObjectKey, RegistryId, ServiceKey, WorkloadKey } from "./keys.ts";
export type {
  Address,
  HealthStatus,
  Labels,
  Locality,
  Port,
  Protocol,
  Provenance,
  Resolution,
  Service,
  ServiceInstance,
  ServiceRecord,
} from "./service.ts";
export type { ConfigObject, Workload } from "./workload.ts";
