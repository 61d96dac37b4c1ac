import { parseChunk, treeOf } from "./parse-chunk.ts";
import type { ParseOptions } from "./parse-options.ts";
import { LineTable, offsetAt, type DocumentPath, type Position } from "./positions.ts";
import { splitDocuments } from "./split.ts";

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

/** Longest text that is read where nothing else is said, in bytes. */
export const defaultMaxBytes = 16 * 1024 * 1024;

/**
 * Reads a stream of YAML 1.2 or JSON documents. Never throws: what cannot be read is in `errors`, one for each broken document.
 * Duplicate keys, unknown tags, alias bombs, cycles and values beyond JSON are errors; merge keys (`<<`) work.
 */
export function parseDocuments(text: string, options: ParseOptions): ParsedText {
  const { file, maxBytes = defaultMaxBytes } = options;
  const documents: ParsedDocument[] = [];
  const errors: DocumentError[] = [];
  const warnings: DocumentError[] = [];
  const tooLong = lengthFault(text, maxBytes);
  if (tooLong !== undefined) {
    return { documents, errors: [{ file, document: 0, line: 1, column: 1, message: tooLong }], warnings };
  }
  const lines = lazily(() => new LineTable(text));
  const place = (index: number, offset: number, message: string): DocumentError => {
    return { file, document: index, ...lines().position(offset), message };
  };
  let index = 0;
  for (const chunk of splitDocuments(text, startOf(text))) {
    const result = parseChunk(chunk.text, options);
    if (result.type === "empty") continue;
    const document = index++;
    if (result.type === "error") {
      errors.push(place(document, chunk.offset + result.offset, result.message));
      continue;
    }
    const tree = lazily(() => treeOf(chunk.text, options));
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

/** A function that does its work once, when it is first called. */
export function lazily<T>(make: () => T): () => T {
  let made: { readonly value: T } | undefined;
  return () => (made ??= { value: make() }).value;
}

/** Where the first document may begin: behind a byte order mark. */
export function startOf(text: string): number {
  return text.startsWith("\uFEFF") ? 1 : 0;
}

/** Why a text is too long to be read. */
export function lengthFault(text: string, maxBytes = defaultMaxBytes): string | undefined {
  // One unit of UTF-16 is three bytes at most: counting is for texts that come near.
  if (text.length * 3 <= maxBytes) return undefined;
  const bytes = Buffer.byteLength(text);
  return bytes > maxBytes ? `the text has ${bytes} bytes, at most ${maxBytes} are read` : undefined;
}
