import { isPosixClass, isUnicodeClass } from "./re2-classes.ts";

const mostCopies = 1000;

/**
 * What is wrong with a regular expression of RE2's syntax (https://github.com/google/re2/wiki/Syntax), or undefined. It knows what a JavaScript
 * `RegExp` takes otherwise: no look-around and no backreferences, but flags such as `(?i)`, `\Q…\E`, `\pN`, `[[:alpha:]]` and `(?P<name>…)`; and
 * the bound of 1,000 copies. Nothing is matched. Meant for patterns of a few
 * thousand characters: the caller bounds them.
 */
export function re2Fault(pattern: string): string | undefined {
  if (/\p{Surrogate}/u.test(pattern)) return "the text is not valid Unicode";
  return new Re2Reader(pattern).read();
}

/** What stands between two parentheses, as far as it was read. Copies count how often counted repetitions multiply what is deepest inside. */
interface Group {
  /** Most copies in any part of the group that is complete. */
  copies: number;
  /** Copies in the last item, which a repetition would apply to; undefined where there is none. */
  last: number | undefined;
}

class Re2Reader {
  readonly #text: string;
  #position = 0;
  readonly #groups: Group[] = [];
  #group: Group = { copies: 1, last: undefined };

  constructor(text: string) {
    this.#text = text;
  }

  read(): string | undefined {
    let afterRepeat = false;
    while (this.#position < this.#text.length) {
      const start = this.#position;
      const repeat = this.#takeRepeat();
      const fault = repeat === undefined ? this.#item() : this.#repeat(repeat, afterRepeat, start);
      if (fault !== undefined) return fault;
      afterRepeat = repeat !== undefined;
    }
    return this.#groups.length === 0 ? undefined : "a ( has no )";
  }

  /** Reads anything but a repetition. */
  #item(): string | undefined {
    const point = this.#next();
    switch (point) {
      case "(":
        if (this.#text[this.#position] === "?") return this.#special();
        this.#open();
        return undefined;
      case "|":
        this.#finishItem();
        return undefined;
      case ")":
        return this.#close();
      case "[":
        return this.#bracket();
      case "\\":
        return this.#backslash();
      default:
        this.#push();
        return undefined;
    }
  }

