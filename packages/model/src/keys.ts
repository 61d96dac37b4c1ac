declare const brand: unique symbol;
type Brand<T, B extends string> = T & { readonly [brand]: B };

/** `<provider>/<name>`, for example `consul/dc1`. Stable across restarts; owns one shard of the catalog. */
export type RegistryId = Brand<string, "RegistryId">;
/** `<namespace>/<hostname>`. The key of every map, event and cache in the pipeline. */
export type ServiceKey = Brand<string, "ServiceKey">;
/** `<cluster>/<namespace>/<name>`. */
export type WorkloadKey = Brand<string, "WorkloadKey">;
/** `<kind>/<namespace>/<name>` of an Istio object. */
export type ObjectKey = Brand<string, "ObjectKey">;

/** Makes the id of a registry from the provider's name and the name given in the configuration. */
export function registryId(provider: string, name: string): RegistryId {
  return `${provider}/${name}` as RegistryId;
}

/** Makes the key of a service. Hostnames compare without case, so the key holds the lower-case form. */
export function serviceKey(service: { readonly namespace: string; readonly hostname: string }): ServiceKey {
  return `${service.namespace}/${service.hostname.toLowerCase()}` as ServiceKey;
}

/** Makes the key of a workload. */
export function workloadKey(cluster: string, namespace: string, name: string): WorkloadKey {
  return `${cluster}/${namespace}/${name}` as WorkloadKey;
}

/** Makes the key of an Istio object. */
export function objectKey(object: {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
}): ObjectKey {
  return `${object.kind}/${object.namespace}/${object.name}` as ObjectKey;
}
