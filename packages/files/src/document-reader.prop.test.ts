import { atOnce } from "@signalbox/slices";
import fc from "fast-check";
import { CORE_SCHEMA, dump, loadAll } from "js-yaml";
import { describe, expect, it } from "vitest";
import { DocumentReader, type ReadText } from "./document-reader.ts";
import { parseDocuments } from "./parse-documents.ts";
import type { DocumentPath, Position } from "./positions.ts";

const pieces = fc.constantFrom(
  ..."---\n;--- ;...\n;\r\n;\n;\r;  ;    ;- ;- a: ;a: ;b;items:\n;items: ;services:\n;- x\n;  - x\n;  - a: 1\n    b: 2\n;kind: List\n;{;};[;];,;&a ;*a;!t ;%YAML 1.2\n;\";';# c\n;<<: ;? ;: |\n;: >\n;\uFEFF;\t;on;.nan;{{ x }};\u2028".split(
    ";",
  ),
);
const anyText = fc.array(pieces, { maxLength: 30 }).map((parts) => parts.join(""));
/** One of the first, and now and then one of the others. */
const mostly = (good: readonly string[], odd: readonly string[]) =>
  fc.oneof({ weight: 8, arbitrary: fc.constantFrom(...good) }, { weight: 1, arbitrary: fc.constantFrom(...odd) });
const goodItems = [
  "a",
  "a: 1\n@  b: 2",
  "&a x",
  "[1,\n@  2]",
  "|\n@  text\n@  - more",
  "on",
  "- 1\n@  - 2",
  "a:\n@  - x",
  "# c\n",
];
const oddItems = [
  ...["*a", '"x\n@y"', '"x\n@- y"', "[1,\n@- 2]", "", "\n@  a: 1", "a: 1\n@  a: 2", "x\r- y", "!t x", "{{ x }}: 1"],
  ...["'", "{", "&a x\n@- *a"],
];
/** Documents with a list, most of them good. */
const listText = fc
  .tuple(
    mostly(["", "---\n", "# c\n", "a: 1\n"], ["%YAML 1.2\n---\n", "a: &a 1\n", 'q: "x\n', "q: [x,\n"]),
    mostly(["items:\n", "items: # c\n", "services:\n"], ["items: ~\nservices:\n", '"items":\n']),
    fc.constantFrom("", "  ", "    "),
    fc.array(mostly(goodItems, oddItems), { minLength: 1, maxLength: 6 }),
    mostly(
      ["", "kind: List\n", "# end\n", "...\n", "---\nnext: 1\n"],
      ["items: 1\n", 'b"\n', ", b: 1]\n", " b: 1\n", "b: *a\n", "  &a \n", "&a\n"],
    ),
  )
  .map(([head, key, indent, items, tail]) => {
    return head + key + items.map((item) => `${indent}- ${item.replaceAll("@", indent)}\n`).join("") + tail;
  });
const text = fc.oneof(
  anyText,
  listText,
  fc.tuple(listText, anyText, listText).map((parts) => parts.join("\n")),
);

function reader() {
  return new DocumentReader<{ readonly value: unknown; readonly path: DocumentPath }>({
    file: "any",
    maxAliases: 2,
    convert: (value, path) => ({ value, path }),
    moved: ({ value }, path) => ({ value, path }),
    listKeys: ["items", "services"],
    cutFrom: 0,
  });
}

/** What was read, put together again. */
function whole({ parts, errors, warnings }: ReadText<{ readonly value: unknown; readonly path: DocumentPath }>) {
  const documents: { index: number; value: unknown; places: unknown[] }[] = [];
  for (const part of parts) {
    const { content, document, path } = part;
    expect(content.path).toEqual(path);
    const [key, index] = path;
    if (key === undefined) {
      documents.push({ index: document, value: content.value, places: [part.positionOf([])] });
      continue;
    }
    const last = documents.at(-1);
    const list = (last?.value as Record<string, unknown[]>)[key];
    if (list !== undefined) list[Number(index)] = content.value;
    // Nothing has no place: of an empty item the parser says where something ended before it.
    if (content.value !== null) last?.places.push(...placesOf(part, path));
  }
  return { documents, errors, warnings };
}

