import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { resourceOf } from "./resource.ts";
import { SetVersion } from "./set-version.ts";

const item = fc.record({ name: fc.string(), version: fc.string() });
const items = fc.uniqueArray(item, { selector: ({ name }) => name, maxLength: 20 });

describe("SetVersion", () => {
  it("does not depend on order or on what came and went", () => {
    fc.assert(
      fc.property(items, items, (kept, passing) => {
        const straight = SetVersion.of(kept).toString();
        const around = new SetVersion();
        for (const one of passing) around.add(one);
        for (const one of [...kept].reverse()) around.add({ ...one });
        for (const one of passing) around.remove({ ...one });
        expect(around.toString()).toBe(straight);
      }),
      { numRuns: 150 },
    );
  });

  it("differs where names or versions differ", () => {
    fc.assert(
      fc.property(items, items, (a, b) => {
        const text = (list: typeof a): string =>
          JSON.stringify(list.map(({ name, version }) => [name, version]).sort());
        expect(SetVersion.of(a).toString() === SetVersion.of(b).toString()).toBe(text(a) === text(b));
      }),
      { numRuns: 150 },
    );
  });

  it("is the same in every process: a known value", () => {
    expect(new SetVersion().toString()).toBe("AAAAAAAAAAAAAAAAAAAAAA");
    // printf 'a\0001' | sha256sum | cut -c1-32 | xxd -r -p | base64
    expect(SetVersion.of([{ name: "a", version: "1" }]).toString()).toBe("BanFaaGFrGD1UR-XYLw_Gg");
    const both = [
      { name: "a", version: "1" },
      { name: "b", version: "2" },
    ];
    expect(SetVersion.of(both).toString()).not.toBe(
      SetVersion.of([
        { name: "a", version: "2" },
        { name: "b", version: "1" },
      ]).toString(),
    );
  });

  it("a copy goes its own way", () => {
    const first = SetVersion.of([{ name: "a", version: "1" }]);
    const before = first.toString();
    first.copy().add({ name: "b", version: "1" });
    expect(first.toString()).toBe(before);
  });
});

describe("resourceOf", () => {
  it("gives equal bytes equal versions, and other bytes others", () => {
    fc.assert(
      fc.property(fc.uint8Array(), fc.uint8Array(), (a, b) => {
        expect(resourceOf("x", a).version === resourceOf("y", b).version).toBe(Buffer.compare(a, b) === 0);
        expect(resourceOf("x", a).version).toHaveLength(22);
      }),
      { numRuns: 100 },
    );
  });
});
