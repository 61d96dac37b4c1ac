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

/** Values that were walked to the end. A memo, not state: being in it changes how long a call takes, never its result. */
const done = new WeakSet<object>();

function isObject(value: unknown): value is object {
  return typeof value === "object" && value !== null;
}
