export { systemXdsClock } from "./clock.ts";
export { pathConfigSource, restConfigSource, withConfigSources } from "./file-publisher-config-sources.ts";
export { createFilePublisher } from "./file-publisher.ts";
export { defaultTransportLimits } from "./http2/limits.ts";
export { GrpcListener } from "./http2/listener.ts";
export { createXdsProtocol, defaultXdsLimits } from "./protocol/xds-protocol.ts";
export { endpointNameOf, inconsistencies, routeNamesOf } from "./references.ts";
export { resourceFromJson } from "./resource-from-json.ts";
export { resourceOf } from "./resource.ts";
export { createRestDiscovery } from "./rest/rest-discovery.ts";
export { XdsServerError } from "./server-error.ts";
export { createXdsServer } from "./server.ts";
export { SetVersion } from "./set-version.ts";
export { SnapshotCache } from "./snapshot-cache.ts";
export { isLargeChange } from "./source.ts";
export { followKeyPair, loadKeyPair } from "./tls/certificates.ts";
export { grpcStatus } from "./transport.ts";
export { Turns } from "./turns.ts";
export type { XdsClock } from "./clock.ts";
export type { ClientStatus, SubscriptionStatus, XdsEvent } from "./events.ts";
export type { ConfigSourceOf, ResourceReference } from "./file-publisher-config-sources.ts";
export type { FilePublisher, FilePublisherEvent, FilePublisherOptions } from "./file-publisher.ts";
export type { TransportLimits } from "./http2/limits.ts";
export type { GrpcListenerOptions, GrpcListenerStatus } from "./http2/listener.ts";
export type { XdsLimits, XdsProtocol, XdsProtocolOptions } from "./protocol/xds-protocol.ts";
export type { Inconsistency } from "./references.ts";
export type { Resource, ResourceChange, ResourceView } from "./resource.ts";
export type { RestDiscovery, RestDiscoveryOptions, RestResponse } from "./rest/rest-discovery.ts";
export type { XdsServerErrorCode } from "./server-error.ts";
export type {
  ListenAddress,
  TlsListenAddress,
  XdsServer,
  XdsServerAddresses,
  XdsServerOptions,
  XdsServerStatus,
} from "./server.ts";
export type { Versioned } from "./set-version.ts";
export type { Snapshot, SnapshotCacheOptions } from "./snapshot-cache.ts";
export type { ChangedNames, ResourceSource, StreamFacts, ViewLease } from "./source.ts";
export type { CertificateFiles, FollowOptions, KeyPair, KeyPairFiles } from "./tls/certificates.ts";
export type { AcceptStream, Peer, StreamCall, StreamHandler } from "./transport.ts";
export { WatchedLease } from "./watched-lease.ts";
