import { describe, expect, it } from "vitest";
import { z } from "zod";
import { formatPath } from "../config-error.ts";
import { schemaFaults, type SchemaFaultOptions } from "./schema-faults.ts";

const level = z.strictObject({ name: z.enum(["low", "high"]), limit: z.int().min(1).max(9).default(1) });
const schema = z.strictObject({
  path: z.string().min(1).optional(),
  open: z.boolean().default(false),
  size: z.number().optional(),
  level: level.prefault({ name: "low" }),
  levels: z
    .preprocess((value: unknown) => (Array.isArray(value) ? (value as unknown[]) : [value]), z.array(level))
    .optional(),
  byName: z.record(z.string(), level).optional(),
  // A shorthand: `8/high`.
  short: z
    .preprocess((value) => {
      if (typeof value !== "string") return value;
      const [limit, name] = value.split("/");
      return { limit: Number(limit), name };
    }, level)
    .optional(),
  either: z
    .union([z.strictObject({ file: z.string() }), z.strictObject({ value: z.string() })], { error: "either of two" })
    .optional(),
  choice: z.union([z.literal(false), z.strictObject({ port: z.number() })]).optional(),
  kind: z
    .discriminatedUnion("type", [
      z.strictObject({ type: z.literal("near"), way: z.string() }),
      z.strictObject({ type: z.literal("far"), miles: z.number() }),
    ])
    .optional(),
  lower: z
    .string()
    .regex(/^[a-z]+$/, "must be lower case")
    .optional(),
});

function explained(data: unknown, options?: SchemaFaultOptions): readonly string[] {
  const issues = schema.safeParse(data).error?.issues ?? [];
  return schemaFaults(schema, data, issues, options).map(
    ({ message, onKey = false, path }) => `${onKey ? "key " : ""}${formatPath(path)}: ${message}`,
  );
}

describe("the faults of a schema", () => {
  it.each([
    { data: {}, says: [] },
    { data: [], says: ["(root): must be a map, not a list"] },
    { data: { opne: true }, says: ['key opne: unknown key; did you mean "open"?'] },
    {
      data: { level: { name: "low", nam: 1, zzz: 2 } },
      says: [/^key level.nam: .*"name"/, /zzz: .*here: limit, name$/],
    },
    { data: { levels: [{ name: "low", limt: 1 }] }, says: ['key levels[0].limt: unknown key; did you mean "limit"?'] },
    { data: { byName: { a: { name: "low", limt: 1 } } }, says: [/^key byName.a.limt: .* "limit"\?$/] },
    { data: { level: {} }, says: ["level.name: is missing"] },
    { data: { kind: { type: "fra" } }, says: ['kind.type: must be one of near, far, not "fra"; did you mean "far"?'] },
    { data: { kind: { type: "far", way: "x" } }, says: ["kind.miles: is missing", /^key kind.way: unknown key/] },
    { data: { level: { nmae: "low" } }, says: ['key level.nmae: unknown key; did you mean "name"?'] },
    {
      data: { level: { name: "hihg" } },
      says: ['level.name: must be one of low, high, not "hihg"; did you mean "high"?'],
    },
    { data: { level: { name: "low", limit: 10 } }, says: ["level.limit: must be at most 9, not 10"] },
    { data: { level: { name: "low", limit: 0 } }, says: ["level.limit: must be at least 1, not 0"] },
    { data: { path: "" }, says: ["path: must not be empty"] },
    {
      data: { path: 1, open: "y", size: {} },
      says: [/^path: must be text, not 1$/, /open: must be true or/, /a map$/],
    },
    { data: { path: null }, says: ["path: must be text, not empty"] },
    { data: { size: "x".repeat(99) }, says: [/^size: must be a number, not "x{56}…$/] },
    { data: { short: "10/high" }, says: ["short.limit: must be at most 9"] },
    { data: { either: { file: "a", value: "b" } }, says: ["either: either of two"] },
    { data: { either: 1 }, says: ["either: either of two"] },
    { data: { choice: true }, says: ["choice: must be false or a map, not true"] },
    { data: { choice: { prot: 1 } }, says: ['key choice.prot: unknown key; did you mean "port"?'] },
    { data: { lower: "A" }, says: ["lower: must be lower case"] },
  ])("say of $data: $says", ({ data, says }) => {
    expect(explained(data)).toEqual(
      says.map((one) => (typeof one === "string" ? one : (expect.stringMatching(one) as unknown))),
    );
  });

  it("show nothing of a value that has words of its own, and suggest nothing for it", () => {
    const wordsFor = () => "a secret";
    expect(explained({ level: { name: "hihg" }, path: 12345 }, { wordsFor }).join()).toBe(
      "path: must be text, not a secret,level.name: must be one of low, high, not a secret",
    );
  });
});
