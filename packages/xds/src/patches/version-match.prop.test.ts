import fc from "fast-check";
import { expect, it } from "vitest";
import { versionMatcher } from "./version-match.ts";

const atom = fc.constantFrom("a", "b", "\\.", ".", "[ab]", "[^a]", "\\d", "^", "$");
const repetition = fc.constantFrom("", "", "*", "+", "?", "{1,2}", "{2}");
const { expression } = fc.letrec<{ expression: string; item: string }>((tie) => ({
  item: fc.oneof(
    { depthSize: "small", maxDepth: 3 },
    atom,
    tie("expression").map((inner) => `(${inner})`),
  ),
  expression: fc
    .array(fc.array(fc.tuple(tie("item"), repetition), { maxLength: 3 }), { minLength: 1, maxLength: 2 })
    .map((either) =>
      either
        // What stands for no character is not repeated: the two dialects differ there.
        .map((items) => items.map(([item, times]) => (/^[$^]$/.test(item) ? item : `${item}${times}`)).join(""))
        .join("|"),
    ),
}));
const version = fc.string({ unit: fc.constantFrom("a", "b", ".", "1"), maxLength: 6 });

it("finds a match where JavaScript's own expressions do", () => {
  fc.assert(
    fc.property(expression, version, (text, one) => {
      expect(versionMatcher(text)?.(one)).toBe(new RegExp(text, "u").test(one));
    }),
    { numRuns: 500 },
  );
});
