import { isMetadata, redacted } from "./redact.ts";

/** How deep data may nest. What is deeper is cyclic or hostile. */
const maxDepth = 500;

/**
 * Makes the function that writes the members of an entry as JSON, without braces: members sorted, those that are `undefined` left
 * out, texts of metadata redacted unless `isKept` says otherwise of their key. One walk does it all, and `JSON.stringify` the rest, because the
 * caller waits for it. Throws a TypeError for anything that JSON cannot say without loss, and for members that records have themselves.
 */
export function memberEncoder(
  isKept: (key: string) => boolean,
): (members: Readonly<Record<string, unknown>>) => string {
  const walk = (value: unknown, inMap: boolean, depth: number): unknown => {
    switch (typeof value) {
      case "string":
      case "boolean":
        return value;
      case "number":
        if (!Number.isFinite(value)) throw new TypeError(`${value} cannot be written`);
        return value;
      case "object":
        break;
      default:
        throw new TypeError(`a ${typeof value} cannot be written`);
    }
    if (value === null) return null;
    if (depth >= maxDepth) throw new TypeError(`data nested deeper than ${maxDepth} levels cannot be written`);
    if (Array.isArray(value)) {
      const items: unknown[] = [];
      // By index: a hole reads as undefined and is refused.
      for (let index = 0; index < value.length; index++) items.push(walk(value[index], false, depth + 1));
      return items;
    }
    const prototype: unknown = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) {
      throw new TypeError("only plain objects can be written");
    }
    const members = value as Readonly<Record<string, unknown>>;
    const copy: Record<string, unknown> = {};
    for (const key of Object.keys(members).sort()) {
      const member = members[key];
      if (member === undefined) continue;
      const isText = inMap && typeof member === "string";
      const written = isText ? (isKept(key) ? member : redacted) : walk(member, isMetadata(key), depth + 1);
      // Assigning to it would set the prototype; here it is data.
      if (key === "__proto__") {
        Object.defineProperty(copy, key, { value: written, enumerable: true, configurable: true, writable: true });
      } else copy[key] = written;
    }
    return copy;
  };

  return (members: Readonly<Record<string, unknown>>): string => {
    for (const name of ["seq", "at", "type", "prev", "hash"]) {
      if (Object.hasOwn(members, name)) throw new TypeError(`an entry has no member "${name}" of its own`);
    }
    return JSON.stringify(walk(members, false, 0)).slice(1, -1);
  };
}
