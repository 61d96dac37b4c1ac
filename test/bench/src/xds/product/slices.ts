import { createHook, executionAsyncResource } from "node:async_hooks";
import { functionsWithin } from "../profile/cpu-profile.ts";
import type { Part, Slice } from "./messages.ts";
import { ProcessProfiler } from "./profiler.ts";

/** Callbacks with a shorter pause between them are one slice: nothing else could run between them. */
const pauseMs = 0.05;
const kept = 20;
const keptParts = 3;
const lookEveryMicroseconds = 500;

/** Watches the callbacks of this process. */
export interface SliceWatch {
  /** The longest slices since the last call. */
  take(): readonly Slice[];
  /** The callback that runs does not count, nor do those that begin before `resume`. */
  pause(): void;
  resume(): void;
}

/** Watches which callbacks run longest without a break, and in which functions. It makes everything slower. */
export function watchSlices(): SliceWatch {
  const book = new SliceBook();
  const profiler = new ProcessProfiler(lookEveryMicroseconds);
  const types = new Map<number, string>();
  let depth = 0;
  let started = 0;
  let counts = true;
  let counted = true;
  createHook({
    init: (id, type) => types.set(id, type),
    before(id) {
      if (depth++ > 0) return;
      counted = counts;
      started = milliseconds();
      book.begin(() => nameOf(types.get(id) ?? "unknown", executionAsyncResource()));
    },
    after() {
      if (--depth === 0 && counted) book.end(started, milliseconds());
    },
    destroy: (id) => types.delete(id),
  }).enable();
  return {
    take() {
      const profile = profiler.cpu();
      return book.take().map(({ from, ms, parts }) => {
        const within = functionsWithin(profile, from * 1000, (from + ms) * 1000);
        return { ms, parts, functions: longest(within) };
      });
    },
    pause: () => {
      counts = false;
      counted = false;
    },
    resume: () => {
      counts = true;
    },
  };
}

/** The clock that profiles have, too. */
function milliseconds(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}

/** A slice, and when it began. */
export interface TimedSlice extends Omit<Slice, "functions"> {
  readonly from: number;
}

/** Joins callbacks to slices and keeps the longest ones. Times are milliseconds of one clock. */
export class SliceBook {
  #longest: TimedSlice[] = [];
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
  take(): readonly TimedSlice[] {
    this.#close();
    const found = this.#longest;
    this.#longest = [];
    this.#until = Number.NEGATIVE_INFINITY;
    return found;
  }

  #close(): void {
    const ms = this.#until - this.#from;
    if (ms > 0 && (this.#longest.length < kept || ms > (this.#longest.at(-1)?.ms ?? 0))) {
      const slice = { from: this.#from, ms, parts: longest(this.#parts) };
      this.#longest = [...this.#longest, slice].sort((a, b) => b.ms - a.ms).slice(0, kept);
    }
    this.#parts.clear();
  }
}

function longest(parts: ReadonlyMap<string, number>): readonly Part[] {
  return [...parts]
    .map(([what, ms]) => ({ what, ms }))
    .sort((a, b) => b.ms - a.ms)
    .slice(0, keptParts);
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
