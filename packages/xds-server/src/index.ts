export { grpcStatus } from "./transport.ts";
export type { ClientStatus, SubscriptionStatus, XdsEvent } from "./events.ts";
export type { Resource, ResourceChange, ResourceView } from "./resource.ts";
export type { ChangedNames, ResourceSource, ViewLease } from "./source.ts";
export type { AcceptStream, Peer, StreamCall, StreamHandler } from "./transport.ts";
