import { create, toBinary } from "@bufbuild/protobuf";
import { NodeSchema, type Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { hash } from "node:crypto";
import type { XdsClock } from "../clock.ts";
import type { ResourceView } from "../resource.ts";
import type { ResourceSource } from "../source.ts";
import { WatchedLease } from "../watched-lease.ts";

/** How to hold leases. */
export interface HeldLeasesOptions {
  readonly source: ResourceSource;
  /** Milliseconds after the last use. */
  readonly holdMs: number;
  readonly maxHeld: number;
  /** Milliseconds for which a view that is not there yet is waited for. */
  readonly waitMs: number;
  readonly clock: XdsClock;
}

interface Held {
  readonly lease: WatchedLease;
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

  /** What the source has for the node: at once, or as soon as it has it, or `undefined` when it has nothing in time. */
  async view(node: Node | undefined): Promise<ResourceView | undefined> {
    const known = node ?? create(NodeSchema);
    const { source, clock, waitMs, maxHeld } = this.#options;
    if (!this.#closed && maxHeld > 0) return this.#hold(known).view(waitMs);
    const lease = new WatchedLease(source, known, clock);
    try {
      return await lease.view(this.#closed ? 0 : waitMs);
    } finally {
      lease.release();
    }
  }

  /** Lets go of all leases. Who waits is told that there is nothing. */
  close(): void {
    this.#closed = true;
    this.#cancel?.();
    this.#cancel = undefined;
    for (const key of [...this.#held.keys()]) this.#release(key);
  }

  #hold(node: Node): WatchedLease {
    const { source, clock, holdMs, maxHeld } = this.#options;
    const key = hash("sha256", toBinary(NodeSchema, node), "base64url");
    const lease = this.#held.get(key)?.lease ?? new WatchedLease(source, node, clock);
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
