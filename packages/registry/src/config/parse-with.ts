import type { z } from "zod";
import { ConfigError } from "../config-error.ts";
import { kindOf, schemaFaults } from "./schema-faults.ts";

/**
 * Checks a configuration against its schema and fills in the defaults. Throws a ConfigError that names every faulty field. What lies
 * under the keys in `secrets` is never shown in it.
 */
export function parseWith<Schema extends z.ZodType>(
  schema: Schema,
  input: unknown,
  secrets: readonly string[] = [],
): z.output<Schema> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const hidden = new Set<string | number>(secrets);
  throw new ConfigError(
    schemaFaults(schema, input, result.error.issues, {
      wordsFor: ([first = ""], value) => (hidden.has(first) ? kindOf(value) : undefined),
    }),
  );
}
