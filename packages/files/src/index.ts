export { formatYaml } from "./format-yaml.ts";
export { parseDocuments } from "./parse-documents.ts";
export { readFiles, watchDocuments } from "./watch-documents.ts";
export type { DocumentError, ParsedDocument, ParsedText, ParseOptions } from "./parse-documents.ts";
export type { DocumentPath, Position } from "./positions.ts";
export type { ReadFailure, SourceFile } from "./read-file.ts";
export type { FileBatch } from "./scanner.ts";
export type { ReadFilesOptions, WatchDocumentsOptions } from "./watch-documents.ts";
