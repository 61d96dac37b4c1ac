import fc from "fast-check";
import { dump } from "js-yaml";
import { describe, expect, it } from "vitest";
import { parseDocuments } from "./parse-documents.ts";

const fragments = fc.constantFrom(
  ..."---\n|...\n|\r\n|\n|  |- |: |a|{|}|[|]|,|&a |*a|!t |%YAML 1.2\n|\"|'|# c|<<: |? |__proto__|\uFEFF|\t|on|>\n|.nan|{{|\u0000|\uD800".split(
    "|",
  ),
  "|\n",
);
const yamlLike = fc
  .array(fc.oneof(fragments, fc.string({ maxLength: 4 })), { maxLength: 40 })
  .map((parts) => parts.join(""));
const json = fc.jsonValue({ maxDepth: 4 });

describe("parseDocuments on any text", () => {
  it("never throws, and puts every error inside the text", () => {
    fc.assert(
      fc.property(yamlLike, (text) => {
        const { documents, errors } = parseDocuments(text, { file: "any" });
        const lines = text.split(/\r\n|[\r\n]/).length;
        for (const error of errors) {
          expect(error.line).toBeLessThanOrEqual(lines);
          expect(error.column).toBeGreaterThan(0);
        }
        for (const document of documents) {
          JSON.stringify(document.value);
          document.positionOf(["a", 0, "b"]);
        }
      }),
      { numRuns: 200 },
    );
  });

  it("reads back what JSON and YAML writers wrote", () => {
    const written = fc.array(
      json.filter((value) => value !== null),
      { minLength: 1, maxLength: 4 },
    );
    fc.assert(
      fc.property(written, fc.boolean(), (values, asJson) => {
        const texts = values.map((value) => (asJson ? `${JSON.stringify(value)}\n` : dump(value)));
        const { documents, errors } = parseDocuments(texts.join("---\n"), { file: "any" });
        expect(errors).toEqual([]);
        expect(documents.map((document) => JSON.stringify(document.value))).toEqual(
          values.map((v) => JSON.stringify(v)),
        );
      }),
      { numRuns: 100 },
    );
  });
});
