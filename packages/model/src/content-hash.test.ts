import { describe, expect, it } from "vitest";
import { canonicalJson, contentHash } from "./content-hash.ts";

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let level = 0; level < depth; level++) value = [value];
  return value;
}

describe("canonicalJson", () => {
  it.each([
    ["sorts members by code unit, not by locale", { b: 1, a: 2, Z: 3, é: 4 }, '{"Z":3,"a":2,"b":1,"é":4}'],
    ["writes -0 as 0", [-0, 0], "[0,0]"],
    ["leaves out undefined members", { a: undefined, b: 1 }, '{"b":1}'],
    ["escapes what JSON must", 'a"\\\n\u0000', '"a\\"\\\\\\n\\u0000"'],
    ["escapes lone surrogates", "\ud800", '"\\ud800"'],
    ["keeps members called __proto__", JSON.parse('{"__proto__":{"x":1}}'), '{"__proto__":{"x":1}}'],
    ["takes objects without a prototype", Object.assign(Object.create(null) as object, { a: 1 }), '{"a":1}'],
  ])("%s", (_, value: unknown, text) => {
    expect(canonicalJson(value)).toBe(text);
  });

  it.each([
    ["a bigint", 1n],
    ["NaN", Number.NaN],
    ["Infinity", -Infinity],
    ["a Map", new Map()],
    ["a Set", new Set()],
    ["a Date", new Date(0)],
    ["a function", () => 1],
    ["a symbol", Symbol("s")],
    ["undefined", undefined],
    ["undefined in a list", [undefined]],
    ["a hole in a list", new Array<number>(2)],
    ["a class instance", new URL("http://a/")],
  ])("refuses %s, also below other data", (_, value: unknown) => {
    expect(() => canonicalJson(value)).toThrow(TypeError);
    expect(() => canonicalJson({ a: [value] })).toThrow(TypeError);
  });

  it("takes 500 levels and refuses more, so that a cycle is an error and not a crash", () => {
    expect(canonicalJson(nested(500))).toHaveLength(1001);
    expect(() => canonicalJson(nested(501))).toThrow("deeper than 500");
    const cycle: { self?: unknown } = {};
    cycle.self = cycle;
    expect(() => canonicalJson(cycle)).toThrow("deeper than 500");
  });
});

describe("contentHash", () => {
  it("stays what it was in earlier releases", () => {
    expect(contentHash({ b: [1, "x"], a: null })).toBe("424f45817e3db2a0953b35538a07ab01");
  });

  it("sees a label called __proto__", () => {
    expect(contentHash(JSON.parse('{"labels":{"__proto__":"a"}}'))).not.toBe(contentHash({ labels: {} }));
  });
});
