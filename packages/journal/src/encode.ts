import type { Steps } from "@signalbox/slices";
import { isMetadata, redacted } from "./redact.ts";

/** How deep data may nest. What is deeper is cyclic or hostile. */
const maxDepth = 500;

/** Members of members down to this level are written one by one: what is said of whole registries is in lists there. */
const levels = 4;
/** So many values below them are written in one step: some milliseconds where they are services. */
const valuesPerStep = 64;

/**
 * Makes the function that writes the members of an entry as JSON, without braces, in steps and in pieces: members sorted, those that are `undefined` left
 * out, texts of metadata redacted unless `isKept` says otherwise of their key. One walk does it all, and `JSON.stringify` the rest, because
 * it is quick. Throws a TypeError for anything that JSON cannot say without loss, and for members that records have themselves.
 */
export function memberEncoder(
  isKept: (key: string) => boolean,
): (members: Readonly<Record<string, unknown>>) => Steps<readonly Buffer[]> {
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

  return function* (members) {
    for (const name of ["seq", "at", "type", "prev", "hash"]) {
      if (Object.hasOwn(members, name)) throw new TypeError(`an entry has no member "${name}" of its own`);
    }
    const pieces: Buffer[] = [];
    let text = "";
    let values = 0;
    const inSteps = function* (value: unknown, inMap: boolean, depth: number): Steps<undefined> {
      if (depth < levels && Array.isArray(value)) {
        text += "[";
        for (let index = 0; index < value.length; index++) {
          if (index > 0) text += ",";
          yield* inSteps(value[index], false, depth + 1);
        }
        text += "]";
      } else if (depth < levels && !inMap && isPlain(value)) {
        let isFirst = true;
        text += depth === 0 ? "" : "{";
        for (const key of Object.keys(value).sort()) {
          const member = value[key];
          if (member === undefined) continue;
          text += `${isFirst ? "" : ","}${JSON.stringify(key)}:`;
          isFirst = false;
          yield* inSteps(member, isMetadata(key), depth + 1);
        }
        text += depth === 0 ? "" : "}";
      } else {
        text += JSON.stringify(walk(value, inMap, depth));
        if (++values % valuesPerStep === 0) {
          pieces.push(Buffer.from(text));
          text = "";
          yield;
        }
      }
      return undefined;
    };
    yield* inSteps(members, false, 0);
    pieces.push(Buffer.from(text));
    return pieces;
  };
}

/** Whether it is an object of which a copy with sorted members has them in that order: no member is a number. */
function isPlain(value: unknown): value is Readonly<Record<string, unknown>> {
  if (typeof value !== "object" || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return (
    (prototype === Object.prototype || prototype === null) && !Object.keys(value).some((key) => /^[0-9]/.test(key))
  );
}
