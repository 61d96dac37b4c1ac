/** What a page answers; the server puts it on the wire. */
export type Answer =
  | { readonly type: "json"; readonly status?: number; readonly value: unknown }
  | { readonly type: "text"; readonly status?: number; readonly contentType?: string; readonly body: string }
  /** Plain text, written line by line. */
  | { readonly type: "lines"; readonly lines: Iterable<string> }
  /** A JSON array, written item by item: it may be larger than one string should be. */
  | { readonly type: "array"; readonly items: Iterable<unknown> }
  /** A JSON object, written member by member. */
  | { readonly type: "object"; readonly members: Iterable<readonly [string, unknown]> }
  | {
      readonly type: "download";
      readonly contentType: string;
      readonly fileName: string;
      readonly body: NodeJS.ReadableStream | string;
    };

/** One page. Handlers read and answer; they change nothing. */
export interface Page {
  readonly path: string;
  /** One line for the index. */
  readonly help: string;
  /** `signal` aborts when the client has gone. */
  readonly answer: (query: URLSearchParams, signal: AbortSignal) => Answer | Promise<Answer>;
}

/** A JSON answer that says what went wrong. */
export function failure(status: number, code: string, error: string, more: object = {}): Answer {
  return { type: "json", status, value: { error, code, ...more } };
}

const chunkSize = 64 * 1024;

/** Gathers short texts to pieces of about 64 KiB. */
export function* textPieces(texts: Iterable<string>): Generator<string> {
  let piece = "";
  for (const text of texts) {
    piece += text;
    if (piece.length < chunkSize) continue;
    yield piece;
    piece = "";
  }
  if (piece !== "") yield piece;
}

/** Writes an array or object answer in pieces, so that a large catalog neither fills memory nor blocks the loop. */
export function jsonPieces(
  answer: Extract<Answer, { readonly type: "array" | "object" }>,
  indent: number,
): Generator<string> {
  return textPieces(jsonTexts(answer, indent));
}

function* jsonTexts(answer: Extract<Answer, { readonly type: "array" | "object" }>, indent: number): Generator<string> {
  const [open, close] = answer.type === "array" ? ["[", "]"] : ["{", "}"];
  const lineBreak = indent > 0 ? "\n" : "";
  let separator = "";
  yield open;
  for (const part of parts(answer, indent)) {
    yield separator + lineBreak + part;
    separator = ",";
  }
  yield `${separator === "" ? "" : lineBreak}${close}\n`;
}

function* parts(answer: Extract<Answer, { readonly type: "array" | "object" }>, indent: number): Generator<string> {
  const write = (value: unknown): string => {
    const text = JSON.stringify(value, null, indent);
    return indent > 0 ? text.replaceAll("\n", `\n${" ".repeat(indent)}`) : text;
  };
  const margin = " ".repeat(indent);
  const colon = indent > 0 ? ": " : ":";
  if (answer.type === "array") for (const item of answer.items) yield margin + write(item);
  else for (const [name, value] of answer.members) yield margin + JSON.stringify(name) + colon + write(value);
}
