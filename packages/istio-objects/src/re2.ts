/** Names of POSIX classes, as in `[[:alpha:]]`. */
const posixClasses: readonly string[] =
  "alnum alpha ascii blank cntrl digit graph lower print punct space upper word xdigit".split(" ");
const mostRepeats = 1000;

/**
 * Checks a regular expression as RE2 reads it, which Istio and Envoy do: no backreferences and no looking around, but POSIX classes and
 * `\Q…\E`. Gives what is wrong, or undefined. It does not say how large the program is.
 */
export function re2Fault(pattern: string): string | undefined {
  try {
    new Reader(pattern).read();
    return undefined;
  } catch (error) {
    if (error instanceof Re2SyntaxError) return error.message;
    throw error;
  }
}

class Re2SyntaxError extends Error {}

class Reader {
  readonly #pattern: string;
  readonly #names = new Set<string>();
  #at = 0;
  #depth = 0;

  constructor(pattern: string) {
    this.#pattern = pattern;
  }

  read(): void {
    this.#sequence();
    if (this.#at < this.#pattern.length) throw new Re2SyntaxError('has a ")" without "("');
  }

  /** Reads alternatives up to the closing bracket or the end. */
  #sequence(): void {
    let canRepeat = false;
    let repeated = false;
    while (this.#at < this.#pattern.length && this.#peek() !== ")") {
      const repeat = this.#repeat();
      if (repeat !== undefined) {
        if (!canRepeat) throw new Re2SyntaxError(`has nothing before "${repeat}"`);
        if (repeated) throw new Re2SyntaxError(`has two repetitions in a row at "${repeat}"`);
        repeated = true;
        continue;
      }
      repeated = false;
      canRepeat = this.#part(canRepeat);
    }
  }

