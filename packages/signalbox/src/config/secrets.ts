import { readFile } from "node:fs/promises";
import { resolve } from "node:path";
import type { ConfigFault } from "@signalbox/registry";
import { placeKey, type Origin, type Origins } from "./origins.ts";

type Path = readonly (string | number)[];

/**
 * Replaces every `{file: path}` below an entry of `registries` by the text of that file, without the line break at its end, so that tokens
 * and passwords need not be in the configuration. Paths start at `baseDir`. A file that cannot be read is a fault.
 */
export async function readSecrets(
  data: unknown,
  baseDir: string,
): Promise<{ readonly value: unknown; readonly origins: Origins; readonly faults: readonly ConfigFault[] }> {
  const faults: ConfigFault[] = [];
  const origins = new Map<string, Origin>();

  const walk = async (value: unknown, path: Path): Promise<unknown> => {
    if (Array.isArray(value)) return Promise.all(value.map((item, index) => walk(item, [...path, index])));
    if (typeof value !== "object" || value === null) return value;
    const members = Object.entries(value);
    const [only] = members;
    if (path.length > 2 && members.length === 1 && only?.[0] === "file" && typeof only[1] === "string")
      return read(only[1], path);
    const walked = members.map(async ([key, member]) => [key, await walk(member, [...path, key])] as const);
    return Object.fromEntries(await Promise.all(walked));
  };

  const read = async (file: string, path: Path): Promise<string> => {
    try {
      const text = (await readFile(resolve(baseDir, file), "utf8")).replace(/\r?\n$/, "");
      origins.set(placeKey(path), { words: "the content of its file", text });
      return text;
    } catch (error) {
      faults.push({ path: [...path, "file"], message: `cannot be read: ${(error as Error).message}` });
      return "";
    }
  };

  if (typeof data !== "object" || data === null || Array.isArray(data) || !Object.hasOwn(data, "registries"))
    return { value: data, origins, faults };
  const { registries } = data as { registries: unknown };
  return { value: { ...data, registries: await walk(registries, ["registries"]) }, origins, faults };
}
