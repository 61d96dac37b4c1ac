import { hash } from "node:crypto";
import type { TypeUrl } from "@signalbox/envoy-api";
import type { Steps } from "@signalbox/slices";

/** One xDS resource, encoded once and shared by every client. */
export interface Resource {
  readonly name: string;
  /** Content hash, of the bytes or of the parts they are made of: equal content, equal version, in every process. */
  readonly version: string;
  /** The encoded message itself (a Cluster, a Listener, …), not wrapped in `google.protobuf.Any`. */
  readonly bytes: Uint8Array;
  /**
   * Where the message is put together of parts when it is sent: the same bytes in chunks, one after the other, which are not copied again.
   * In steps, because it may be megabytes. Nobody changes them.
   */
  chunks?(): Steps<readonly Uint8Array[]>;
}

/**
 * A resource from its encoded message. The version is SHA-256 of the bytes, cut to 128 bits, as 22 characters of
 * base64url. The bytes are kept, not copied: do not change them afterwards.
 */
export function resourceOf(name: string, bytes: Uint8Array): Resource {
  return { name, version: hash("sha256", bytes, "buffer").toString("base64url", 0, 16), bytes };
}

/** What changed in one resource type. */
export interface ResourceChange {
  readonly upserted: readonly Resource[];
  readonly removed: readonly string[];
}

/** A set of resources that one or many clients see: the unit that a cache keeps and the server reads. */
export interface ResourceView {
  /** Resources of one type by name. Empty when there are none. The map may be read until the next change. */
  resources(type: TypeUrl): ReadonlyMap<string, Resource>;
  /** Order-free content hash over the names and versions of one type; the SotW `version_info`. */
  version(type: TypeUrl): string;
}
