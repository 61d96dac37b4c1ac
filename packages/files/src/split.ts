/** A part of a text that holds at most one document. */
export interface Chunk {
  readonly text: string;
  /** Offset of `text` in the whole text. */
  readonly offset: number;
}

/**
 * Cuts a YAML stream before each line `---` and after each line `...`, as kubectl does, so that a broken document cannot hide the next one.
 * Both marks are document marks wherever they stand at the start of a line (YAML 1.2, 9.1.2), also inside a block scalar.
 * Directives (`%YAML`) stay with the document that follows them.
 */
export function splitDocuments(text: string, from = 0): readonly Chunk[] {
  const chunks: Chunk[] = [];
  let start = from;
  const cut = (end: number) => {
    if (end > start && !onlyDirectives(text.slice(start, end))) {
      chunks.push({ text: text.slice(start, end), offset: start });
      start = end;
    }
  };
  const mark = /^(?:---|\.\.\.)(?=[ \t\r\n]|$(?![\s\S]))/gm;
  mark.lastIndex = from;
  for (let found = mark.exec(text); found !== null; found = mark.exec(text)) {
    if (found[0] === "---") {
      cut(found.index);
    } else {
      const lineEnd = text.indexOf("\n", found.index);
      cut(lineEnd < 0 ? text.length : lineEnd + 1);
    }
  }
  if (start < text.length) chunks.push({ text: text.slice(start), offset: start });
  return chunks;
}

function onlyDirectives(text: string): boolean {
  let directive = false;
  for (const line of text.split(/\r\n|[\r\n]/)) {
    if (line.startsWith("%")) directive = true;
    else if (line.trim() !== "" && !/^\s*#/.test(line)) return false;
  }
  return directive;
}
