/** Is it `*` or `*.` and the rest of a name (or, rarely, `*-rest`)? */
export function isWildcard(host: string): boolean {
  return host.startsWith("*");
}

/** Is a host or wildcard covered by a pattern: equal to it, or within its wildcard? */
export function coversHost(pattern: string, host: string): boolean {
  if (pattern === host || pattern === "*") return true;
  return isWildcard(pattern) && host.endsWith(pattern.slice(1)) && host.length >= pattern.length;
}

/** The wildcards that cover a host, the narrowest first: for `a.b.c` these are `*.b.c`, `*.c` and `*`. */
export function wildcardsOver(host: string): readonly string[] {
  const found: string[] = [];
  for (let dot = host.indexOf("."); dot >= 0; dot = host.indexOf(".", dot + 1)) found.push(`*${host.slice(dot)}`);
  return [...found.filter((wildcard) => wildcard !== host), ...(host === "*" ? [] : ["*"])];
}
