import type { TypeUrl } from "@signalbox/envoy-api";

/** What happens on the server, for logs and metrics. One function takes them all: `onEvent`. */
export type XdsEvent =
  | { readonly type: "stream-open"; readonly stream: number; readonly peer: string; readonly method: string }
  | { readonly type: "stream-node"; readonly stream: number; readonly node: string }
  | { readonly type: "stream-close"; readonly stream: number; readonly node: string; readonly reason: string }
  | {
      readonly type: "sent";
      readonly stream: number;
      readonly node: string;
      readonly resourceType: TypeUrl;
      readonly version: string;
      readonly nonce: string;
      readonly resources: number;
      readonly removed: number;
      readonly bytes: number;
    }
  | {
      readonly type: "acked";
      readonly stream: number;
      readonly node: string;
      readonly resourceType: TypeUrl;
      readonly nonce: string;
    }
  | {
      readonly type: "nacked";
      readonly stream: number;
      readonly node: string;
      readonly resourceType: TypeUrl;
      readonly version: string;
      readonly nonce: string;
      readonly error: string;
    }
  | {
      readonly type: "stale-nonce";
      readonly stream: number;
      readonly node: string;
      readonly resourceType: TypeUrl;
      readonly nonce: string;
    }
  /**
   * A client was told that resources are gone, because it has refused for too long what no longer refers to them. What it
   * kept may refer to them still.
   */
  | {
      readonly type: "removed-despite-refusal";
      readonly stream: number;
      readonly node: string;
      readonly resourceType: TypeUrl;
      /** How many are gone. */
      readonly names: number;
    }
  | { readonly type: "refused"; readonly peer: string; readonly reason: string }
  /** The certificate files changed. With `error` they cannot be used, and the certificates in use stay. */
  | { readonly type: "certificates"; readonly certFile: string; readonly error?: string };

/** What one client was sent and what it made of it, for one resource type. */
export interface SubscriptionStatus {
  readonly resourceType: TypeUrl;
  readonly wildcard: boolean;
  /** Number of names subscribed to explicitly. */
  readonly names: number;
  readonly sentVersion?: string;
  readonly sentNonce?: string;
  /** Epoch milliseconds. */
  readonly sentAt?: number;
  readonly ackedVersion?: string;
  readonly ackedNonce?: string;
  /** Epoch milliseconds. */
  readonly ackedAt?: number;
  /** The client's words on the last response it refused; absent once it accepted all that it had refused. */
  readonly error?: string;
}

/** One connected client. */
export interface ClientStatus {
  readonly stream: number;
  readonly peer: string;
  readonly identities: readonly string[];
  readonly method: string;
  readonly protocol: "sotw" | "delta";
  readonly nodeId: string;
  readonly nodeCluster: string;
  /** Node metadata as JSON data. */
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly userAgent: string;
  /** Epoch milliseconds. */
  readonly connectedAt: number;
  readonly subscriptions: readonly SubscriptionStatus[];
}
