/**
 * From catalog to Envoy resources: the pure translator and the publisher that feeds it from the event bus.
 * @module
 */
export { MeshConfigError, meshSettings } from "./mesh.ts";
export { parseNode } from "./node.ts";
export { createXdsPublisher } from "./publisher.ts";
export { configDump, renderProxy, renderView } from "./render.ts";
export { createTranslator } from "./translator.ts";
export type { TranslationFault } from "./directory.ts";
export type { HttpRetry, MeshConfig, MeshSettings } from "./mesh.ts";
export type { NodeLike, ProxyNode } from "./node.ts";
export type { Publisher, PublisherLogger, XdsPublisher, XdsPublisherOptions, XdsPublisherStatus } from "./publisher.ts";
export type { RenderedProxy } from "./render.ts";
export type { TranslationChanges, Translator, TranslatorOptions } from "./translator.ts";
