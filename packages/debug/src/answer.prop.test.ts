import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { jsonPieces } from "./answer.ts";

const json = fc.jsonValue({ maxDepth: 3 });

describe("JSON written in pieces", () => {
  it.each([0, 2])("is what JSON.stringify writes, with indent %i", (indent) => {
    fc.assert(
      fc.property(fc.array(json), (items) => {
        const text = [...jsonPieces({ type: "array", items }, indent)].join("");
        expect(text).toBe(`${JSON.stringify(items, null, indent)}\n`);
      }),
      { numRuns: 100 },
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(fc.string({ minLength: 1 }), json), { selector: ([name]) => name }),
        (members) => {
          const value = Object.fromEntries(members);
          const written = [...jsonPieces({ type: "object", members: Object.entries(value) }, indent)].join("");
          expect(written).toBe(`${JSON.stringify(value, null, indent)}\n`);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("comes in pieces, not as one text", () => {
    const items = Array.from({ length: 10_000 }, (_, i) => ({ name: `service-${i}` }));
    const pieces = [...jsonPieces({ type: "array", items }, 0)];
    expect(pieces.length).toBeGreaterThan(2);
    expect(Math.max(...pieces.map(({ length }) => length))).toBeLessThan(70_000);
  });
});
