import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatYaml } from "./format-yaml.ts";
import { parseDocuments } from "./parse-documents.ts";

describe("writing YAML", () => {
  it("writes maps and lists as blocks and quotes what could be misread", () => {
    const data = { a: [{ b: 1, c: ["x", []] }, "yes", "1.10", "a: b", ""], d: {}, e: null, f: undefined, "0": true };
    expect(formatYaml(data)).toBe(
      [
        '"0": true',
        "a:",
        "  - b: 1",
        "    c:",
        "      - x",
        "      - []",
        '  - "yes"',
        '  - "1.10"',
        '  - "a: b"',
        '  - ""',
        "d: {}",
        "e: null",
        "",
      ].join("\n"),
    );
  });

  it("writes scalars and nested lists at the root", () => {
    expect(formatYaml("x")).toBe("x\n");
    expect(formatYaml([[1, [2]], {}])).toBe("- - 1\n  - - 2\n- {}\n");
  });

  it("is read back as the same data", () => {
    const plain = fc.jsonValue({ depthSize: "small", stringUnit: "binary" });
    fc.assert(
      fc.property(plain, (data) => {
        const { documents, errors, warnings } = parseDocuments(formatYaml(data), { file: "x" });
        expect({ errors, warnings }).toEqual({ errors: [], warnings: [] });
        // A lone null is an empty document.
        expect(JSON.stringify(documents[0]?.value ?? null)).toBe(JSON.stringify(data));
      }),
      { numRuns: 200 },
    );
  });

  it("writes what is there twice twice, and folds no long text", () => {
    const shared = { name: "word ".repeat(40).trim() };
    expect(formatYaml([shared, shared])).toBe(`- name: ${shared.name}\n`.repeat(2));
  });

  it("refuses what YAML has no form for", () => {
    expect(() => formatYaml({ a: 1n })).toThrow(TypeError);
  });
});
