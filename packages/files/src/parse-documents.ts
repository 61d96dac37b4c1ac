import { constructFromEvents, CORE_SCHEMA, EVENT_ID, mergeTag, parseEvents, YAMLException } from "js-yaml";
import { LineTable, offsetAt, positionTree, type DocumentPath, type Position, type PositionNode } from "./positions.ts";
import { splitDocuments, type Chunk } from "./split.ts";
import { findAmbiguities } from "./yaml-11.ts";

/** One document of a file. */
export interface ParsedDocument {
  /** Counts the documents of the file from 0; empty ones do not count, broken ones do. */
  readonly index: number;
  /** Plain JSON data. Keys such as `__proto__` are own members. */
  readonly value: unknown;
  /** Where the value at `path` begins, or its key. Where the path leaves the document: the last part of it that is there. */
  positionOf(path: DocumentPath, at?: "key" | "value"): Position;
}

/** What is wrong with one document, and where. Lines and columns count from 1. */
export interface DocumentError extends Position {
  readonly file: string;
  /** Index of the document, counted as in ParsedDocument. */
  readonly document: number;
  readonly message: string;
}

/** All that could be read from one text. A broken document does not hide the others: the caller decides what to do with them. */
export interface ParsedText {
  readonly documents: readonly ParsedDocument[];
  readonly errors: readonly DocumentError[];
  /** Values that another YAML reader takes for something else. */
  readonly warnings: readonly DocumentError[];
}

/** Bounds of a text, and its name for errors. */
export interface ParseOptions {
  /** Name of the file, as errors show it. */
  readonly file: string;
  /** Longest text in bytes of UTF-8. Default 16 MiB. */
  readonly maxBytes?: number;
  /** Deepest nesting. Default 100. */
  readonly maxDepth?: number;
  /** Most aliases (`*name`) in one document. Default 50. */
  readonly maxAliases?: number;
}

/** Longest text that is read where nothing else is said, in bytes. */
export const defaultMaxBytes = 16 * 1024 * 1024;

const schema = CORE_SCHEMA.withTags(mergeTag);

/**
 * Reads a stream of YAML 1.2 or JSON documents. Never throws: what cannot be read is in `errors`, one for each broken document.
 * Duplicate keys, unknown tags, alias bombs, cycles and values beyond JSON are errors; merge keys (`<<`) work.
 */
export function parseDocuments(text: string, options: ParseOptions): ParsedText {
  const { file, maxBytes = defaultMaxBytes } = options;
  const documents: ParsedDocument[] = [];
  const errors: DocumentError[] = [];
  const warnings: DocumentError[] = [];
  const bytes = Buffer.byteLength(text);
  if (bytes > maxBytes) {
    const message = `the text has ${bytes} bytes, at most ${maxBytes} are read`;
    return { documents, errors: [{ file, document: 0, line: 1, column: 1, message }], warnings };
  }
  const lines = lazily(() => new LineTable(text));
  const place = (index: number, offset: number, message: string): DocumentError => {
    return { file, document: index, ...lines().position(offset), message };
  };
  let index = 0;
  for (const chunk of splitDocuments(text, text.startsWith("\uFEFF") ? 1 : 0)) {
    const result = parseChunk(chunk, options);
    if (result.type === "empty") continue;
    const document = index++;
    if (result.type === "error") {
      errors.push(place(document, chunk.offset + result.offset, result.message));
      continue;
    }
    const tree = lazily(() => rebuildTree(chunk, options));
    documents.push({
      index: document,
      value: result.value,
      positionOf: (path, at = "value") => lines().position(chunk.offset + offsetAt(tree(), path, at)),
    });
    for (const warning of result.warnings) {
      warnings.push(place(document, chunk.offset + warning.offset, warning.message));
    }
  }
  return { documents, errors, warnings };
}

type ChunkResult =
  | { readonly type: "empty" }
  | { readonly type: "error"; readonly offset: number; readonly message: string }
  | {
      readonly type: "value";
      readonly value: unknown;
      readonly warnings: readonly { readonly offset: number; readonly message: string }[];
    };

function parseChunk(chunk: Chunk, options: ParseOptions): ChunkResult {
  const { text } = chunk;
  try {
    const events = parseEvents(text, { maxDepth: options.maxDepth ?? 100, filename: options.file });
    if (isEmpty(events)) return { type: "empty" };
    const ambiguities = findAmbiguities(text, events);
    const refused = ambiguities.find((ambiguity) => ambiguity.action === "refuse");
    if (refused !== undefined) return { type: "error", offset: refused.offset, message: refused.message };
    const maxAliases = options.maxAliases ?? 50;
    const values = constructFromEvents(events, { source: text, filename: options.file, schema, maxAliases });
    const alias = events.find((event) => event.type === EVENT_ID.ALIAS);
    if (alias !== undefined && hasCycle(values[0], new Set())) {
      return { type: "error", offset: alias.anchorStart - 1, message: "an alias refers to a node that contains it" };
    }
    return { type: "value", value: values[0], warnings: ambiguities };
  } catch (error) {
    return { type: "error", ...explain(error, text) };
  }
}

function isEmpty(events: ReturnType<typeof parseEvents>): boolean {
  const content = events.filter((event) => event.type !== EVENT_ID.DOCUMENT && event.type !== EVENT_ID.POP);
  const [only] = content;
  if (only === undefined) return true;
  return content.length === 1 && only.type === EVENT_ID.SCALAR && only.valueStart < 0 && only.tagStart < 0;
}

function explain(error: unknown, text: string): { offset: number; message: string } {
  const template = /\{\{.*\}\}/.exec(text);
  const hint = template === null ? "" : "; `{{ … }}` looks like a template: render it first";
  if (!(error instanceof YAMLException)) {
    const reason = error instanceof Error ? error.message : String(error);
    return { offset: 0, message: `cannot be read: ${reason}` };
  }
  const complex = error.reason.includes("complex keys");
  const offset = complex && template !== null ? template.index : (error.mark?.position ?? 0);
  return { offset, message: (complex ? "a key must be a text" : reasonOf(error.reason, text, offset)) + hint };
}

/** The parser's reason, with what probably led to it. */
function reasonOf(reason: string, text: string, offset: number): string {
  const line = text.slice(text.lastIndexOf("\n", offset - 1) + 1);
  if (/^ *\t/.test(line)) return `not YAML: ${reason}; indent with spaces, not with tabs`;
  if (reason === "duplicated mapping key") return `${reason} ${keyAt(text, offset)}`;
  if (reason === "deficient indentation") return `not YAML: ${reason}; is a bracket before it left open?`;
  return `not YAML: ${reason}`;
}

/** The key at a place in a text; the place of a quoted one is within the quotes. */
function keyAt(text: string, offset: number): string {
  const quote = text.charAt(offset - 1);
  const end = quote === '"' || quote === "'" ? quote : undefined;
  const rest = text.slice(offset);
  return JSON.stringify(
    end === undefined ? (/^[^\s:,{}[\]]*/.exec(rest)?.[0] ?? "") : rest.slice(0, rest.indexOf(end)),
  );
}

function hasCycle(value: unknown, ancestors: Set<object>): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (ancestors.has(value)) return true;
  ancestors.add(value);
  for (const member of Object.values(value)) if (hasCycle(member, ancestors)) return true;
  ancestors.delete(value);
  return false;
}

function rebuildTree(chunk: Chunk, options: ParseOptions): PositionNode {
  return positionTree(chunk.text, parseEvents(chunk.text, { maxDepth: options.maxDepth ?? 100 }));
}

function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}
