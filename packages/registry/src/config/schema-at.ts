import type { z } from "zod";

/** A schema of any kind, with its definition known. */
type Schema = z.core.$ZodTypes;

/**
 * The schemas that check what lies at `path` of the input, without defaults and rewritings around them. A union gives itself and then its
 * options; a path that no schema knows gives none.
 */
export function schemasAt(schema: z.core.$ZodType, path: readonly (string | number)[]): readonly Schema[] {
  let found = unwrap(schema);
  for (const part of path) found = found.flatMap((one) => child(one, part));
  return found;
}

/** The keys that a schema knows in the map at `path`, sorted. */
export function keysAt(schema: z.core.$ZodType, path: readonly (string | number)[]): readonly string[] {
  const keys = schemasAt(schema, path).flatMap(({ _zod: { def } }) =>
    def.type === "object" ? Object.keys(def.shape) : [],
  );
  return [...new Set(keys)].sort();
}

function child({ _zod: { def } }: Schema, part: string | number): readonly Schema[] {
  switch (def.type) {
    case "object": {
      const member = Object.hasOwn(def.shape, part) ? def.shape[part] : undefined;
      return member === undefined ? [] : unwrap(member);
    }
    case "array":
      return unwrap(def.element);
    case "record":
      return unwrap(def.valueType);
    default:
      return [];
  }
}

function unwrap(schema: z.core.$ZodType): readonly Schema[] {
  const known = schema as Schema;
  const { def } = known._zod;
  switch (def.type) {
    case "optional":
    case "nullable":
    case "default":
    case "prefault":
      return unwrap(def.innerType);
    case "pipe":
      // Shorthands are written out before the check, so what users may write in full is on the far side.
      return unwrap(def.in._zod.def.type === "transform" ? def.out : def.in);
    case "union":
      return [known, ...def.options.flatMap((option) => unwrap(option))];
    default:
      return [known];
  }
}
