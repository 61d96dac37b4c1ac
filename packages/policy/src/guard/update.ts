import type { Delta, ServiceInstance, ServiceKey, ServiceRecord } from "@signalbox/model";

/** What a registry says about services, or what is handed on of it: whole records only. Records are frozen. */
export type GuardedUpdate =
  /** All services of the registry. */
  | { readonly type: "snapshot"; readonly records: readonly ServiceRecord[] }
  /** The services that changed; absent where only other things did. */
  | { readonly type: "delta"; readonly records?: Delta<ServiceKey, ServiceRecord> };

/** What may be believed now: hand it on in place of what the registry said. Sorted by key; a key is in it at most once. */
export type AcceptedUpdate =
  | { readonly type: "snapshot"; readonly records: readonly ServiceRecord[] }
  | { readonly type: "delta"; readonly records: Delta<ServiceKey, ServiceRecord> };

/** What is known of a removal from elsewhere than from the registry itself. */
export interface RemovalEvidence {
  /** Whether something independent of the registry says that this endpoint is gone: it is never held and does not count. */
  confirmed?(service: ServiceKey, instance: ServiceInstance): boolean;
  /** Whether somebody wants the service to have no endpoints. Asked only where it has none. */
  scaledToZero?(service: ServiceKey): boolean;
}

/** What is known when an update is taken. */
export interface GuardEvidence extends RemovalEvidence {
  /** Epoch milliseconds. */
  readonly now: number;
  /**
   * The source's own version of the complete read that the update comes from, opaque. Left out where the source has none or the read
   * was not complete; such a read never confirms that endpoints are gone.
   */
  readonly version?: string;
}
