/**
 * From catalog to Envoy resources: the pure translator and the publisher that feeds it from the event bus.
 * @module
 */
export { MeshConfigError, meshSettings } from "./mesh.ts";
export { parseNode } from "./node.ts";
export { createXdsPublisher } from "./publisher.ts";
export { configDump, renderProxy, renderView } from "./render.ts";
export { secretKeys } from "./secrets/secret-source.ts";
export { createTranslator } from "./translator.ts";
export type { TranslationFault } from "./translation-fault.ts";
export type { HttpRetry, MeshConfig, MeshSettings } from "./mesh.ts";
export type { NodeLike, ProxyNode } from "./node.ts";
export type { Credential } from "./gateway/secrets.ts";
export type { FoundSecret, FoundSecrets, SecretSource } from "./secrets/secret-source.ts";
export type { SecretChanges } from "./secrets/router-secrets.ts";
export type {
  PublishedSecrets,
  Publisher,
  PublisherLogger,
  XdsPublisher,
  XdsPublisherOptions,
  XdsPublisherStatus,
} from "./publisher.ts";
export type { RenderedProxy } from "./render.ts";
export type { RuleReport, TranslationChanges, Translator, TranslatorOptions } from "./translator.ts";