  /** Reads one part that is no repetition. Whether what follows may repeat something. */
  #part(canRepeat: boolean): boolean {
    const first = this.#take();
    switch (first) {
      case "|":
        return false;
      case "(":
        return this.#group() || canRepeat;
      case "[":
        this.#class();
        return true;
      case "\\":
        return this.#quotedOrEscape(canRepeat);
      default:
        return true;
    }
  }

  /** Reads a repetition where there is one. */
  #repeat(): string | undefined {
    const found = /(?:[*+?]|\{(?<least>\d+)(?<comma>,(?<most>\d*))?\})\??/y;
    found.lastIndex = this.#at;
    const match = found.exec(this.#pattern);
    if (match === null) return undefined;
    const { least, most } = match.groups ?? {};
    if (least !== undefined) {
      const upper = most === undefined || most === "" ? Number(least) : Number(most);
      if (Number(least) > mostRepeats || upper > mostRepeats || upper < Number(least)) {
        throw new Re2SyntaxError(
          `has the repetition "${match[0]}", which must be rising numbers of 0 to ${mostRepeats}`,
        );
      }
    }
    this.#at += match[0].length;
    return match[0];
  }

  /** Reads a group, or flags for what follows. Whether it was a group. */
  #group(): boolean {
    if (this.#peek() === "?") {
      const name = this.#match(/\?P?<(?<name>[^>]*)>/y)?.groups?.["name"];
      if (name !== undefined) {
        if (!/^\w+$/.test(name) || this.#names.has(name)) {
          throw new Re2SyntaxError(`has a group with the name "${name}", which must be letters and digits, and once`);
        }
        this.#names.add(name);
      } else {
        const flags = this.#match(/\?(?:[imsU]*|[imsU]*-[imsU]+)(?<end>[:)])/y);
        if (flags === undefined) throw new Re2SyntaxError('has a group that begins with "(?" and is not known');
        if (flags.groups?.["end"] === ")") return false;
      }
    }
    this.#depth += 1;
    if (this.#depth > mostRepeats) throw new Re2SyntaxError("has too many groups in one another");
    this.#sequence();
    if (this.#take() !== ")") throw new Re2SyntaxError('has a "(" without ")"');
    this.#depth -= 1;
    return true;
  }

  #quotedOrEscape(canRepeat: boolean): boolean {
    if (this.#peek() === "Q") {
      const end = this.#pattern.indexOf("\\E", this.#at);
      const quoted = this.#pattern.slice(this.#at + 1, end < 0 ? undefined : end);
      this.#at = end < 0 ? this.#pattern.length : end + 2;
      return quoted !== "" || canRepeat;
    }
    if (this.#match(/[AbBz]/y) === undefined && !this.#classEscape()) this.#escape();
    return true;
  }

  #class(): void {
    this.#match(/\^/y);
    let isFirst = true;
    while (this.#peek() !== "]" || isFirst) {
      if (this.#at >= this.#pattern.length) throw new Re2SyntaxError('has a "[" without "]"');
      isFirst = false;
      const posix = this.#match(/\[:\^?(?<name>[^\]]*?):\]/y)?.groups?.["name"];
      if (posix !== undefined) {
        if (!posixClasses.includes(posix)) throw new Re2SyntaxError(`has an unknown class "${posix}"`);
        continue;
      }
      if (this.#match(/\\(?=[dswpDSWP])/y) !== undefined) {
        this.#classEscape();
        continue;
      }
      const low = this.#member();
      if (this.#match(/-(?!\])/y) === undefined) continue;
      if (this.#at >= this.#pattern.length) throw new Re2SyntaxError('has a "[" without "]"');
      const high = this.#member();
      if (high < low) throw new Re2SyntaxError("has a range of characters that falls");
    }
    this.#at += 1;
  }

  /** Reads one character of a class and gives its number. */
  #member(): number {
    const taken = this.#take();
    return taken === "\\" ? this.#escape() : (taken.codePointAt(0) ?? 0);
  }

  /** Reads `d`, `pL` and their like after a backslash. */
  #classEscape(): boolean {
    if (this.#match(/[dswDSW]/y) !== undefined) return true;
    const unicode = this.#match(/[pP](?:\{\^?(?<long>[^}]*)\}|(?<short>.))/suy)?.groups;
    if (unicode === undefined) return false;
    const name = unicode["long"] ?? unicode["short"] ?? "";
    if (!isUnicodeClass(name)) throw new Re2SyntaxError(`has an unknown class of characters "${name}"`);
    return true;
  }

  /** Reads a character that is written with a backslash, after it, and gives its number. */
  #escape(): number {
    const hex = this.#match(/x(?:\{(?<long>[0-9a-fA-F]+)\}|(?<short>[0-9a-fA-F]{2}))/y)?.groups;
    const digits = hex?.["long"] ?? hex?.["short"];
    if (digits !== undefined) {
      const code = Number.parseInt(digits, 16);
      if (code > 0x10ffff) throw new Re2SyntaxError(`has no character with the number ${digits}`);
      return code;
    }
    // One digit that is not 0 would be a backreference.
    const octal = this.#match(/0[0-7]{0,2}|[1-7][0-7]{1,2}/y)?.[0];
    if (octal !== undefined) return Number.parseInt(octal, 8);
    const control = this.#match(/[afnrtv]/y)?.[0];
    if (control !== undefined) return { a: 7, f: 12, n: 10, r: 13, t: 9, v: 11 }[control] ?? 0;
    const sign = this.#match(/[^0-9A-Za-z\u0080-\u{10ffff}]/uy)?.[0];
    if (sign === undefined) throw new Re2SyntaxError(`has "\\${this.#peek()}", which RE2 does not know`);
    return sign.codePointAt(0) ?? 0;
  }

  #peek(): string {
    return this.#pattern.charAt(this.#at);
  }

  #take(): string {
    const code = this.#pattern.codePointAt(this.#at);
    const taken = code === undefined ? "" : String.fromCodePoint(code);
    this.#at += taken.length;
    return taken;
  }

  /** Takes what a sticky expression finds here. */
  #match(sticky: RegExp): RegExpExecArray | undefined {
    sticky.lastIndex = this.#at;
    const found = sticky.exec(this.#pattern) ?? undefined;
    this.#at += found?.[0].length ?? 0;
    return found;
  }
}

/** A general category of Unicode, such as `Lu`, or a script, such as `Greek`. */
function isUnicodeClass(name: string): boolean {
  if (name === "Any") return true;
  if (!/^\w+$/.test(name)) return false;
  return [`General_Category=${name}`, `Script=${name}`].some((property) => {
    try {
      return new RegExp(`\\p{${property}}`, "u").source !== "";
    } catch {
      return false;
    }
  });
}
