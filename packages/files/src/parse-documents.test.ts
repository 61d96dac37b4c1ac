import { describe, expect, it } from "vitest";
import { parseDocuments } from "./parse-documents.ts";

const parse = (text: string, options: { maxBytes?: number } = {}) =>
  parseDocuments(text, { file: "a.yaml", ...options });

describe("parseDocuments", () => {
  it("reads several documents and skips empty ones", () => {
    const { documents, errors } = parse("# head\n---\na: 1\n---\n# nothing\n---\n[b]\n...\n");
    expect(errors).toEqual([]);
    expect(documents.map((document) => [document.index, document.value])).toEqual([
      [0, { a: 1 }],
      [1, ["b"]],
    ]);
  });

  it("reads JSON indented with tabs", () => {
    expect(parse('{\n\t"a": [1, null, true]\n}').documents[0]?.value).toEqual({ a: [1, null, true] });
  });

  it("keeps a directive with the document that follows", () => {
    const { documents, errors } = parse("%YAML 1.2\n---\na: 1\n---\nb: 2\n");
    expect(errors).toEqual([]);
    expect(documents.map((document) => document.value)).toEqual([{ a: 1 }, { b: 2 }]);
  });

  it("does not cut inside a line", () => {
    expect(parse("a: x---\nb: --- y\nc: ---z\n").documents[0]?.value).toEqual({ a: "x---", b: "--- y", c: "---z" });
  });

  it("shows the other documents beside a broken one, with the place of the fault", () => {
    const { documents, errors } = parse("a: 1\n---\nb: [1\n---\nc: 3\n");
    expect(documents.map((document) => [document.index, document.value])).toEqual([
      [0, { a: 1 }],
      [2, { c: 3 }],
    ]);
    expect(errors).toEqual([
      expect.objectContaining({ file: "a.yaml", document: 1, message: expect.any(String) as string }),
    ]);
    expect(errors[0]?.line).toBeGreaterThanOrEqual(3);
  });

  it.each([
    { name: "a duplicate key", text: "x: 0\na: 1\na: 2\n", line: 3, column: 1, message: /duplicated mapping key "a"$/ },
    { name: "a quoted duplicate key", text: "{ 'a b': 1, 'a b': 2 }", line: 1, column: 14, message: /key "a b"$/ },
    { name: "a tab", text: "a:\n\tb: 1\n", line: 2, column: 1, message: /^not YAML: .* not with tabs$/ },
    { name: "an open bracket", text: "a: [b\nc: 1\n", line: 2, column: 1, message: /^not YAML: .*left open\?$/ },
    { name: "an unknown tag", text: "a: !foo x", line: 1, column: 4, message: /unknown scalar tag/ },
    { name: "an unknown alias", text: "hosts:\n- *.example.com", line: 2, column: 4, message: /unidentified alias/ },
    { name: "a cycle", text: "a: &x\n  b: *x\n", line: 2, column: 6, message: /contains it/ },
    { name: "a template", text: "a: {{ .Values.x }}\n", line: 1, column: 4, message: /render it first/ },
    { name: "not a number", text: "a: .nan\n", line: 1, column: 4, message: /JSON/ },
    { name: "an infinite number", text: "a:\n  - -.inf\n", line: 2, column: 5, message: /JSON/ },
    { name: "a zero byte", text: "a\u0000b", line: 1, column: 2, message: /null byte/ },
  ])("refuses $name at its place", ({ text, line, column, message }) => {
    const { documents, errors } = parse(text);
    expect(documents).toEqual([]);
    expect(errors).toMatchObject([{ line, column }]);
    expect(errors[0]?.message).toMatch(message);
  });

  it("refuses an alias bomb", () => {
    const levels = Array.from({ length: 9 }, (_, level) => {
      const members = level === 0 ? "x" : Array.from({ length: 10 }, () => `*a${level - 1}`).join(", ");
      return `a${level}: &a${level} [${members}]`;
    });
    expect(parse(levels.join("\n")).errors[0]?.message).toMatch(/alias/);
  });

  it("refuses nesting that is too deep", () => {
    expect(parse("[".repeat(5000)).errors).toHaveLength(1);
  });

  it("refuses a text that is too long before it reads it", () => {
    expect(parse("a: äöü", { maxBytes: 8 }).errors[0]?.message).toBe("the text has 9 bytes, at most 8 are read");
  });

  it("takes __proto__ as data", () => {
    const value = parse("__proto__:\n  polluted: true\n").documents[0]?.value;
    expect(Object.keys(value as object)).toEqual(["__proto__"]);
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
  });

  it("merges mappings", () => {
    expect(parse("a: &x {b: 1}\nc:\n  <<: *x\n  d: 2\n").documents[0]?.value).toEqual({
      a: { b: 1 },
      c: { b: 1, d: 2 },
    });
  });

  it.each(["on", "Yes", "off", "0777", "12:30", "1_000"])("warns about the plain scalar %s", (scalar) => {
    const { documents, warnings } = parse(`a: x\nb: ${scalar}\n`);
    expect(documents).toHaveLength(1);
    expect(warnings).toMatchObject([{ line: 2, column: 4, document: 0 }]);
    expect(warnings[0]?.message).toContain("kubectl");
    expect(parse(`b: "${scalar}"\n`).warnings).toEqual([]);
  });
});

describe("positionOf", () => {
  const text = 'first: 1\n---\nspec:\n  hosts:\n    - a\n    - "b"\n  ports: [{number: 80}]\n  none:\n';

  it.each([
    { path: ["spec"], value: [4, 3], key: [3, 1] },
    { path: ["spec", "hosts", 1], value: [6, 7], key: [6, 7] },
    { path: ["spec", "ports", 0, "number"], value: [7, 20], key: [7, 12] },
    { path: ["spec", "hosts", 9], value: [4, 3], key: [4, 3] },
    { path: ["spec", "missing", "deep"], value: [3, 1], key: [3, 1] },
  ])("finds $path", ({ path, value, key }) => {
    for (const variant of [text, text.replaceAll("\n", "\r\n"), `\uFEFF${text}`]) {
      const document = parse(variant).documents[1];
      expect(document?.positionOf(path)).toEqual({ line: value[0], column: value[1] });
      expect(document?.positionOf(path, "key")).toEqual({ line: key[0], column: key[1] });
    }
  });

  it("finds the root", () => {
    expect(parse("\n\na: 1\n").documents[0]?.positionOf([])).toEqual({ line: 3, column: 1 });
  });
});
