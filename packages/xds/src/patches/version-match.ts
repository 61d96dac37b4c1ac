/** A part of an expression. `char` takes one character, `start` and `end` none. */
type Node =
  | { readonly kind: "char"; readonly test: RegExp }
  | { readonly kind: "sequence" | "either"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly inner: Node; readonly min: number; readonly max: number }
  | { readonly kind: "start" | "end" };

/** A longer text is no version, and matches nothing. */
const longestVersion = 64;

/**
 * Says of a version whether an expression of RE2's syntax finds a match in it, in time that no expression and no version can make long: a
 * `RegExp` of JavaScript tries all ways one after the other. Undefined where the expression uses more than groups, classes, `|`, repetitions,
 * `^` and `$`, the flag `(?i)` at its start, and escapes of one character. It must be correct RE2.
 */
export function versionMatcher(expression: string): ((version: string) => boolean) | undefined {
  const insensitive = expression.startsWith("(?i)");
  const reader = new Reader(insensitive ? expression.slice("(?i)".length) : expression, insensitive ? "iu" : "u");
  const whole = reader.read();
  if (whole === undefined) return undefined;
  return (version) => {
    const text = Array.from(version);
    if (text.length > longestVersion) return false;
    const walk = new Walk(text);
    return text.some((_, at) => walk.ends(whole, at).size > 0) || walk.ends(whole, text.length).size > 0;
  };
}

/** Finds where parts of an expression end that begin at one place. Each part is tried once at each place. */
class Walk {
  readonly #text: readonly string[];
  readonly #known = new Map<Node, Map<number, ReadonlySet<number>>>();

  constructor(text: readonly string[]) {
    this.#text = text;
  }

  ends(node: Node, at: number): ReadonlySet<number> {
    const known = this.#known.get(node) ?? new Map<number, ReadonlySet<number>>();
    this.#known.set(node, known);
    const found = known.get(at) ?? this.#find(node, at);
    known.set(at, found);
    return found;
  }

  #find(node: Node, at: number): ReadonlySet<number> {
    switch (node.kind) {
      case "char":
        return new Set(node.test.test(this.#text[at] ?? "") ? [at + 1] : []);
      case "start":
        return new Set(at === 0 ? [at] : []);
      case "end":
        return new Set(at === this.#text.length ? [at] : []);
      case "either":
        return new Set(node.parts.flatMap((part) => [...this.ends(part, at)]));
      case "sequence":
        return node.parts.reduce<ReadonlySet<number>>((places, part) => this.#all(part, places), new Set([at]));
      case "repeat":
        return this.#repeated(node.inner, node.min, node.max, at);
    }
  }

  #all(node: Node, places: ReadonlySet<number>): ReadonlySet<number> {
    return new Set([...places].flatMap((place) => [...this.ends(node, place)]));
  }

  #repeated(inner: Node, min: number, max: number, at: number): ReadonlySet<number> {
    let places: ReadonlySet<number> = new Set([at]);
    for (let count = 0; count < min && places.size > 0; count++) {
      const next = this.#all(inner, places);
      if (next.size === places.size && [...next].every((place) => places.has(place))) break;
      places = next;
    }
    const found = new Set(places);
    let fresh = [...places];
    // Who gets to a place later gets no further from there than who was there before.
    for (let count = min; count < max && fresh.length > 0; count++) {
      fresh = [...this.#all(inner, new Set(fresh))].filter((place) => !found.has(place));
      for (const place of fresh) found.add(place);
    }
    return found;
  }
}

class Reader {
  readonly #text: string;
  readonly #flags: string;
  #position = 0;

  constructor(text: string, flags: string) {
    this.#text = text;
    this.#flags = flags;
  }

  /** The whole expression; undefined where it is not understood. */
  read(): Node | undefined {
    const whole = this.#either();
    return this.#position === this.#text.length ? whole : undefined;
  }

  #either(): Node | undefined {
    const parts: Node[] = [];
    do {
      const part = this.#sequence();
      if (part === undefined) return undefined;
      parts.push(part);
    } while (this.#take(/\|/y) !== undefined);
    return { kind: "either", parts };
  }

  #sequence(): Node | undefined {
    const parts: Node[] = [];
    while (this.#position < this.#text.length && !"|)".includes(this.#text[this.#position] ?? "")) {
      const item = this.#item();
      if (item === undefined) return undefined;
      parts.push(this.#repeats(item));
    }
    return { kind: "sequence", parts };
  }

  #repeats(inner: Node): Node {
    // Whether a repetition takes as little as it can makes no difference to whether there is a match.
    const sign = this.#take(/([*+?])\??/y)?.[1];
    if (sign !== undefined)
      return { kind: "repeat", inner, min: sign === "+" ? 1 : 0, max: sign === "?" ? 1 : Number.POSITIVE_INFINITY };
    const counts = this.#take(/\{(\d+)(,)?(\d+)?\}\??/y);
    if (counts === undefined) return inner;
    const min = Number(counts[1]);
    const max = counts[2] === undefined ? min : Number(counts[3] ?? Number.POSITIVE_INFINITY);
    return { kind: "repeat", inner, min, max };
  }

  #item(): Node | undefined {
    if (this.#take(/\^|\\A/y) !== undefined) return { kind: "start" };
    if (this.#take(/\$|\\z/y) !== undefined) return { kind: "end" };
    if (this.#take(/\((?:\?:|\?P?<\w+>)?(?!\?)/y) !== undefined) {
      const inner = this.#either();
      return this.#take(/\)/y) === undefined ? undefined : inner;
    }
    // A class is one of JavaScript's where nothing in it has another meaning there.
    const set = this.#take(/\[\^?(?:\\[dDwWsS.+\-\]\\^]|[^\\\][&~])+\]/uy);
    const one = set ?? this.#take(/\\[dDwWsS]|\\[.+*?()|[\]{}^$\\/-]|\.|[^\\.[\]*+?(){}|^$]/uy);
    if (one === undefined) return undefined;
    const source = one[0] === "\\-" ? "-" : one[0];
    return { kind: "char", test: new RegExp(`^${source}$`, this.#flags) };
  }

  /** Takes what a sticky expression finds at this place. */
  #take(expression: RegExp): RegExpExecArray | undefined {
    expression.lastIndex = this.#position;
    const found = expression.exec(this.#text);
    if (found === null) return undefined;
    this.#position = expression.lastIndex;
    return found;
  }
}
