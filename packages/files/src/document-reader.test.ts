import { atOnce } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { DocumentReader } from "./document-reader.ts";

/** A reader, and what it was given to convert since it was last asked. */
function counting(options: { readonly cutFrom?: number } = {}) {
  const converted: unknown[] = [];
  const reader = new DocumentReader<unknown>({
    ...options,
    file: "a.yaml",
    listKeys: ["items"],
    mayCut: (frame) => (frame as { kind?: unknown }).kind === "List",
    convert: (value) => {
      converted.push(value);
      return value;
    },
  });
  return { reader, take: () => converted.splice(0) };
}

const documents = (...names: string[]) => names.map((name) => `name: ${name}\n`).join("---\n");
const list = (...names: string[]) => `kind: List\nitems:\n${names.map((name) => `  - name: ${name}\n`).join("")}`;

describe("DocumentReader", () => {
  it.each([
    ["one document is another one", documents("a", "b", "c"), documents("a", "x", "c"), [{ name: "x" }]],
    ["a document comes first", documents("-a", "b"), `---\n${documents("x")}---\n${documents("b")}`, [{ name: "x" }]],
    [
      "two far apart change",
      documents(..."a b c d e f g h".split(" ")),
      documents(..."x b c d e f g y".split(" ")),
      [{ name: "x" }, { name: "y" }],
    ],
    ["the order changes", documents(..."a b c d e f g h".split(" ")), documents(..."a g c d e f b h".split(" ")), []],
    ["a document is gone", documents("a", "b", "c"), documents("a", "c"), []],
    ["an item is another one", list("a", "b"), list("a", "x"), [{ kind: "List", items: [] }, { name: "x" }]],
    ["an item comes first", list("a", "b"), list("x", "a", "b"), [{ kind: "List", items: [] }, { name: "x" }]],
    ["nothing changes", documents("a", "b"), documents("a", "b"), []],
  ])("converts only what is new where %s", (_, before, after, fresh) => {
    const { reader, take } = counting({ cutFrom: 0 });
    atOnce(reader.read(before));
    take();
    expect(atOnce(reader.read(after)).errors).toEqual([]);
    expect(take()).toEqual(fresh);
  });

  it("still knows the items from before a version that was broken", () => {
    const { reader, take } = counting({ cutFrom: 0 });
    atOnce(reader.read(list("a", "b", "c")));
    const { errors, parts } = atOnce(reader.read(list("a", '"b', "c")));
    expect(errors.map(({ line, message }) => [line, message])).toEqual([
      [5, expect.stringMatching(/^not YAML: deficient indentation/)],
    ]);
    expect(parts).toEqual([]);
    take();
    atOnce(reader.read(list("a", "b", "x")));
    expect(take()).toEqual([{ kind: "List", items: [] }, { name: "x" }]);
  });

  it("takes no document for an item with the same text", () => {
    const { reader } = counting({ cutFrom: 0 });
    atOnce(reader.read("kind: List\nitems:\n- a\n- b\n"));
    const { parts } = atOnce(reader.read("items:\n- b\n"));
    expect(parts.map(({ path, content }) => [path, content])).toEqual([[[], { items: ["b"] }]]);
  });

  it("reads a list whole where it may not be cut", () => {
    const { reader, take } = counting({ cutFrom: 0 });
    const { parts } = atOnce(reader.read("kind: Other\nitems:\n- a\n- b\n"));
    expect(take()).toEqual([{ kind: "Other", items: ["a", "b"] }]);
    expect(parts.map(({ path }) => path)).toEqual([[]]);
  });

  it("says where things stand in the text as it is now", () => {
    const { reader } = counting({ cutFrom: 0 });
    atOnce(reader.read(list("a", "b")));
    const { parts } = atOnce(reader.read(`# moved\n${list("a", "b")}`));
    expect(parts.map((part) => part.positionOf([...part.path, "name"]))).toEqual([
      { line: 2, column: 1 },
      { line: 4, column: 11 },
      { line: 5, column: 11 },
    ]);
  });

  it.each([
    ["many documents", documents(...Array.from({ length: 5000 }, (_, index) => `n${index}`))],
    ["a long list", list(...Array.from({ length: 5000 }, (_, index) => `n${index}`))],
  ])("reads one of them in each step where there are %s", (_, text) => {
    const { reader, take } = counting();
    const steps = reader.read(text);
    const most = [];
    for (let next = steps.next(); next.done !== true; next = steps.next()) most.push(take().length);
    expect(Math.max(...most)).toBe(1);
    expect(most.length).toBeGreaterThan(5000);
  });

  it("refuses a text that is too long, and goes on with the next", () => {
    const reader = new DocumentReader<unknown>({ file: "a.yaml", maxBytes: 10, convert: (value) => value });
    expect(atOnce(reader.read("a: 1234567890")).errors.map(({ message }) => message)).toEqual([
      "the text has 13 bytes, at most 10 are read",
    ]);
    expect(atOnce(reader.read("a: 1")).parts.map(({ content }) => content)).toEqual([{ a: 1 }]);
  });
});
