import type { ConfigFault } from "@signalbox/registry";
import { placeKey, type Origin, type Origins } from "./origins.ts";

/** What `substitute` made of a value. */
export interface Substituted {
  readonly value: unknown;
  /** Places (as `JSON.stringify(path)`) whose whole text was one substitution: they may stand for a number or a boolean. */
  readonly whole: ReadonlySet<string>;
  /** The texts that variables were put into. */
  readonly origins: Origins;
  readonly faults: readonly ConfigFault[];
}

const pattern = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const reference = /^([A-Za-z_][A-Za-z0-9_]*)(?::-(.*))?$/s;

/**
 * Puts environment variables into the string scalars of parsed data: `${NAME}`, `${NAME:-default}` (also used where the
 * variable is empty), and `$${` for a plain `${`. Keys are left alone, and what is put in is never parsed again, so a variable cannot
 * add keys or change the structure. A variable that is missing and has no default is a fault, and so is a `${` without its end.
 */
export function substitute(data: unknown, environment: Readonly<Record<string, string | undefined>>): Substituted {
  const whole = new Set<string>();
  const origins = new Map<string, Origin>();
  const faults: ConfigFault[] = [];

  const expand = (text: string, path: readonly (string | number)[]): string => {
    const only = /^\$\{[^}]*\}$/.test(text);
    const used = new Set<string>();
    if (only) whole.add(placeKey(path));
    const expanded = text.replace(pattern, (match: string, inner: string | undefined) => {
      if (match === "$${") return "${";
      if (inner === undefined) {
        faults.push({ path, message: "${ has no end; write ${NAME}, or $${ for a plain ${" });
        return match;
      }
      const parsed = reference.exec(inner);
      if (parsed === null) {
        faults.push({ path, message: `${match} is not a variable; write $\${ for a plain \${` });
        return match;
      }
      const [, name = "", fallback] = parsed;
      const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
      if (fallback !== undefined && (value === undefined || value === "")) return fallback;
      if (value === undefined) {
        faults.push({
          path,
          message: `environment variable ${name} is not set; give a default with \${${name}:-value}`,
        });
        return match;
      }
      used.add(`\${${name}}`);
      return value;
    });
    if (used.size > 0)
      origins.set(placeKey(path), { words: `the value of ${[...used].join(" and ")}`, text: expanded });
    return expanded;
  };

  const walk = (value: unknown, path: readonly (string | number)[]): unknown => {
    if (typeof value === "string") return value.includes("${") ? expand(value, path) : value;
    if (Array.isArray(value)) return value.map((item, index) => walk(item, [...path, index]));
    if (typeof value !== "object" || value === null) return value;
    // fromEntries makes own properties of any key, __proto__ too.
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member, [...path, key])]));
  };

  return { value: walk(data, []), whole, origins, faults };
}
