import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { systemXdsClock, type XdsClock } from "./clock.ts";
import type { ResourceView } from "./resource.ts";
import type { ResourceSource, StreamFacts, ViewLease } from "./source.ts";

/**
 * A lease whose view can be waited for: that of the first client of its kind may take a while. For who looks at a view now and then, and is told of no
 * changes. Release it in the end.
 */
export class WatchedLease {
  readonly #lease: ViewLease;
  readonly #clock: XdsClock;
  readonly #waiting = new Set<() => void>();
  #released = false;

  /** `stream`: how the node asks, as in `ResourceSource.acquire`. */
  constructor(source: ResourceSource, node: Node, clock: XdsClock = systemXdsClock, stream?: StreamFacts) {
    this.#clock = clock;
    // A view is asked for at each poll, so its changes are of no interest: only that there is one.
    this.#lease = source.acquire(node, () => this.#look(), undefined, stream);
  }

  /** The view, when there is one within `ms` milliseconds; `undefined` also when the lease is released meanwhile. */
  async view(ms: number): Promise<ResourceView | undefined> {
    const view = this.#current();
    if (view !== undefined || ms <= 0) return view;
    await new Promise<void>((resolve) => {
      const done = (): void => {
        this.#waiting.delete(done);
        cancel();
        resolve();
      };
      const cancel = this.#clock.after(ms, done);
      this.#waiting.add(done);
    });
    return this.#current();
  }

  release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#lease.release();
    this.#wake();
  }

  #current(): ResourceView | undefined {
    return this.#released ? undefined : this.#lease.current();
  }

  #look(): void {
    if (this.#waiting.size > 0 && this.#current() !== undefined) this.#wake();
  }

  #wake(): void {
    for (const done of [...this.#waiting]) done();
  }
}
