import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FaultList } from "./fault.ts";
import { istioKinds } from "./istio-kinds.ts";
import { isObject, type Read, type ReadSchema } from "./proto-json.ts";

/** Whether a value fits a schema, as an API server decides it: the part of OpenAPI that readers say. */
function fits(schema: ReadSchema, value: unknown): boolean {
  if (!typeFits(schema, value)) return false;
  if (schema.enum !== undefined && !schema.enum.includes(value as string)) return false;
  if (typeof value === "number") return value >= (schema.minimum ?? -Infinity) && value <= (schema.maximum ?? Infinity);
  if (typeof value === "string") return schema.pattern === undefined || new RegExp(schema.pattern).test(value);
  if (Array.isArray(value)) return value.every((member) => fits(schema.items ?? {}, member));
  if (!isObject(value)) return true;
  if ((schema.required ?? []).some((name) => !Object.hasOwn(value, name))) return false;
  const { additionalProperties, properties } = schema;
  return (
    (schema.anyOf === undefined || schema.anyOf.some((choice) => fits(choice, value))) &&
    (schema.not === undefined || !fits(schema.not, value)) &&
    Object.entries(value).every(([name, member]) => {
      const field = properties !== undefined && Object.hasOwn(properties, name) ? properties[name] : undefined;
      if (field !== undefined) return fits(field, member);
      // Within `not` and `anyOf` only what they say themselves counts.
      if (properties === undefined && additionalProperties === undefined) return true;
      return additionalProperties !== undefined && fits(additionalProperties, member);
    })
  );
}

function typeFits({ type, format }: ReadSchema, value: unknown): boolean {
  switch (type) {
    case undefined:
      return true;
    case "array":
      return Array.isArray(value);
    case "object":
      return isObject(value);
    case "integer":
      if (format === "int32" && Math.abs(value as number) > 0x7fffffff) return false;
      return Number.isSafeInteger(value);
    default:
      return typeof value === type;
  }
}

const words = fc.constantFrom("a", "b.c", "10s", "1h2m", "-1s", "soon", "YQ==", "Y", "!", "", "__proto__");

/** Values that fit a schema, and now and then one that does not. */
function near(schema: ReadSchema, depth = 0): fc.Arbitrary<unknown> {
  const wrong = fc.oneof(
    fc.constantFrom(-1, 1.5, 2 ** 33, "x", true, "UNSET"),
    words,
    fc.constant([]),
    fc.constant({}),
  );
  const mostly = (arbitrary: fc.Arbitrary<unknown>) =>
    fc.oneof({ weight: 40, arbitrary }, { weight: 1, arbitrary: wrong });
  switch (schema.type) {
    case "string":
      return mostly(schema.enum === undefined ? words : fc.constantFrom(...schema.enum));
    case "boolean":
      return mostly(fc.boolean());
    case "integer":
      return mostly(fc.integer({ min: schema.minimum ?? -5, max: 70_000 }));
    case "number":
      return mostly(fc.double({ noDefaultInfinity: true, noNaN: true }));
    case "array":
      return mostly(fc.array(near(schema.items ?? {}, depth + 1), { maxLength: depth > 3 ? 1 : 2 }));
    case "object": {
      const { additionalProperties, properties = {} } = schema;
      if (additionalProperties !== undefined) {
        return mostly(fc.dictionary(words, near(additionalProperties, depth + 1), { maxKeys: 2 }));
      }
      const fields = Object.entries(properties).map(([name, field]) => [name, near(field, depth + 1)] as const);
      const names = fc.subarray(
        fields.map(([name]) => name),
        { maxLength: Math.min(4, fields.length) },
      );
      const some = names.chain((chosen) =>
        fc.record(Object.fromEntries(fields.filter(([name]) => chosen.includes(name)))),
      );
      const odd = some.map((value) => ({ ...value, unheardOf: 1 }));
      return mostly(fc.oneof({ weight: 30, arbitrary: some }, { weight: 1, arbitrary: odd }));
    }
    default:
      return fc.jsonValue({ maxDepth: 1 });
  }
}

function reads(read: Read<unknown>, value: unknown): boolean {
  const faults = new FaultList();
  read(value, [], faults);
  return faults.faults.length === 0;
}

describe("the schema of a reader", () => {
  it.each(istioKinds.map(({ kind, read }) => ({ kind, read })))(
    "of $kind fits what it reads, and nothing else",
    ({ read }) => {
      const seen = { fit: 0, unfit: 0 };
      fc.assert(
        fc.property(near(read.schema), (value) => {
          const isFit = fits(read.schema, value);
          seen[isFit ? "fit" : "unfit"] += 1;
          expect(reads(read, value)).toBe(isFit);
        }),
        { numRuns: 300 },
      );
      expect(seen.fit, "values that fit").toBeGreaterThan(20);
      expect(seen.unfit, "values that do not").toBeGreaterThan(0);
    },
  );
});
