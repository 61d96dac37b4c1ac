/**
 * Envoy v3 API messages. Each protobuf file is a module of its own under its protobuf path, for example
 * `@signalbox/envoy-api/envoy/config/cluster/v3/cluster`; the types and codecs there are generated.
 * @module
 */
export { anyRegistry } from "./any-registry.ts";
export { typeUrls } from "./type-urls.ts";
export type { TypeUrl } from "./type-urls.ts";
