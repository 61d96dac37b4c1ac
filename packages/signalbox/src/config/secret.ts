import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { SecretValue } from "./schema.ts";

/** Gives a secret each time it is needed: a file is read anew. `baseDir`: where relative paths start. */
export function secretOf(value: SecretValue, baseDir: string): () => Promise<string> {
  if (typeof value === "string") return () => Promise.resolve(value);
  const path = resolve(baseDir, value.file);
  return async () => (await readFile(path, "utf8")).replace(/\r?\n$/, "");
}
