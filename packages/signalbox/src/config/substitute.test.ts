import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { substitute } from "./substitute.ts";

const environment = { PORT: "15010", EMPTY: "", YAML: "a: {b: c}\n- d", NESTED: "${PORT}" };

describe("environment variables in the configuration", () => {
  it.each([
    { name: "a plain variable", text: "${PORT}", expected: "15010" },
    { name: "a variable inside text", text: "host:${PORT}/x", expected: "host:15010/x" },
    { name: "two variables", text: "${PORT}${PORT}", expected: "1501015010" },
    { name: "a default for a missing variable", text: "${NOPE:-fallback}", expected: "fallback" },
    { name: "a default for an empty variable", text: "${EMPTY:-fallback}", expected: "fallback" },
    { name: "an empty default", text: "[${NOPE:-}]", expected: "[]" },
    { name: "an empty variable without a default", text: "[${EMPTY}]", expected: "[]" },
    { name: "a default with colons and dashes", text: "${NOPE:-http://x:-1}", expected: "http://x:-1" },
    { name: "an escaped reference", text: "$${PORT}", expected: "${PORT}" },
    { name: "a lone dollar", text: "costs $5", expected: "costs $5" },
    { name: "text that looks like YAML stays text", text: "${YAML}", expected: "a: {b: c}\n- d" },
    { name: "what was put in is not read again", text: "${NESTED}", expected: "${PORT}" },
  ])("puts in $name", ({ text, expected }) => {
    expect(substitute({ at: [text] }, environment)).toMatchObject({ value: { at: [expected] }, faults: [] });
  });

  it("reports a missing variable with its place and how to give a default", () => {
    const { faults } = substitute({ xds: { files: [{ dir: "${NOPE}" }] } }, environment);
    expect(faults).toEqual([
      {
        path: ["xds", "files", 0, "dir"],
        message: "environment variable NOPE is not set; give a default with ${NOPE:-value}",
      },
    ]);
  });

  it("reports what is not a variable", () => {
    expect(substitute("${a b}", environment).faults).toEqual([
      { path: [], message: "${a b} is not a variable; write $${ for a plain ${" },
    ]);
  });

  it.each(["${PORT", "x ${", "${PORT} and ${PORT"])("reports a variable without its end: %s", (text) => {
    expect(substitute([text], environment).faults).toEqual([
      { path: [0], message: "${ has no end; write ${NAME}, or $${ for a plain ${" },
    ]);
  });

  it("tells where the environment was put in, and nothing of defaults", () => {
    const { origins } = substitute({ a: "x${PORT}", b: "${NOPE:-d}", c: "$${PORT}" }, environment);
    expect([...origins]).toEqual([['["a"]', { words: "the value of ${PORT}", text: "x15010" }]]);
  });

  it("does not look into prototypes for variables", () => {
    expect(substitute("${toString}", environment).faults).toHaveLength(1);
  });

  it("remembers where a whole text was one variable, because there it may stand for a number", () => {
    const { whole } = substitute({ a: "${PORT}", b: "x${PORT}", c: "15010" }, environment);
    expect([...whole]).toEqual([JSON.stringify(["a"])]);
  });

  it("leaves keys, numbers and data without references as they are, with __proto__ as data", () => {
    const data = JSON.parse('{"${PORT}": 1, "__proto__": {"x": null}, "list": [true, 2.5]}') as unknown;
    expect(JSON.stringify(substitute(data, environment).value)).toBe(JSON.stringify(data));
  });

  it("never changes the structure, whatever the variables hold", () => {
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(substitute({ a: ["${X}"] }, { X: value }).value).toEqual({ a: [value] });
      }),
      { numRuns: 200 },
    );
  });
});
