import type { ParseOptions } from "./parse-options.ts";
import type { DocumentPath } from "./positions.ts";

/** How one file is read again and again. `T` is what becomes of a document, or of an item of a long list. */
export interface DocumentReaderOptions<T> extends ParseOptions {
  /**
   * Makes something of a document, whose `path` is empty, or of one item of a list, with its path in the document; the document itself then
   * comes with an empty list. Must not throw, and must depend on nothing else. The result is kept for as long as the text stays.
   */
  readonly convert: (value: unknown, path: DocumentPath) => T;
  /** What becomes of something made of an item, when the item stands at another index. Left out where the index does not matter. */
  readonly moved?: (content: T, path: DocumentPath) => T;
  /** Keys at the top of a document whose lists may be read item by item. */
  readonly listKeys?: readonly string[];
  /** Whether that may be done in this document, which has no value at `key`. */
  readonly mayCut?: (frame: unknown, key: string) => boolean;
  /** Documents with fewer characters are read whole. Default 32768. */
  readonly cutFrom?: number;
}
