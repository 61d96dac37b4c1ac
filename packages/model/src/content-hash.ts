import { createHash } from "node:crypto";

/**
 * One text for one value: members sorted by code unit, `undefined` members left out, `-0` written as `0`.
 * Accepts plain JSON data only. Throws a TypeError for anything that JSON cannot say without loss
 * (bigint, NaN, Infinity, Map, Set, Date, functions, symbols), because two such values could share a hash.
 */
export function canonicalJson(value: unknown): string {
  switch (typeof value) {
    case "string":
      return JSON.stringify(value);
    case "boolean":
      return value ? "true" : "false";
    case "number":
      if (!Number.isFinite(value)) throw new TypeError(`${String(value)} has no canonical form`);
      return String(value === 0 ? 0 : value);
    case "object":
      break;
    default:
      throw new TypeError(`a ${typeof value} has no canonical form`);
  }
  if (value === null) return "null";
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(",")}]`;
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== Object.prototype && prototype !== null)
    throw new TypeError("only plain objects have a canonical form");
  const members: string[] = [];
  for (const key of Object.keys(value).sort()) {
    const member = (value as Record<string, unknown>)[key];
    if (member !== undefined) members.push(`${JSON.stringify(key)}:${canonicalJson(member)}`);
  }
  return `{${members.join(",")}}`;
}

/**
 * Content hash of plain JSON data: equal content, equal hash, in every process and release with the same format version.
 * 32 hexadecimal digits (128 bits of SHA-256 over `v1\0` and the canonical form).
 */
export function contentHash(value: unknown): string {
  return createHash("sha256").update("v1\0").update(canonicalJson(value)).digest("hex").slice(0, 32);
}
