/** Text with `*` for any run of characters. No other character is special. */
export type Pattern = string;

const compiled = new Map<Pattern, RegExp>();
/** Patterns come from the configuration; more than this many means that a program makes them up. */
const maxCompiled = 10_000;

/** Whether all of `text` fits `pattern`. Hostnames and ids of registries are lower-case, and so should patterns be. */
export function fits(pattern: Pattern, text: string): boolean {
  if (!pattern.includes("*")) return pattern === text;
  return expressionOf(pattern).test(text);
}

/** The place of the first pattern that fits, or -1. */
export function firstFit(patterns: readonly Pattern[], text: string): number {
  return patterns.findIndex((pattern) => fits(pattern, text));
}

function expressionOf(pattern: Pattern): RegExp {
  let expression = compiled.get(pattern);
  if (expression === undefined) {
    if (compiled.size >= maxCompiled) compiled.clear();
    const parts = pattern.split("*").map((part) => part.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&"));
    expression = new RegExp(`^${parts.join(".*")}$`, "s");
    compiled.set(pattern, expression);
  }
  return expression;
}
