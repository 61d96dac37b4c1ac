/** A part of a text that holds at most one document. */
export interface Chunk {
  readonly text: string;
  /** Offset of `text` in the whole text. */
  readonly offset: number;
}

/**
 * Cuts a YAML stream before each line `---` and after each line `...`, as kubectl does, so that a broken document cannot hide the next one.
 * Both marks are document marks wherever they stand at the start of a line (YAML 1.2, 9.1.2), also inside a block scalar.
 * Directives (`%YAML`) stay with the document that follows them. Lazy, so that whoever walks along may rest in between.
 */
export function* splitDocuments(text: string, from = 0): Generator<Chunk, void, undefined> {
  let start = from;
  let dashes = findMark(text, "---", from);
  let dots = findMark(text, "...", from);
  while (dashes < Infinity || dots < Infinity) {
    let end: number;
    if (dashes < dots) {
      end = dashes;
      dashes = findMark(text, "---", dashes + 3);
    } else {
      const lineEnd = text.indexOf("\n", dots);
      end = lineEnd < 0 ? text.length : lineEnd + 1;
      dots = findMark(text, "...", dots + 3);
    }
    if (end > start && !onlyDirectives(text, start, end)) {
      yield { text: text.slice(start, end), offset: start };
      start = end;
    }
  }
  if (start < text.length) yield { text: text.slice(start), offset: start };
}

/** Offset of the next line that is a mark; Infinity where there is none. Searches for the text: a regular expression is many times slower. */
function findMark(text: string, mark: "---" | "...", from: number): number {
  for (let at = text.indexOf(mark, from); at >= 0; at = text.indexOf(mark, at + 1)) {
    if (startsLine(text, at) && endsWord(text, at + mark.length)) return at;
  }
  return Infinity;
}

function startsLine(text: string, at: number): boolean {
  if (at === 0 || (at === 1 && text.startsWith("\uFEFF"))) return true;
  const before = text[at - 1];
  return before === "\n" || before === "\r";
}

function endsWord(text: string, at: number): boolean {
  const after = text[at];
  return after === undefined || after === " " || after === "\t" || after === "\r" || after === "\n";
}

function onlyDirectives(text: string, start: number, end: number): boolean {
  const line = /([^\r\n]*)(?:\r\n|[\r\n]|$)/y;
  let directive = false;
  for (line.lastIndex = start; line.lastIndex < end;) {
    const content = line.exec(text)?.[1] ?? "";
    if (content.startsWith("%")) directive = true;
    else if (content.trim() !== "" && !/^\s*#/.test(content)) return false;
  }
  return directive;
}
