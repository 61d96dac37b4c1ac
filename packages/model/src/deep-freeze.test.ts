import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deepFreeze, deepFreezeParsed } from "./deep-freeze.ts";

describe("deepFreeze", () => {
  it("freezes all levels and returns the same value", () => {
    const value = { a: [{ b: 1 }] };
    expect(deepFreeze(value)).toBe(value);
    expect([value, value.a, value.a[0]].every((part) => Object.isFrozen(part))).toBe(true);
  });

  it("freezes below what was frozen only on top", () => {
    const inner = { c: 1 };
    deepFreeze(Object.freeze({ a: Object.freeze([inner]) }));
    expect(Object.isFrozen(inner)).toBe(true);
  });

  it("freezes what a member called __proto__ holds", () => {
    const value = JSON.parse('{"__proto__":{"a":{}}}') as object;
    deepFreeze(value);
    expect(Object.isFrozen(Object.getOwnPropertyDescriptor(value, "__proto__")?.value)).toBe(true);
    expect(Object.isFrozen(Object.prototype)).toBe(false);
  });

  it("ends on cycles, also on frozen ones", () => {
    const left: { other?: object } = {};
    const right = Object.freeze({ other: left });
    left.other = right;
    Object.freeze(left);
    expect(deepFreeze(left)).toBe(left);
  });

  it("goes deeper than the stack could", () => {
    let value: unknown[] = [];
    const bottom = value;
    for (let level = 0; level < 100_000; level++) value = [value];
    deepFreeze(value);
    expect(Object.isFrozen(bottom)).toBe(true);
  });

  it("looks at what many share a bounded number of times", () => {
    const inner = { a: 1 };
    // Two to the power of 150 ways lead to the innermost.
    let value: object = Object.freeze({ left: inner, right: inner });
    for (let level = 0; level < 150; level++) value = Object.freeze({ left: value, right: value });
    deepFreeze(value);
    expect(Object.isFrozen(inner)).toBe(true);
  });

  it("freezes everything that can be reached, whatever is frozen and shared already", () => {
    const graph = fc.array(
      fc.record({ to: fc.array(fc.nat(), { maxLength: 3 }), frozen: fc.boolean(), list: fc.boolean() }),
      { minLength: 1, maxLength: 12 },
    );
    fc.assert(
      fc.property(graph, (nodes) => {
        const made = nodes.map(({ list }): Record<string, unknown> | unknown[] => (list ? [] : {}));
        for (const [index, { to }] of nodes.entries())
          for (const [edge, target] of to.entries())
            Object.assign(made[index] ?? {}, { [edge]: made[target % made.length] });
        for (const [index, { frozen }] of nodes.entries()) if (frozen) Object.freeze(made[index]);
        deepFreeze(made[0]);
        const open = new Set([made[0]]);
        for (const value of open) {
          expect(Object.isFrozen(value)).toBe(true);
          for (const member of Object.values(value ?? {})) open.add(member as Record<string, unknown>);
        }
      }),
      { numRuns: 300 },
    );
  });

  it("leaves primitives and buffers alone", () => {
    expect(deepFreeze("text")).toBe("text");
    expect(deepFreeze(null)).toBe(null);
    expect(deepFreeze({ bytes: new Uint8Array(2) }).bytes).toHaveLength(2);
  });
});

describe("deepFreezeParsed", () => {
  const isFrozenDown = (value: unknown): boolean =>
    typeof value !== "object" ||
    value === null ||
    (Object.isFrozen(value) &&
      Object.values(Object.getOwnPropertyDescriptors(value)).every(({ value }) => isFrozenDown(value)));

  it("freezes all levels of any JSON and returns the same value", () => {
    fc.assert(
      fc.property(fc.json({ maxDepth: 6 }), (text) => {
        const value = JSON.parse(text) as unknown;
        expect(deepFreezeParsed(value)).toBe(value);
        expect(isFrozenDown(value)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });

  it("freezes what a member called __proto__ holds", () => {
    const value = JSON.parse('{"a":[{"__proto__":{"b":{}}}]}') as object;
    deepFreezeParsed(value);
    expect(isFrozenDown(value)).toBe(true);
    expect(Object.isFrozen(Object.prototype)).toBe(false);
  });

  it("goes deeper than the stack could", () => {
    const depth = 100_000;
    let value = deepFreezeParsed(JSON.parse("[".repeat(depth) + "]".repeat(depth)) as unknown[]);
    for (let level = 1; level < depth; level++) value = value[0] as unknown[];
    expect(Object.isFrozen(value)).toBe(true);
  });
});
