/** Which values of metadata may stand in the journal. */
export interface RedactionRules {
  /**
   * Keys whose values are kept, with `*` for any run of characters; all others are redacted. Absent means every key. A key
   * that looks like a secret is kept only where it stands here letter by letter, not by a `*`.
   */
  readonly allow?: readonly string[];
}

/** Stands where a value was. */
export const redacted = "[redacted]";

/** Members of these names are maps from names that people gave to texts that people gave. */
const maps: ReadonlySet<string> = new Set(["labels", "annotations", "metadata", "workloadSelector", "matchLabels"]);

/** Whether a member of that name is a map whose texts may be secrets. */
export function isMetadata(name: string): boolean {
  return maps.has(name);
}

/**
 * What keys of secrets look like. Whole objects hide in the annotation that `kubectl apply` leaves behind; so it counts as one.
 */
const looksSecret =
  /passw|passphrase|(^|[^a-z])pwd|secret|token|credential|authorization|cookie|key$|last-applied-configuration$/i;

/** Data nested deeper cannot be written anyway. */
const maxDepth = 500;

/** Makes the function that says whether the value under a key of metadata is kept. */
export function keptKeys(rules: RedactionRules = {}): (key: string) => boolean {
  const exact = new Set(rules.allow?.filter((pattern) => !pattern.includes("*")));
  const patterns = rules.allow?.filter((pattern) => pattern.includes("*")).map(expressionOf);
  const decided = new Map<string, boolean>();
  return (key) => {
    let kept = decided.get(key);
    if (kept === undefined) {
      const fits = patterns === undefined || patterns.some((pattern) => pattern.test(key));
      kept = exact.has(key) || (fits && !looksSecret.test(key));
      // Keys come from outside: more than this many are not remembered.
      if (decided.size < 10_000) decided.set(key, kept);
    }
    return kept;
  };
}

/**
 * Makes the function that takes secrets out of plain JSON data: in every map that is called `labels`, `annotations`, `metadata`,
 * `workloadSelector` or `matchLabels`, wherever it stands, texts under keys that the rules do not let through become `[redacted]`.
 * The data given stays as it is; parts without secrets are shared, not copied. Doing it twice is doing it once. A journal
 * does by itself what this does.
 */
export function redactor(rules: RedactionRules = {}): <T>(value: T) => T {
  const isKept = keptKeys(rules);
  const walk = (value: unknown, inMap: boolean, depth: number): unknown => {
    if (typeof value !== "object" || value === null || depth > maxDepth) return value;
    if (Array.isArray(value)) {
      const items = value.map((item) => walk(item, false, depth + 1));
      return items.some((item, index) => item !== value[index]) ? items : value;
    }
    let changed = false;
    const members: [string, unknown][] = [];
    for (const [key, member] of Object.entries(value)) {
      const next =
        inMap && typeof member === "string"
          ? isKept(key)
            ? member
            : redacted
          : walk(member, isMetadata(key), depth + 1);
      if (next !== member) changed = true;
      members.push([key, next]);
    }
    // Not by assignment: a member called __proto__ is data.
    return changed ? Object.fromEntries(members) : value;
  };

  return <T>(value: T) => walk(value, false, 0) as T;
}

function expressionOf(pattern: string): RegExp {
  const parts = pattern.split("*").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}$`, "s");
}
