/**
 * Freezes plain data all the way down and returns it, also below parts that somebody froze only on top.
 * What it froze once it knows again, so a second call on the same value costs nothing. Cycles end; depth has no bound.
 * For plain data: what a Map or Set holds is not looked at, and buffers, which cannot be frozen, are left alone.
 */
export function deepFreeze<T>(value: T): T {
  if (!isObject(value) || done.has(value)) return value;
  const open: object[] = [value];
  // Frozen before we came: their members may still be open, and they may hold a cycle.
  const revisited = new Set<object>();
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (ArrayBuffer.isView(next) || done.has(next)) continue;
    if (Object.isFrozen(next)) {
      if (revisited.has(next)) continue;
      revisited.add(next);
    } else Object.freeze(next);
    for (const member of Object.values(next)) if (isObject(member)) open.push(member);
  }
  done.add(value);
  return value;
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
const done = new WeakSet<object>();

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
