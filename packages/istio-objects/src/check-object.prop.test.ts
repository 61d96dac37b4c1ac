import { canonicalJson } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkObject } from "./check-object.ts";
import { objectOf, validSpecs } from "./testing/valid-objects.ts";

/** How many mutants are made; SIGNALBOX_FUZZ_RUNS asks for more. */
const runs = Number(process.env["SIGNALBOX_FUZZ_RUNS"] ?? 2_000);

type Mutable = unknown[] | Record<string, unknown>;

const nested = (depth: number): unknown => {
  let value: unknown = "deep";
  for (let level = 0; level < depth; level++) value = level % 2 === 0 ? [value] : { a: value };
  return value;
};
const junk: fc.Arbitrary<unknown> = fc.oneof(
  fc.constantFrom(
    null,
    true,
    "",
    "*",
    "0",
    "-1s",
    "9".repeat(400),
    ".",
    "/",
    "a/b/c",
    "(?=a)",
    "[",
    "%",
    "%A([",
    {},
    [],
  ),
  fc.constantFrom(-1, 0, 1e308, -1e308, 2 ** 53, 0.1, 4_999_999, -0x80000000, 0xffffffff),
  fc.string({ maxLength: 5, unit: "binary" }),
  fc.constantFrom(1, 50, 400).map(nested),
  fc.constant({ constructor: { prototype: 1 }, toString: "x" }),
  fc.constant(JSON.parse('{"__proto__": {"hosts": ["a"]}, "a": 1}')),
  fc.constantFrom(undefined, NaN, Infinity, 10n, Symbol("s"), new Date(0), new Map([["a", 1]]), () => 1),
  fc.jsonValue(),
);
const change = fc.record({
  steps: fc.array(fc.nat({ max: 1_000 }), { minLength: 1, maxLength: 12 }),
  how: fc.constantFrom("replace", "remove", "add", "repeat"),
  key: fc.constantFrom("__proto__", "constructor", "hasOwnProperty", "name", "snake_case", "", "a.b"),
  value: junk,
});

/** Changes one place of a value: where the steps lead, each the number of a member. */
function mutate(root: Mutable, { how, key, steps, value }: Change): void {
  let holder = root;
  let member = "";
  for (const step of steps) {
    const keys = Object.keys(holder);
    member = keys[step % Math.max(keys.length, 1)] ?? "";
    const next: unknown = (holder as Record<string, unknown>)[member];
    if (typeof next !== "object" || next === null || Object.keys(next).length === 0) break;
    if (step % 5 === 0) break;
    holder = next as Mutable;
  }
  const target = holder as Record<string, unknown>;
  if (how === "remove") Reflect.deleteProperty(target, member);
  else if (how === "repeat" && Array.isArray(holder)) holder.push(...Array.from({ length: 10 }, () => holder[0]));
  else
    Object.defineProperty(target, how === "add" ? key : member, {
      value,
      enumerable: true,
      writable: true,
      configurable: true,
    });
}

interface Change {
  readonly steps: readonly number[];
  readonly how: string;
  readonly key: string;
  readonly value: unknown;
}

describe("checkObject", () => {
  it.each(Object.entries(validSpecs))("finds no fault in a %s that is right", (kind, spec) => {
    expect(checkObject(objectOf(kind, spec))).toEqual([]);
  });

  it(
    "never throws, whatever is done to an object, and says the same of it each time",
    () => {
      fc.assert(
        fc.property(
          fc.constantFrom(...Object.entries(validSpecs)),
          fc.array(change, { minLength: 1, maxLength: 4 }),
          ([kind, spec], changes) => {
            const mutant = structuredClone(spec) as Mutable;
            for (const one of changes) mutate(mutant, one);
            const faults = checkObject(objectOf(kind, mutant));
            for (const { message, path } of faults) {
              expect(message).not.toBe("");
              expect(path[0]).toBe("spec");
            }
            expect(canonicalJson(checkObject(objectOf(kind, mutant)))).toBe(canonicalJson(faults));
          },
        ),
        { numRuns: runs },
      );
    },
    runs * 10 + 60_000,
  );

  it("takes little time for very many hosts, matches and server names", () => {
    const many = Array.from({ length: 30_000 }, (_, index) => index);
    const hosts = many.map((index) => `${index % 2 === 0 ? "*." : ""}h${index}.example.com`);
    const route = [{ destination: { host: "web" } }];
    const http = many.map((index) => ({ match: [{ uri: { prefix: `/${index}` } }], route }));
    const tls = [{ match: [{ sniHosts: hosts }], route }];
    const faults = checkObject(objectOf("VirtualService", { hosts, http, tls }));
    expect(faults.filter(({ severity }) => severity !== "warning")).toEqual([]);
  }, 20_000);
});
