import { createHook, executionAsyncResource } from "node:async_hooks";
import type { Slice } from "./messages.ts";

/** Callbacks with a shorter pause between them are one slice: nothing else could run between them. */
const pauseMs = 0.05;
const kept = 20;
const keptParts = 3;

/** Watches which callbacks run longest without a break. The hooks make everything slower. Begins anew with each call. */
export function watchSlices(): () => readonly Slice[] {
  const book = new SliceBook();
  const types = new Map<number, string>();
  let depth = 0;
  let started = 0;
  createHook({
    init: (id, type) => types.set(id, type),
    before(id) {
      if (depth++ > 0) return;
      started = performance.now();
      book.begin(() => nameOf(types.get(id) ?? "unknown", executionAsyncResource()));
    },
    after() {
      if (--depth === 0) book.end(started, performance.now());
    },
    destroy: (id) => types.delete(id),
  }).enable();
  return () => book.take();
}

/** Joins callbacks to slices and keeps the longest ones. Times are milliseconds of one clock. */
export class SliceBook {
  #longest: Slice[] = [];
  #parts = new Map<string, number>();
  #from = 0;
  #until = Number.NEGATIVE_INFINITY;
  #name: () => string = () => "";

  /** A callback begins. Its name is asked for only if it may be in a slice that is kept. */
  begin(name: () => string): void {
    this.#name = name;
  }

  /** The callback that began last ended. */
  end(from: number, until: number): void {
    if (from - this.#until > pauseMs) {
      this.#close();
      this.#from = from;
    }
    this.#until = until;
    const ms = until - from;
    if (ms < pauseMs) return;
    const name = this.#name();
    this.#parts.set(name, (this.#parts.get(name) ?? 0) + ms);
  }

  /** The longest slices, longest first, and forgets them. */
  take(): readonly Slice[] {
    this.#close();
    const found = this.#longest;
    this.#longest = [];
    this.#until = Number.NEGATIVE_INFINITY;
    return found;
  }

  #close(): void {
    const ms = this.#until - this.#from;
    if (ms > 0 && (this.#longest.length < kept || ms > (this.#longest.at(-1)?.ms ?? 0))) {
      const parts = [...this.#parts]
        .map(([what, spent]) => ({ what, ms: spent }))
        .sort((a, b) => b.ms - a.ms)
        .slice(0, keptParts);
      this.#longest = [...this.#longest, { ms, parts }].sort((a, b) => b.ms - a.ms).slice(0, kept);
    }
    this.#parts.clear();
  }
}

/** The type of an asynchronous resource with the name of its callback or class, where it has one. */
export function nameOf(type: string, resource: object): string {
  for (const key of ["_onTimeout", "_onImmediate", "callback"]) {
    const callback: unknown = Reflect.get(resource, key);
    if (typeof callback === "function" && callback.name !== "") return `${type} ${callback.name}`;
  }
  const { name } = resource.constructor;
  return name === "Object" || name === type ? type : `${type} ${name}`;
}
