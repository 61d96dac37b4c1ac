import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { warningTexts } from "./warnings.ts";

describe("warnings", () => {
  it("stay as they are where they are short", () => {
    expect(warningTexts(["spec.http[0]: is never reached"])).toEqual(["spec.http[0]: is never reached"]);
  });

  it("end at a word where they are long", () => {
    const [text = ""] = warningTexts(["word ".repeat(40)]);
    expect(text).toBe(`${"word ".repeat(22)}word…`);
  });

  it("are of one line, and none comes twice", () => {
    expect(warningTexts(["a\r\n\u0000b", "a b"])).toEqual(["a b"]);
  });

  it("are counted where there are too many", () => {
    const texts = warningTexts(Array.from({ length: 100 }, (_, index) => `warning ${index}`));
    expect(texts).toHaveLength(31);
    expect(texts.at(-1)).toBe("and 70 more warnings");
  });

  it("are never longer than an API server takes, and whole characters", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "grapheme", maxLength: 400 })), (messages) => {
        for (const text of warningTexts(messages)) {
          expect(text.length).toBeLessThanOrEqual(120);
          expect(Buffer.from(text).toString()).toBe(text);
        }
      }),
    );
  });
});