  /** The bounds of `*`, `+`, `?` or `{n,m}` at this place. A brace that is no repetition is a character of its own. */
  #takeRepeat(): Repeat | undefined {
    const operator = this.#take(/[*+?]/y);
    if (operator !== undefined) return { min: 0, max: undefined, counted: false };
    const braces = this.#take(/\{(0|[1-9]\d*)(?:(,)(0|[1-9]\d*)?)?\}/y);
    if (braces === undefined) return undefined;
    const min = Number(braces[1]);
    const upper = braces[2] === undefined ? braces[1] : braces[3];
    return { min, max: upper === undefined ? undefined : Number(upper), counted: true };
  }

  #repeat({ min, max, counted }: Repeat, afterRepeat: boolean, start: number): string | undefined {
    this.#take(/\?/y);
    const written = this.#text.slice(start, this.#position);
    if (min > mostCopies || (max ?? 0) > mostCopies || (max !== undefined && min > max))
      return `"${written}": the counts are 0 to ${mostCopies}, the smaller first`;
    if (afterRepeat) return `"${written}" repeats a repetition: put it in a group`;
    const { last } = this.#group;
    if (last === undefined) return `"${written}" has nothing to repeat`;
    if (!counted) return undefined;
    const copies = max === 0 ? 1 : last * Math.max(max ?? min, 1);
    if ((min >= 2 || (max ?? 0) >= 2) && copies > mostCopies)
      return `"${written}" makes more than ${mostCopies} copies together with the repetitions inside`;
    this.#group.last = copies;
    return undefined;
  }

  /** Reads what follows `(?`: a name, flags, or a group without number. */
  #special(): string | undefined {
    const rest = this.#text.slice(this.#position - 1, this.#position + 40);
    const name = this.#take(/\?P?<([^>]*)>/y);
    if (name !== undefined) {
      if (!/^[A-Za-z0-9_]+$/.test(name[1] ?? "")) return `"(${name[0]}": a name has letters, digits and "_"`;
      this.#open();
      return undefined;
    }
    const flags = this.#take(/\?[imsU]*(?:-[imsU]+)?([:)])/y);
    if (flags === undefined) return `"${/^\(\?P?.?[=!]?/u.exec(rest)?.[0] ?? "(?"}" is not known to RE2`;
    if (flags[1] === ":") this.#open();
    return undefined;
  }

  #backslash(): string | undefined {
    const start = this.#position - 1;
    if (this.#take(/Q/y) !== undefined) {
      const end = this.#text.indexOf("\\E", this.#position);
      const literal = this.#text.slice(this.#position, end < 0 ? undefined : end);
      this.#position = end < 0 ? this.#text.length : end + 2;
      if (literal !== "") this.#push();
      return undefined;
    }
    if (this.#take(/[AbBz]/y) === undefined) {
      const found = this.#classEscape(start) ?? this.#escape(start);
      if (found.fault !== undefined) return found.fault;
    }
    this.#push();
    return undefined;
  }

  /** Reads `\d`, `\pN` and the like behind a backslash; undefined where it is another escape. */
  #classEscape(start: number): Escape | undefined {
    if (this.#take(/[dDsSwW]/y) !== undefined) return {};
    if (this.#take(/[pP]/y) === undefined) return undefined;
    const name = this.#take(/\{\^?([^}]*)\}|[^{]/uy);
    const known = name !== undefined && isUnicodeClass(name[1] ?? name[0]);
    return known ? {} : { fault: `"${this.#text.slice(start, this.#position)}" is not a Unicode class that RE2 knows` };
  }

  /** Reads one character behind a backslash. */
  #escape(start: number): Escape {
    if (this.#position >= this.#text.length) return { fault: "a \\ at the end escapes nothing" };
    const octal = this.#take(/0[0-7]{0,2}|[1-7][0-7]{1,2}/y);
    if (octal !== undefined) return { point: parseInt(octal[0], 8) };
    const hex = this.#take(/x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))/y);
    const point = hex === undefined ? undefined : parseInt(hex[1] ?? hex[2] ?? "", 16);
    if (point !== undefined && point <= 0x10ffff) return { point };
    const control = hex === undefined ? this.#take(/[afnrtv]/y) : undefined;
    if (control !== undefined) return { point: "\x07\f\n\r\t\v".charCodeAt("afnrtv".indexOf(control[0])) };
    const itself = hex === undefined ? this.#take(/[\0-\x7f]/y) : undefined;
    if (itself !== undefined && !/[A-Za-z0-9]/.test(itself[0])) return { point: itself[0].charCodeAt(0) };
    if (itself === undefined && hex === undefined) this.#next();
    const written = this.#text.slice(start, this.#position);
    const backreference = /^\\[1-9]$/.test(written) ? ": it has no backreferences" : "";
    return { fault: `"${written}" is not an escape that RE2 knows${backreference}` };
  }

  /** Reads a class behind its `[`. */
  #bracket(): string | undefined {
    this.#take(/\^/y);
    let first = true;
    while (first || this.#text[this.#position] !== "]") {
      first = false;
      const start = this.#position;
      const posix = this.#take(/\[:(.*?):\]/sy);
      if (posix !== undefined) {
        if (!isPosixClass(posix[1] ?? "")) return `"${posix[0]}" is not a class of characters`;
        continue;
      }
      const low = this.#member();
      if (low.fault !== undefined) return low.fault;
      if (low.point === undefined || this.#take(/-(?=[^\]])/y) === undefined) continue;
      const high = this.#bound();
      if (high.fault !== undefined) return high.fault;
      if ((high.point ?? 0) < low.point)
        return `"${this.#text.slice(start, this.#position)}" is a range that runs backwards`;
    }
    this.#position++;
    this.#push();
    return undefined;
  }

  /** Reads one member of a class: a character with its code point, or a class without one. */
  #member(): Escape {
    if (this.#text[this.#position] !== "\\") return this.#bound();
    const start = this.#position++;
    return this.#classEscape(start) ?? this.#escape(start);
  }

  /** Reads one character of a class. */
  #bound(): Escape {
    if (this.#position >= this.#text.length) return { fault: "a [ has no ]" };
    const point = this.#next();
    return point === "\\" ? this.#escape(this.#position - 1) : { point: point.codePointAt(0) ?? 0 };
  }

  #open(): void {
    this.#groups.push(this.#group);
    this.#group = { copies: 1, last: undefined };
  }

  #close(): string | undefined {
    const outer = this.#groups.pop();
    if (outer === undefined) return "a ) has no (";
    this.#finishItem();
    const { copies } = this.#group;
    this.#group = outer;
    this.#push(copies);
    return undefined;
  }

  #push(copies = 1): void {
    this.#finishItem();
    this.#group.last = copies;
  }

  #finishItem(): void {
    this.#group.copies = Math.max(this.#group.copies, this.#group.last ?? 1);
    this.#group.last = undefined;
  }

  #next(): string {
    const point = String.fromCodePoint(this.#text.codePointAt(this.#position) ?? 0);
    this.#position += point.length;
    return point;
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

interface Repeat {
  readonly min: number;
  /** Undefined where there is no bound. */
  readonly max: number | undefined;
  readonly counted: boolean;
}

interface Escape {
  readonly point?: number;
  readonly fault?: string;
}
