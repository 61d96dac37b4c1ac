import { createHash } from "node:crypto";

/** How deep arrays and objects may nest. Real data stays far below; what is deeper is cyclic or hostile. */
const maxDepth = 500;

/** Text that JSON writes as it is: no quote, no backslash, no control character, nothing beyond ASCII. */
const plainText = /^[\x20\x21\x23-\x5b\x5d-\x7e]*$/;

/**
 * One text for one value: members sorted by code unit, `undefined` members left out, `-0` written as `0`.
 * Accepts plain JSON data only. Throws a TypeError for anything that JSON cannot say without loss
 * (bigint, NaN, Infinity, Map, Set, Date, functions, symbols, holes in arrays), because two such values could share
 * a hash; and for data nested deeper than 500 levels, which is how a cycle shows itself.
 */
export function canonicalJson(value: unknown): string {
  return write(value, 0);
}

/**
 * Content hash of plain JSON data: equal content, equal hash, in every process and release with the same format version.
 * 32 hexadecimal digits (128 bits of SHA-256 over `v1\0` and the canonical form). Throws what canonicalJson throws.
 */
export function contentHash(value: unknown): string {
  return createHash("sha256").update("v1\0").update(write(value, 0)).digest("hex").slice(0, 32);
}

function write(value: unknown, depth: number): string {
  switch (typeof value) {
    case "string":
      return writeText(value);
    case "boolean":
      return value ? "true" : "false";
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${String(value)} has no canonical form`);
      return String(value === 0 ? 0 : value);
    case "object":
      if (value === null) return "null";
      if (depth >= maxDepth) throw new TypeError(`data nested deeper than ${maxDepth} levels has no canonical form`);
      return Array.isArray(value) ? writeArray(value, depth + 1) : writeObject(value, depth + 1);
    default:
      throw new TypeError(`a ${typeof value} has no canonical form`);
  }
}

function writeText(text: string): string {
  return plainText.test(text) ? `"${text}"` : JSON.stringify(text);
}

function writeArray(items: readonly unknown[], depth: number): string {
  let text = "[";
  // By index: a hole reads as undefined and is refused, where map would skip it.
  for (let index = 0; index < items.length; index++) {
    if (index > 0) text += ",";
    text += write(items[index], depth);
  }
  return `${text}]`;
}

function writeObject(value: object, depth: number): string {
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError("only plain objects have a canonical form");
  let text = "{";
  for (const key of sorted(Object.keys(value))) {
    // Object.keys names own members only, so a member called __proto__ is read as the data it is.
    const member = (value as Record<string, unknown>)[key];
    if (member === undefined) continue;
    if (text.length > 1) text += ",";
    text += writeKey(key);
    text += write(member, depth);
  }
  return `${text}}`;
}

/** Sorts by code unit, in place. The few members of an object are sorted faster by hand than by the general way. */
function sorted(keys: string[]): readonly string[] {
  if (keys.length > 24) return keys.sort();
  for (let index = 1; index < keys.length; index++) {
    const key = keys[index] ?? "";
    let at = index;
    for (; at > 0 && (keys[at - 1] ?? "") > key; at--) keys[at] = keys[at - 1] ?? "";
    keys[at] = key;
  }
  return keys;
}

/** A key with its colon. The same few keys come again and again. */
function writeKey(key: string): string {
  const known = knownKeys.get(key);
  if (known !== undefined) return known;
  const text = `${writeText(key)}:`;
  if (knownKeys.size < maxKnownKeys && key.length <= 100) knownKeys.set(key, text);
  return text;
}
const knownKeys = new Map<string, string>();
const maxKnownKeys = 1000;
