import type { Steps } from "@signalbox/slices";
import type { Chunk } from "./split.ts";

/** A list at the top of a document in block style, to be read item by item. */
export interface CutList {
  readonly key: string;
  /** The document without the items: the key has no value in it. */
  readonly frame: string;
  /** The items, each with what stands before it, in order. Offsets count from the start of the document. */
  readonly items: readonly Chunk[];
  /** Where the list begins and ends in the document; in the frame, the end is where it begins. */
  readonly start: number;
  readonly end: number;
}

/**
 * Cuts the first of these keys that has a list as its value out of a document: `key:` at the start of a line, then lines that begin with
 * `- ` at one and the same indentation. It looks at lines only, so it may be wrong about a quoted text or a flow collection that is indented
 * less than it ought to be: whoever uses it has to see that the frame has the key without a value, and that each item, read behind the key,
 * is one item and nothing else. What is cut within a quoted text or a bracket is broken on its own, so then both come out as in the whole.
 * Undefined where there is no such list, or something in the text makes it unsafe.
 */
export function* cutList(text: string, keys: readonly string[]): Steps<CutList | undefined> {
  const found = findKey(text, keys);
  if (found === undefined) return undefined;
  const { key, start, indent } = found;
  const items: Chunk[] = [];
  let itemStart = start;
  let inItem = false;
  let end = text.length;
  for (let line = start; line < text.length;) {
    const kind = lineKind(text, line, indent);
    if (kind === "end") {
      // Anything but another key could still be a value of this one once the items are gone.
      if (!/[A-Za-z_.]/.test(text.charAt(line))) return undefined;
      end = line;
      break;
    }
    if (kind === "item") {
      if (inItem) {
        items.push({ text: text.slice(itemStart, line), offset: itemStart });
        itemStart = line;
        if (items.length % 256 === 0) yield;
      }
      inItem = true;
    }
    const next = text.indexOf("\n", line);
    line = next < 0 ? text.length : next + 1;
  }
  if (inItem) items.push({ text: text.slice(itemStart, end), offset: itemStart });
  return { key, frame: text.slice(0, start) + text.slice(end), items, start, end };
}

/** A mapping at the top that begins with a plain key in the first column. */
const mappingStart = /^(?:---[ \t]*(?:#[^\r\n]*)?\r?\n|[ \t]*(?:#[^\r\n]*)?\r?\n)*[A-Za-z][\w.-]*:(?=[ \r\n])/;

function findKey(text: string, keys: readonly string[]) {
  if (!mappingStart.test(text)) return undefined;
  let first: { readonly key: string; readonly start: number; readonly indent: number } | undefined;
  for (const key of keys) {
    const line = new RegExp(`(?<![^\\n])${key}:[ \\t]*(?:#[^\\r\\n]*)?\\r?\\n`, "y");
    line.lastIndex = text.startsWith(`${key}:`) ? 0 : text.indexOf(`\n${key}:`) + 1;
    const found = line.exec(text);
    if (found === null || (first !== undefined && first.start < line.lastIndex)) continue;
    const start = line.lastIndex;
    const item = /(?:[ \t]*(?:#[^\r\n]*)?\r?\n)*( *)-(?=[ \r\n])/y;
    item.lastIndex = start;
    const indent = item.exec(text)?.[1]?.length;
    if (indent !== undefined) first = { key, start, indent };
  }
  return first;
}

function lineKind(text: string, line: number, indent: number): "item" | "inside" | "end" {
  let at = line;
  while (text.charCodeAt(at) === space && at - line <= indent) at++;
  const column = at - line;
  if (column > indent) return "inside";
  const code = text.charCodeAt(at);
  if (code === lineFeed || code === carriageReturn || code === hash || Number.isNaN(code)) return "inside";
  if (column === indent && code === dash) {
    const after = text.charCodeAt(at + 1);
    if (after === space || after === lineFeed || after === carriageReturn || Number.isNaN(after)) return "item";
  }
  // A tab may be white space within a line that says nothing.
  if (code === tab && /^[ \t]*(?:#|\r?\n|$)/.test(text.slice(at, at + 200))) return "inside";
  return "end";
}

const tab = 9;
const lineFeed = 10;
const carriageReturn = 13;
const space = 32;
const hash = 35;
const dash = 45;