interface WithPlaces {
  positionOf(path: DocumentPath, at?: "key" | "value"): Position;
}

function placesOf(part: WithPlaces, path: DocumentPath): readonly Position[] {
  const below = part.positionOf([...path, "b"], "key");
  return [part.positionOf(path), part.positionOf(path, "key"), part.positionOf([...path, "a"]), below];
}

function expected(text: string, cut: ReadonlyMap<number, string>) {
  const { documents, errors, warnings } = parseDocuments(text, { file: "any", maxAliases: 2 });
  return {
    documents: documents.map((document) => {
      const { index, value } = document;
      const places: unknown[] = [document.positionOf([])];
      const key = cut.get(index);
      const list = key === undefined ? [] : ((value as Record<string, unknown[]>)[key] ?? []);
      for (const [item, content] of list.entries())
        if (key !== undefined && content !== null) places.push(...placesOf(document, [key, item]));
      return { index, value, places };
    }),
    errors,
    warnings,
  };
}

function cutsOf({ parts }: ReadText<unknown>): ReadonlyMap<number, string> {
  return new Map(
    parts.flatMap(({ document, path }) => (path.length === 0 ? [] : [[document, String(path[0])] as const])),
  );
}

function isEarlier(one: Position, other: Position): boolean {
  return one.line < other.line || (one.line === other.line && one.column < other.column);
}

describe("DocumentReader on any texts", () => {
  it("says of each version what parseDocuments says of it", () => {
    let cut = 0;
    fc.assert(
      fc.property(fc.array(text, { minLength: 1, maxLength: 3 }), (versions) => {
        const read = reader();
        for (const version of versions) {
          const said = atOnce(read.read(version));
          const cuts = cutsOf(said);
          cut += cuts.size;
          const { errors, ...good } = expected(version, cuts);
          expect(whole(said)).toMatchObject(good);
          expect(said.errors.map(({ document }) => document)).toEqual(errors.map(({ document }) => document));
          for (const [index, error] of said.errors.entries()) {
            // Of several mistakes in one document the first item's may be told, and the hint about templates only where one is in that item.
            const other = errors[index];
            if (other === undefined || isEarlier(error, other) || version.includes("{{")) continue;
            expect(error).toEqual(other);
          }
        }
      }),
      { numRuns: 400 },
    );
    expect(cut).toBeGreaterThan(100);
  });

  it("keeps what it made of a document or an item that is the same, wherever it stands", () => {
    const value = fc.record({ name: fc.string(), list: fc.array(fc.integer(), { maxLength: 3 }) });
    fc.assert(
      fc.property(
        fc.uniqueArray(value, { minLength: 2, maxLength: 8, selector: dump }),
        fc.nat(),
        fc.boolean(),
        (values, at, list) => {
          const write = (all: readonly unknown[]) =>
            list ? `kind: List\n${dump({ items: all })}` : all.map((one) => dump(one)).join("---\n");
          const read = new DocumentReader<unknown>({
            file: "any",
            convert: (one) => one,
            listKeys: ["items"],
            cutFrom: 0,
          });
          const first = atOnce(read.read(write(values)));
          const others = values.filter((_, index) => index !== at % values.length);
          // The first and the last document have other marks around them than the others.
          const known = new Set(first.parts.map(({ content }) => content));
          const again = atOnce(read.read(write([{ name: "new" }, ...others])));
          const kept = again.parts.filter(({ content }) => known.has(content));
          expect(kept.length).toBeGreaterThanOrEqual(others.length - 2);
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("splitting at marks", () => {
  it("gives what js-yaml gives for the whole stream, where that can be read", () => {
    fc.assert(
      fc.property(anyText, (stream) => {
        let all: unknown[];
        try {
          all = loadAll(stream, { schema: CORE_SCHEMA });
        } catch {
          return;
        }
        const { documents, errors } = parseDocuments(stream, { file: "any" });
        // What JSON cannot say, merge keys, and byte order marks between documents are this package's own rules.
        if (errors.length > 0 || stream.includes("<<") || stream.includes("\uFEFF", 1)) return;
        expect(documents.map(({ value }) => value)).toEqual(
          all.filter((value) => value !== null && value !== undefined),
        );
      }),
      { numRuns: 1000 },
    );
  });
});
