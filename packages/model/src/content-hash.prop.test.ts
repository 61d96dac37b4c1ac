import { isDeepStrictEqual } from "node:util";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson, contentHash } from "./content-hash.ts";

/** JSON data with awkward keys; -0 is left out because the canonical form says 0 on purpose. */
const json = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constant(null),
    fc.boolean(),
    fc.string({ unit: "binary" }),
    fc.integer(),
    fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => (number === 0 ? 0 : number)),
    fc.array(tie("value"), { maxLength: 4 }),
    fc
      .array(
        fc.tuple(
          fc.oneof(fc.constantFrom("__proto__", "constructor", "toString", "a", "b"), fc.string()),
          tie("value"),
        ),
        {
          maxLength: 5,
        },
      )
      .map((members) => Object.fromEntries(members)),
  ),
})).value;

const runs = { numRuns: 200 };

describe("canonicalJson", () => {
  it("is JSON that reads back as the same data", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(isDeepStrictEqual(JSON.parse(canonicalJson(value)), value)).toBe(true);
      }),
      runs,
    );
  });

  it("gives equal texts exactly for equal data", () => {
    fc.assert(
      fc.property(json, json, (left, right) => {
        expect(canonicalJson(left) === canonicalJson(right)).toBe(isDeepStrictEqual(left, right));
      }),
      runs,
    );
  });

  it("does not depend on the order of members, nor on members that are undefined", () => {
    fc.assert(
      fc.property(json, (value) => {
        expect(contentHash(reversed(value))).toBe(contentHash(value));
      }),
      runs,
    );
  });

  it("changes with every leaf", () => {
    fc.assert(
      fc.property(json, fc.nat(), (value, pick) => {
        const count = leaves(value);
        fc.pre(count > 0);
        expect(contentHash(replaceLeaf(value, { left: pick % count }))).not.toBe(contentHash(value));
      }),
      runs,
    );
  });
});

function isMembers(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

/** The same data with members in the opposite order and an undefined member in each object. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (!isMembers(value)) return value;
  const members = Object.entries(value).map(([key, member]) => [key, reversed(member)] as const);
  const absent = Object.hasOwn(value, "not there") ? [] : [["not there", undefined] as const];
  return Object.fromEntries([...absent, ...members.reverse()]);
}

function leaves(value: unknown): number {
  if (!isMembers(value)) return 1;
  return Object.values(value).reduce<number>((sum, member) => sum + leaves(member), 0);
}

/** A copy in which one leaf, counted from the left, says something else. */
function replaceLeaf(value: unknown, at: { left: number }): unknown {
  if (Array.isArray(value)) return value.map((member) => replaceLeaf(member, at));
  if (isMembers(value))
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, replaceLeaf(member, at)]));
  if (at.left-- !== 0) return value;
  switch (typeof value) {
    case "string":
      return `${value}!`;
    case "number":
      return value === 0 ? 1 : 0;
    case "boolean":
      return !value;
    default:
      return "null";
  }
}
