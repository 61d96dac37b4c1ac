import { create, toBinary } from "@bufbuild/protobuf";
import { NodeSchema, type Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { hash } from "node:crypto";
import type { XdsClock } from "../clock.ts";
import type { ResourceView } from "../resource.ts";
import type { ResourceSource, ViewLease } from "../source.ts";

/** How to hold leases. */
export interface HeldLeasesOptions {
  readonly source: ResourceSource;
  /** Milliseconds after the last use. */
  readonly holdMs: number;
  readonly maxHeld: number;
  readonly clock: XdsClock;
}

interface Held {
  readonly lease: ViewLease;
  readonly usedAt: number;
}

/**
 * Keeps the lease of a client that polls from one poll to the next. A source may drop what it computed for a view when
 * nobody holds it, and would compute it again for every poll.
 */
export class HeldLeases {
  readonly #options: HeldLeasesOptions;
  /** By node, the longest unused first. */
  readonly #held = new Map<string, Held>();
  #cancel: (() => void) | undefined;
  #closed = false;

  constructor(options: HeldLeasesOptions) {
    this.#options = options;
  }

  /** Calls `task` with what the source has for the node. */
  use<Result>(node: Node | undefined, task: (view: ResourceView | undefined) => Result): Result {
    const known = node ?? create(NodeSchema);
    if (!this.#closed && this.#options.maxHeld > 0) return task(this.#hold(known).current());
    const lease = this.#options.source.acquire(known, () => {});
    try {
      return task(lease.current());
    } finally {
      lease.release();
    }
  }

  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
    for (const key of [...this.#held.keys()]) this.#release(key);
  }

  #hold(node: Node): ViewLease {
    const { source, clock, holdMs, maxHeld } = this.#options;
    const key = hash("sha256", toBinary(NodeSchema, node), "base64url");
    // The view is asked for at each poll, so its changes are of no interest.
    const lease = this.#held.get(key)?.lease ?? source.acquire(node, () => {});
    this.#held.delete(key);
    this.#held.set(key, { lease, usedAt: clock.now() });
    const [oldest] = this.#held.keys();
    if (this.#held.size > maxHeld && oldest !== undefined) this.#release(oldest);
    this.#cancel ??= clock.after(holdMs, () => this.#expire());
    return lease;
  }

  #expire(): void {
    const { clock, holdMs } = this.#options;
    this.#cancel = undefined;
    const now = clock.now();
    for (const [key, { usedAt }] of this.#held) {
      if (usedAt + holdMs > now) {
        this.#cancel = clock.after(usedAt + holdMs - now, () => this.#expire());
        return;
      }
      this.#release(key);
    }
  }

  #release(key: string): void {
    const held = this.#held.get(key);
    this.#held.delete(key);
    held?.lease.release();
  }
}
