import type { Route } from "./route.ts";

/** The routes of one path. */
export interface PathMatch {
  readonly routes: readonly Route[];
  readonly parameters: Readonly<Record<string, string>>;
}

/** Finds routes by path. */
export type Matcher = (path: string) => PathMatch | undefined;

/**
 * Makes a matcher of a table of routes. Of two paths that fit, the one with the longer fixed end wins: `/{id}:accept` before `/{id}`. A
 * parameter is one segment, its escapes undone; the last one of a path takes slashes too, because keys of services hold one. A path with
 * bad escapes fits nothing.
 */
export function createMatcher(routes: readonly Route[]): Matcher {
  const paths = [...new Set(routes.map(({ path }) => path))]
    .map((path) => ({ ...compile(path), routes: routes.filter((route) => route.path === path) }))
    .sort((a, b) => b.fixedEnd - a.fixedEnd);
  return (path) => {
    for (const { expression, names, routes: found } of paths) {
      const values = expression.exec(path)?.slice(1);
      if (values === undefined) continue;
      try {
        const parameters = Object.fromEntries(names.map((name, at) => [name, decodeURIComponent(values[at] ?? "")]));
        return { routes: found, parameters };
      } catch {
        return undefined;
      }
    }
    return undefined;
  };
}

function compile(path: string): { expression: RegExp; names: string[]; fixedEnd: number } {
  const names = [...path.matchAll(/\{(\w+)\}/g)].map(([, name = ""]) => name);
  const fixed = path.split(/\{\w+\}/).map((part) => part.replaceAll(/[\\^$.*+?()[\]|]/g, "\\$&"));
  const source = fixed
    .map((part, at) => (at === 0 ? part : (at === names.length ? "(.+)" : "([^/]+)") + part))
    .join("");
  return { expression: new RegExp(`^${source}$`), names, fixedEnd: path.length - path.lastIndexOf("}") };
}
