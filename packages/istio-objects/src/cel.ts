/** Identifiers that CEL keeps for later. */
const reserved = new Set(
  "as break const continue else for function if import let loop package namespace return var void while".split(" "),
);
/** Methods whose first argument is the name of a variable, with the numbers of arguments that make them so. */
const comprehensions: ReadonlyMap<string, readonly number[]> = new Map([
  ["all", [2]],
  ["exists", [2]],
  ["exists_one", [2]],
  ["filter", [2]],
  ["map", [2, 3]],
]);

const space = /(?:\s|\/\/[^\n]*)*/y;
const token = new RegExp(
  [
    // Strings and bytes, raw or with escapes, in one or three quotes.
    String.raw`(?<string>[bB]?(?:[rR](?:"""[^]*?"""|'''[^]*?'''|"[^"\n\r]*"|'[^'\n\r]*')`,
    String.raw`|"""(?:\\[^]|[^\\])*?"""|'''(?:\\[^]|[^\\])*?'''|"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))`,
    String.raw`|(?<number>0x[0-9a-fA-F]+u?|\d+\.\d+(?:[eE][-+]?\d+)?|\d+[eE][-+]?\d+|\.\d+(?:[eE][-+]?\d+)?|\d+[uU]?)`,
    String.raw`|(?<name>[A-Za-z_]\w*)`,
    String.raw`|(?<sign>\|\||&&|[=!<>]=|[-+*/%<>!?:.,()[\]{}])`,
  ].join(""),
  "y",
);

interface Token {
  readonly type: "string" | "number" | "name" | "sign" | "end";
  readonly text: string;
}

/** What an expression is, as far as macros look at it. */
type Shape = "name" | "field" | "other";

/**
 * Checks the syntax of an expression of CEL (Common Expression Language), which filters of access logs are. Names and types are not looked
 * at. Gives what is wrong, or undefined.
 */
export function celFault(expression: string): string | undefined {
  try {
    new Reader(expression).read();
    return undefined;
  } catch (error) {
    if (error instanceof CelSyntaxError) return error.message;
    throw error;
  }
}

class CelSyntaxError extends Error {}

const deepest = 250;

class Reader {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(expression: string) {
    this.#tokens = tokensOf(expression);
  }

  read(): void {
    this.#expression();
    if (this.#next.type !== "end") throw unexpected(this.#next);
  }

  get #next(): Token {
    return this.#tokens[this.#at] ?? { type: "end", text: "" };
  }

  /** Takes a sign, or `in`, where it is one of these. */
  #accept(...signs: readonly string[]): boolean {
    const { text, type } = this.#next;
    const found = (type === "sign" || text === "in") && signs.includes(text);
    if (found) this.#at += 1;
    return found;
  }

  #expect(sign: string): void {
    if (!this.#accept(sign)) throw unexpected(this.#next);
  }

  #expression(): Shape {
    this.#depth += 1;
    if (this.#depth > deepest) throw new CelSyntaxError("has too many brackets in one another");
    const shape = this.#binary(0);
    this.#depth -= 1;
    if (!this.#accept("?")) return shape;
    this.#binary(0);
    this.#expect(":");
    this.#expression();
    return "other";
  }

  #binary(level: number): Shape {
    const signs = operators[level];
    if (signs === undefined) return this.#unary();
    let shape = this.#binary(level + 1);
    while (this.#accept(...signs)) {
      this.#binary(level + 1);
      shape = "other";
    }
    return shape;
  }

  #unary(): Shape {
    const sign = this.#next.text === "-" ? "-" : "!";
    if (!this.#accept(sign)) return this.#member();
    while (this.#accept(sign));
    this.#member();
    return "other";
  }

  #member(): Shape {
    let shape = this.#primary();
    for (;;) {
      if (this.#accept(".")) shape = this.#selection();
      else if (this.#accept("[")) {
        this.#expression();
        this.#expect("]");
        shape = "other";
      } else if ((shape === "name" || shape === "field") && this.#accept("{")) {
        this.#entries("}", () => this.#name());
        shape = "other";
      } else return shape;
    }
  }

  #selection(): Shape {
    const name = this.#name();
    if (!this.#accept("(")) return "field";
    const shapes = this.#list(")");
    if (comprehensions.get(name)?.includes(shapes.length) === true && shapes[0] !== "name") {
      throw new CelSyntaxError(`needs the name of a variable as first argument of "${name}"`);
    }
    return "other";
  }

  #primary(): Shape {
    if (this.#accept("(")) {
      this.#expression();
      this.#expect(")");
      return "other";
    }
    if (this.#accept("[")) {
      this.#list("]");
      return "other";
    }
    if (this.#accept("{")) {
      this.#entries("}", () => void this.#expression());
      return "other";
    }
    const { type } = this.#next;
    if (type === "string" || type === "number") {
      this.#at += 1;
      return "other";
    }
    this.#accept(".");
    const name = this.#name();
    if (["true", "false", "null"].includes(name)) return "other";
    if (reserved.has(name)) throw new CelSyntaxError(`has "${name}", which CEL keeps for itself`);
    if (!this.#accept("(")) return "name";
    const shapes = this.#list(")");
    if (name === "has" && (shapes.length !== 1 || shapes[0] !== "field")) {
      throw new CelSyntaxError('needs one field, as a.b, as argument of "has"');
    }
    return "other";
  }

  #name(): string {
    const { text, type } = this.#next;
    if (type !== "name" || text === "in") throw unexpected(this.#next);
    this.#at += 1;
    return text;
  }

  /** Reads expressions up to the closing sign. A list may end with a comma, arguments may not. */
  #list(end: string): readonly Shape[] {
    const shapes: Shape[] = [];
    if (this.#accept(end)) return shapes;
    do shapes.push(this.#expression());
    while (this.#accept(",") && !(end === "]" && this.#next.text === end));
    this.#expect(end);
    return shapes;
  }

  #entries(end: string, key: () => void): void {
    if (this.#accept(end)) return;
    do {
      key();
      this.#expect(":");
      this.#expression();
    } while (this.#accept(",") && this.#next.text !== end);
    this.#expect(end);
  }
}

/** Signs between operands, from those that bind least. */
const operators: readonly (readonly string[])[] = [
  ["||"],
  ["&&"],
  ["<", "<=", ">=", ">", "==", "!=", "in"],
  ["+", "-"],
  ["*", "/", "%"],
];

function tokensOf(expression: string): readonly Token[] {
  const tokens: Token[] = [];
  let at = 0;
  for (;;) {
    space.lastIndex = at;
    at += space.exec(expression)?.[0].length ?? 0;
    if (at >= expression.length) return tokens;
    token.lastIndex = at;
    const found = token.exec(expression);
    if (found === null) throw new CelSyntaxError(`has "${expression.slice(at, at + 10)}", which begins nothing of CEL`);
    const type = (["string", "number", "name"] as const).find((name) => found.groups?.[name] !== undefined) ?? "sign";
    tokens.push({ type, text: found[0] });
    at += found[0].length;
  }
}

function unexpected({ text, type }: Token): CelSyntaxError {
  return new CelSyntaxError(type === "end" ? "ends too early" : `has "${text}" where something else must be`);
}
