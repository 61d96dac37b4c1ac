import { didYouMean } from "@signalbox/model";
import type { ConfigFault } from "@signalbox/registry";
import { z } from "zod";
import { placeKey, type Origins } from "./origins.ts";

type Issue = z.core.$ZodIssue;
type Path = readonly (string | number)[];

/** One thing that a schema does not accept. `onKey` says that the key itself is wrong, not its value. */
export interface SchemaFault extends ConfigFault {
  readonly onKey: boolean;
}

/** What faults are explained with. */
interface Input {
  readonly data: unknown;
  /** The schema as JSON Schema. */
  readonly published: unknown;
  readonly origins: Origins;
}

/**
 * Says in plain words what a schema found wrong with `data`: one fault for each key or value. Values with an origin are not shown, their
 * origin is.
 */
export function schemaFaults(
  schema: z.ZodType,
  data: unknown,
  issues: readonly Issue[],
  origins: Origins = new Map(),
): SchemaFault[] {
  const published = z.toJSONSchema(schema, { io: "input" });
  const faults = issues.flatMap((issue) => explain(issue, [], { data, published, origins }));
  const distinct = new Map(faults.map((fault) => [JSON.stringify([fault.path, fault.message]), fault]));
  return [...distinct.values()];
}

function explain(issue: Issue, prefix: Path, input: Input): SchemaFault[] {
  const { data, origins, published } = input;
  const path = [...prefix, ...issue.path.map((part) => (typeof part === "symbol" ? String(part) : part))];
  const fault = (message: string): SchemaFault[] => [{ path, message, onKey: false }];
  const value = valueAt(data, path);
  const shown = origins.get(placeKey(path))?.words ?? describe(value);
  switch (issue.code) {
    case "unrecognized_keys": {
      const known = keysAt(published, path);
      return issue.keys.map((key) => {
        const near = didYouMean(key, known);
        const hint = near === undefined ? `; known here: ${known.join(", ")}` : `; did you mean "${near}"?`;
        return { path: [...path, key], message: `unknown key${hint}`, onKey: true };
      });
    }
    case "invalid_union": {
      const branches = issue.errors.filter((errors) => !errors.some((error) => isTypeMismatch(error)));
      const [only] = branches;
      if (only !== undefined && branches.length === 1) return only.flatMap((error) => explain(error, path, input));
      if (value === undefined) return missing(path, input);
      return fault(`must be ${[...new Set(issue.errors.flat().flatMap(wanted))].join(" or ")}, not ${shown}`);
    }
    case "invalid_type":
    case "invalid_value": {
      if (value === undefined) return missing(path, input);
      const [allowed] = wanted(issue);
      const near =
        issue.code === "invalid_value" && typeof value === "string" && !origins.has(placeKey(path))
          ? didYouMean(
              value,
              issue.values.filter((candidate) => typeof candidate === "string"),
            )
          : undefined;
      const hint = near === undefined ? "" : `; did you mean "${near}"?`;
      return fault(`must be ${allowed ?? "something else"}, not ${shown}${hint}`);
    }
    case "too_small":
      return fault(
        issue.origin === "string" || issue.origin === "array"
          ? `must not be empty`
          : `must be at least ${String(issue.minimum)}, not ${shown}`,
      );
    case "too_big":
      return fault(`must be at most ${String(issue.maximum)}, not ${shown}`);
    case "invalid_format":
    case "not_multiple_of":
    case "invalid_key":
    case "invalid_element":
    case "custom":
      return fault(issue.message);
  }
}

/** A key that is not there, or that was written with a slip where other keys are let through. */
function missing(path: Path, { data, published }: Input): SchemaFault[] {
  const key = path.at(-1);
  const holder = path.slice(0, -1);
  const known = new Set(keysAt(published, holder));
  const given = Object.keys(Object(valueAt(data, holder)) as object).filter((other) => !known.has(other));
  const near = typeof key === "string" ? given.find((other) => didYouMean(other, [key]) !== undefined) : undefined;
  if (near === undefined) return [{ path, message: "is missing", onKey: false }];
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
    object: "a mapping",
    record: "a mapping",
    array: "a list",
    string: "text",
    boolean: "true or false",
    int: "a whole number",
    number: "a number",
  };
  return [names[issue.expected] ?? issue.expected];
}

function describe(value: unknown): string {
  if (value === undefined) return "nothing";
  if (value === null) return "empty";
  if (Array.isArray(value)) return "a list";
  if (typeof value === "object") return "a mapping";
  const text = JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 57)}…"` : text;
}

function valueAt(data: unknown, path: Path): unknown {
  let current = data;
  for (const part of path) {
    if (typeof current !== "object" || current === null || !Object.hasOwn(current, part)) return undefined;
    current = (current as Record<string | number, unknown>)[part];
  }
  return current;
}

/** The keys that a JSON Schema knows at a path, sorted. */
function keysAt(schema: unknown, path: Path): string[] {
  let nodes: readonly unknown[] = [schema];
  for (const part of path)
    nodes = nodes.flatMap(branches).map((node) => {
      const { properties, items } = node as { properties?: Record<string, unknown>; items?: unknown };
      if (typeof part === "number") return items;
      return properties !== undefined && Object.hasOwn(properties, part) ? properties[part] : undefined;
    });
  const keys = nodes
    .flatMap(branches)
    .flatMap((node) => Object.keys((node as { properties?: object }).properties ?? {}));
  return [...new Set(keys)].sort();
}

function branches(node: unknown): object[] {
  if (typeof node !== "object" || node === null) return [];
  const { anyOf } = node as { anyOf?: unknown[] };
  return anyOf === undefined ? [node] : anyOf.flatMap(branches);
}
