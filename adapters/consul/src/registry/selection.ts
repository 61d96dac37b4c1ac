import type { ConsulConfig } from "../config.ts";

/** Whether a service may have instances that the configuration wants, by its name and the union of its tags. */
export function isSelected(name: string, tags: readonly string[], { include, exclude }: ConsulConfig): boolean {
  if (include.names.length > 0 && !include.names.some((pattern) => matches(name, pattern))) return false;
  if (exclude.names.some((pattern) => matches(name, pattern))) return false;
  return include.tags.length === 0 || tags.some((tag) => include.tags.includes(tag));
}

/** Whether a name is what a pattern says: `*` stands for any text, `?` for one character; case does not count. */
export function matches(name: string, pattern: string): boolean {
  const source = pattern
    .toLowerCase()
    .replaceAll(/[.+^${}()|[\]\\]/g, "\\$&")
    .replaceAll(/\*+/g, ".*")
    .replaceAll("?", ".");
  return new RegExp(`^${source}$`, "s").test(name.toLowerCase());
}
