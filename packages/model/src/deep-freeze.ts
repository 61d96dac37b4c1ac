import { RecentObjects } from "./recent-objects.ts";

/**
 * Freezes plain data all the way down and returns it, also below parts that somebody froze only on top.
 * What it froze lately it knows again, so a second call on the same value costs nothing. Cycles end; depth has no bound.
 * For plain data: what a Map or Set holds is not looked at, and buffers, which cannot be frozen, are left alone.
 */
export function deepFreeze<T>(value: T): T {
  if (!isObject(value) || done.has(value)) return value;
  new Walk().freeze(value, 0);
  done.add(value);
  return value;
}

/** So many parts that somebody froze before are looked at again before it is noted which; and so many more for each part that is new. */
const free = 1000;
const freeForEach = 8;

class Walk {
  /** How many more frozen parts may be looked at without being noted. */
  #free = free;
  /** Frozen before we came: their members may still be open, and they may hold a cycle. */
  readonly #revisited = new Set<object>();

  freeze(value: object, depth: number): void {
    if (ArrayBuffer.isView(value)) return;
    if (!Object.isFrozen(value)) {
      Object.freeze(value);
      this.#free += freeForEach;
    } else if (done.has(value)) {
      return;
    } else if (this.#free > 0) {
      // Most of what is frozen hangs in one place, so that noting it would cost more than looking twice.
      this.#free--;
    } else {
      if (this.#revisited.has(value)) return;
      this.#revisited.add(value);
    }
    // Deeper than this, the call stack is spared.
    if (depth >= deepest) this.#freezeBelow(value);
    else if (Array.isArray(value)) {
      for (const member of value as readonly unknown[]) if (isObject(member)) this.freeze(member, depth + 1);
    } else {
      for (const name in value) {
        if (!Object.hasOwn(value, name)) continue;
        const member = (value as Readonly<Record<string, unknown>>)[name];
        if (isObject(member)) this.freeze(member, depth + 1);
      }
    }
  }

  /** The same without the call stack, and without looking anywhere twice. */
  #freezeBelow(top: object): void {
    const open: object[] = [top];
    const seen = this.#revisited;
    seen.delete(top);
    for (let next = open.pop(); next !== undefined; next = open.pop()) {
      if (ArrayBuffer.isView(next) || done.has(next)) continue;
      if (Object.isFrozen(next)) {
        if (seen.has(next)) continue;
        seen.add(next);
      } else Object.freeze(next);
      for (const member of Object.values(next)) if (isObject(member)) open.push(member);
    }
  }
}

/**
 * Freezes what `JSON.parse` just gave and nobody else has seen, and returns it: nothing in it is frozen already, shared or
 * in a cycle, so it costs a fraction of `deepFreeze`, which then knows it as well.
 */
export function deepFreezeParsed<T>(value: T): T {
  if (!isObject(value)) return value;
  freezeParsed(value, 0);
  done.add(value);
  return value;
}

/** Deeper than this, the call stack is spared. */
const deepest = 200;

function freezeParsed(value: object, depth: number): void {
  if (depth > deepest) {
    deepFreeze(value);
    return;
  }
  if (Array.isArray(value)) {
    for (const member of value as readonly unknown[]) if (isObject(member)) freezeParsed(member, depth + 1);
  } else {
    const members = value as Readonly<Record<string, unknown>>;
    // What JSON gives has no enumerable members but its own.
    for (const name in members) {
      const member = members[name];
      if (isObject(member)) freezeParsed(member, depth + 1);
    }
  }
  Object.freeze(value);
}

/** Values that were walked to the end. A memo, not state: being in it changes how long a call takes, never its result. */
const done = new RecentObjects();

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
