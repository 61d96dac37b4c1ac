import { didYouMean } from "@signalbox/model";
import type { z } from "zod";
import type { ConfigFault } from "../config-error.ts";
import { keysAt, schemasAt } from "./schema-at.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** How faults speak of values. */
export interface SchemaFaultOptions {
  /** Words that stand for the value at a path, because it may be secret: `the value of ${TOKEN}`. `undefined` shows the value. */
  readonly wordsFor?: (path: Path, value: unknown) => string | undefined;
}

/** What faults are explained with. */
interface Input {
  readonly schema: z.core.$ZodType;
  readonly data: unknown;
  wordsFor(path: Path, value: unknown): string | undefined;
}

/**
 * Says in plain words what `schema` found wrong with `data`: one fault for each key or value. Unknown keys and values that are nearly
 * right come with a suggestion. A schema's own `error` of a union is used as it stands.
 */
export function schemaFaults(
  schema: z.core.$ZodType,
  data: unknown,
  issues: readonly Issue[],
  { wordsFor = () => undefined }: SchemaFaultOptions = {},
): ConfigFault[] {
  const faults = issues.flatMap((issue) => explain(issue, [], { schema, data, wordsFor }));
  const distinct = new Map(faults.map((fault) => [JSON.stringify([fault.path, fault.message]), fault]));
  return [...distinct.values()];
}

function explain(issue: Issue, prefix: Path, input: Input): ConfigFault[] {
  const { data, schema } = input;
  const path = [...prefix, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  const fault = (message: string): ConfigFault[] => [{ path, message }];
  const value = valueAt(data, path);
  const words = input.wordsFor(path, value);
  // What a shorthand stands for has no value of its own in the input.
  const not = value === undefined ? "" : `, not ${words ?? describe(value)}`;
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = keysAt(schema, path);
      return issue.keys.map((key) => {
        const near = didYouMean(key, known);
        const hint = near === undefined ? `; known here: ${known.join(", ")}` : `; did you mean "${near}"?`;
        return { path: [...path, key], message: `unknown key${hint}`, onKey: true };
      });
    }
    case "invalid_union": {
      if (value === undefined) return missing(path, input);
      // Of a union that one key decides, no option was tried: the key has a value that no option knows.
      if (issue.errors.length === 0) return undecided(path, input, not);
      if (schemasAt(schema, path).some((one) => one._zod.def.type === "union" && one._zod.def.error !== undefined))
        return fault(issue.message);
      const branches = issue.errors.filter((errors) => !errors.some((error) => isTypeMismatch(error)));
      // Of maps, the one that knows all keys is meant.
      const knowing = branches.filter((errors) => unknownKeys(errors).length === 0);
      const [only] = knowing.length === 1 ? knowing : branches;
      if (only !== undefined && (knowing.length === 1 || branches.length === 1))
        return only.flatMap((error) => explain(error, path, input));
      if (knowing.length === 0 && branches.length > 1) return noneKnows(branches, path, input);
      return fault(`must be ${[...new Set(issue.errors.flat().flatMap(wanted))].join(" or ")}${not}`);
    }
    case "invalid_type":
    case "invalid_value": {
      if (value === undefined) return missing(path, input);
      const [allowed] = wanted(issue);
      const near =
        issue.code === "invalid_value" && typeof value === "string" && words === undefined
          ? didYouMean(
              value,
              issue.values.filter((candidate) => typeof candidate === "string"),
            )
          : undefined;
      const hint = near === undefined ? "" : `; did you mean "${near}"?`;
      return fault(`must be ${allowed ?? "something else"}${not}${hint}`);
    }
    case "too_small":
      return fault(
        issue.origin === "string" || issue.origin === "array"
          ? `must not be empty`
          : `must be at least ${String(issue.minimum)}${not}`,
      );
    case "too_big":
      return fault(`must be at most ${String(issue.maximum)}${not}`);
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_key":
    case "invalid_element":
    case "custom":
      return fault(issue.message);
  }
}

/** Keys at the root of a branch of a union that it does not know. */
function unknownKeys(errors: readonly Issue[]): readonly string[] {
  return errors.flatMap((error) => (error.code === "unrecognized_keys" && error.path.length === 0 ? error.keys : []));
}

/** Each of several maps that the value could be lacks some of its keys. */
function noneKnows(branches: readonly (readonly Issue[])[], path: Path, input: Input): ConfigFault[] {
  const [first = [], ...others] = branches.map(unknownKeys);
  const keys = first.filter((key) => others.every((unknown) => unknown.includes(key)));
  if (keys.length > 0) return explain({ code: "unrecognized_keys", keys, path: [], message: "" }, path, input);
  const given = Object.keys(Object(valueAt(input.data, path)) as object);
  return [{ path, message: `has keys of which only one can be there: ${given.join(", ")}` }];
}

/** A key whose value decides which option of a union applies, and that has none of the values that do. */
function undecided(path: Path, input: Input, not: string): ConfigFault[] {
  const { data, schema } = input;
  const values = schemasAt(schema, path).flatMap(({ _zod: { def } }) => (def.type === "literal" ? def.values : []));
  const value = valueAt(data, path);
  const isShown = typeof value === "string" && input.wordsFor(path, value) === undefined;
  const near = isShown
    ? didYouMean(
        value,
        values.filter((one) => typeof one === "string"),
      )
    : undefined;
  const hint = near === undefined ? "" : `; did you mean "${near}"?`;
  return [{ path, message: `must be one of ${values.map(String).join(", ")}${not}${hint}` }];
}

/** A key that is not there, or that was written with a slip where other keys are let through. */
function missing(path: Path, { data, schema }: Input): ConfigFault[] {
  const key = path.at(-1);
  const holder = path.slice(0, -1);
  const known = new Set(keysAt(schema, holder));
  const given = Object.keys(Object(valueAt(data, holder)) as object).filter((other) => !known.has(other));
  const near = typeof key === "string" ? given.find((other) => didYouMean(other, [key]) !== undefined) : undefined;
  if (near === undefined) return [{ path, message: "is missing" }];
  return [{ path: [...holder, near], message: `unknown key; did you mean "${String(key)}"?`, onKey: true }];
}

/** Whether a branch of a union failed at its root, because the value is of another type altogether. */
function isTypeMismatch(issue: Issue): boolean {
  return issue.path.length === 0 && (issue.code === "invalid_type" || issue.code === "invalid_value");
}

function wanted(issue: Issue): string[] {
  if (issue.code === "invalid_value") {
    const values = issue.values.map((value) => (typeof value === "string" ? value : String(value)));
    return [values.length === 1 ? values.join("") : `one of ${values.join(", ")}`];
  }
  if (issue.code !== "invalid_type") return [];
  const names: Readonly<Record<string, string>> = {
    object: "a map",
    record: "a map",
    array: "a list",
    string: "text",
    boolean: "true or false",
    int: "a whole number",
    number: "a number",
  };
  return [names[issue.expected] ?? issue.expected];
}

/** Says what a value is, for messages: short values themselves, of others their kind. */
export function describe(value: unknown): string {
  if (typeof value !== "string" && typeof value !== "number" && typeof value !== "boolean") return kindOf(value);
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…` : text;
}

/** Says of what kind a value is and shows nothing of it. */
export function kindOf(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a map";
  return typeof value === "string" ? "text" : `a ${typeof value}`;
}

function valueAt(data: unknown, path: Path): unknown {
  let current = data;
  for (const part of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}
