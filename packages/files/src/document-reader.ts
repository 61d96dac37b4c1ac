import { each, type Steps } from "@signalbox/slices";
import type { DocumentReaderOptions } from "./document-reader-options.ts";
import { headOf, Memory, readStretches, type Stretch } from "./stretches.ts";
import { treeOf, type ChunkOptions } from "./parse-chunk.ts";
import { lazily, lengthFault, type DocumentError } from "./parse-documents.ts";
import { LineTable, offsetAt, type DocumentPath, type Position } from "./positions.ts";

/** A document, or an item of a list in one, in a text. */
export interface DocumentPart<T> {
  /** Index of the document, as in ParsedDocument. */
  readonly document: number;
  /** Where the part stands in its document. */
  readonly path: DocumentPath;
  /** What `convert` made of it: the very same as before where the part did not change. */
  readonly content: T;
  /** As in ParsedDocument, by a path within the document that begins with `path`. */
  positionOf(path: DocumentPath, at?: "key" | "value"): Position;
}

/** All that could be read from one text; as in ParsedText. */
export interface ReadText<T> {
  readonly parts: readonly DocumentPart<T>[];
  readonly errors: readonly DocumentError[];
  readonly warnings: readonly DocumentError[];
}

/**
 * Reads the versions of one text, one after the other. A document whose text was in the version before, at any place, is neither parsed nor
 * converted again; the same holds for each item of a long list. Says of every text what `parseDocuments` says. Reads in steps, so that no
 * text, however long, holds up the process for longer than its longest document or item takes. Keeps the last text, for positions.
 */
export class DocumentReader<T> {
  readonly #options: DocumentReaderOptions<T>;
  #text = "";
  #known: readonly Stretch<T>[] = [];

  constructor(options: DocumentReaderOptions<T>) {
    this.#options = options;
  }

  /** Reads the next version. Not before the last step of the one before. */
  *read(text: string): Steps<ReadText<T>> {
    const { file, maxBytes } = this.#options;
    const tooLong = lengthFault(text, maxBytes);
    if (tooLong !== undefined) {
      return { parts: [], errors: [{ file, document: 0, line: 1, column: 1, message: tooLong }], warnings: [] };
    }
    const { stretches, whole } = yield* readStretches(text, new Memory(this.#text, this.#known), this.#options);
    // The next version is probably like the one before this one.
    if (whole || this.#known.length === 0) {
      this.#text = text;
      this.#known = stretches;
    }
    return yield* this.#said(text, stretches);
  }

  *#said(text: string, stretches: readonly Stretch<T>[]): Steps<ReadText<T>> {
    const { file } = this.#options;
    const source = new Source(text, this.#options);
    const parts: Part<T>[] = [];
    const errors: DocumentError[] = [];
    const warnings: DocumentError[] = [];
    const place = (stretch: Stretch<T>, { offset, message }: { readonly offset: number; readonly message: string }) => {
      return { file, document: stretch.document, ...source.position(stretch, offset), message };
    };
    yield* each(stretches, (stretch) => {
      const { result } = stretch;
      if (result.type === "error") errors.push(place(stretch, result));
      else if (result.type === "value") {
        parts.push(new Part(source, stretch, result.content));
        for (const warning of result.warnings) warnings.push(place(stretch, warning));
      }
    });
    // Items are read after the document that they stand in the middle of.
    warnings.sort((a, b) => a.line - b.line || a.column - b.column);
    return { parts, errors, warnings };
  }
}

/** One version of the text, for positions. */
class Source {
  readonly #text: string;
  readonly #options: ChunkOptions;
  readonly #lines: () => LineTable;

  constructor(text: string, options: ChunkOptions) {
    this.#text = text;
    this.#options = options;
    this.#lines = lazily(() => new LineTable(text));
  }

  /** Where an offset in what was parsed for a stretch stands in the text. */
  position({ offset, item, cut }: Stretch<unknown>, inner: number): Position {
    const own = item === undefined ? inner : Math.max(0, inner - headOf(item.key).length);
    const skipped = cut !== undefined && own >= cut.start ? cut.end - cut.start : 0;
    return this.#lines().position(offset + own + skipped);
  }

  positionOf(stretch: Stretch<unknown>, path: DocumentPath, at: "key" | "value"): Position {
    const { offset, length, item, cut } = stretch;
    const text = cut?.frame ?? this.#text.slice(offset, offset + length);
    const tree = treeOf(item === undefined ? text : headOf(item.key) + text, this.#options);
    const within = item === undefined ? path : [item.key, 0, ...path.slice(2)];
    return this.position(stretch, offsetAt(tree, within, at));
  }
}

// Plain members: there may be very many, and private ones take several times as long to make.
class Part<T> implements DocumentPart<T> {
  readonly content: T;
  readonly source: Source;
  readonly stretch: Stretch<T>;

  constructor(source: Source, stretch: Stretch<T>, content: T) {
    this.content = content;
    this.source = source;
    this.stretch = stretch;
  }

  get document(): number {
    return this.stretch.document;
  }

  get path(): DocumentPath {
    const { item } = this.stretch;
    return item === undefined ? [] : [item.key, item.index];
  }

  positionOf(path: DocumentPath, at: "key" | "value" = "value"): Position {
    return this.source.positionOf(this.stretch, path, at);
  }
}
