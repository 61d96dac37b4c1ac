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

/** Hosts and wildcards, of which it is cheap to say whether they cover a host, however many they are. */
export class HostPatterns {
  readonly #names = new Set<string>();
  /** Wildcards that end within a label, such as `*-rest.test`; there is hardly ever one. */
  readonly #within = new Set<string>();
  #wildcards = 0;

  constructor(patterns: Iterable<string> = []) {
    for (const pattern of patterns) this.add(pattern);
  }

  [Symbol.iterator](): IterableIterator<string> {
    return this.#names.values();
  }

  get size(): number {
    return this.#names.size;
  }

  /** Whether there is a wildcard. Without one they cover only themselves. */
  get anyWildcard(): boolean {
    return this.#wildcards > 0;
  }

  add(pattern: string): void {
    if (this.#names.has(pattern)) return;
    this.#names.add(pattern);
    if (isWildcard(pattern)) this.#wildcards++;
    if (endsWithinLabel(pattern)) this.#within.add(pattern);
  }

  delete(pattern: string): void {
    if (!this.#names.delete(pattern)) return;
    if (isWildcard(pattern)) this.#wildcards--;
    this.#within.delete(pattern);
  }

  /** Those that are a host or cover it. */
  *over(host: string): IterableIterator<string> {
    if (this.#names.has(host)) yield host;
    if (!this.anyWildcard) return;
    for (const wildcard of wildcardsOver(host)) if (this.#names.has(wildcard)) yield wildcard;
    for (const pattern of this.#within) if (pattern !== host && coversHost(pattern, host)) yield pattern;
  }

  /** Whether one of them is the host or covers it. */
  covers(host: string): boolean {
    return this.over(host).next().done !== true;
  }
}

function endsWithinLabel(pattern: string): boolean {
  return isWildcard(pattern) && pattern !== "*" && !pattern.startsWith("*.");
}
