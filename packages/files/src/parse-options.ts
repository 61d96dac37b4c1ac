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
