import type { Catalog, CatalogDelta, Revision } from "@signalbox/model";
import { decodeEvent, deltaFrom, encodeEvent, EventFormatError } from "../codec.ts";
import type { ChangeEvent } from "../event.ts";
import { snapshotParts } from "../log/messages.ts";

/** What travels over a socket. A snapshot comes in pieces, because one text of a large catalog would block both ends. */
export type SocketMessage =
  | { readonly type: "begin"; readonly revision: Revision }
  | { readonly type: "part"; readonly delta: CatalogDelta }
  | { readonly type: "end" }
  | Extract<ChangeEvent, { type: "delta" }>;

/** Characters of one piece of a snapshot, about. */
const partCharacters = 256 * 1024;
/** The largest message, in bytes: one service with all its endpoints must fit. */
const maxMessageBytes = 256 * 1024 * 1024;
const lengthBytes = 4;

/** The messages of an event, each with its length in front. */
export function* socketMessages(event: ChangeEvent): Generator<Buffer> {
  if (event.type === "delta") {
    yield withLength(encodeEvent(event));
    return;
  }
  const { catalog } = event;
  yield withLength(JSON.stringify({ type: "begin", revision: catalog.revision }));
  for (const part of snapshotParts(mapsOf(catalog), partCharacters)) yield withLength(part);
  yield withLength(JSON.stringify({ type: "end" }));
}

/** Cuts a stream of bytes into messages. Throws an EventFormatError for what is none. */
export class SocketReader {
  #pieces: Buffer[] = [];
  #size = 0;

  /** Takes bytes as they came, and gives the messages that they complete. */
  *take(bytes: Buffer): Generator<SocketMessage> {
    this.#pieces.push(bytes);
    this.#size += bytes.length;
    for (;;) {
      if (this.#size < lengthBytes) return;
      const first = this.#joined(lengthBytes);
      const length = first.readUInt32BE(0);
      if (length > maxMessageBytes) throw new EventFormatError("message", `at most ${maxMessageBytes} bytes long`);
      if (this.#size < lengthBytes + length) return;
      const all = this.#joined(lengthBytes + length);
      const text = all.toString("utf8", lengthBytes, lengthBytes + length);
      const rest = all.subarray(lengthBytes + length);
      this.#pieces = [rest, ...this.#pieces.slice(1)];
      this.#size -= lengthBytes + length;
      yield messageOf(text);
    }
  }

  /** The first piece, made at least so long out of the following ones. */
  #joined(length: number): Buffer {
    const [first] = this.#pieces;
    if (first !== undefined && first.length >= length) return first;
    const all = Buffer.concat(this.#pieces);
    this.#pieces = [all];
    return all;
  }
}

function messageOf(text: string): SocketMessage {
  const message = JSON.parse(text) as {
    readonly type?: unknown;
    readonly revision?: unknown;
    readonly delta?: unknown;
  };
  switch (message.type) {
    case "begin":
      return { type: "begin", revision: message.revision as Revision };
    case "part":
      return { type: "part", delta: deltaFrom(message.delta) };
    case "end":
      return { type: "end" };
    default: {
      const event = decodeEvent(text);
      if (event.type === "snapshot") throw new EventFormatError("type", "one that travels over sockets");
      return event;
    }
  }
}

function withLength(text: string): Buffer {
  const length = Buffer.byteLength(text);
  const bytes = Buffer.allocUnsafe(lengthBytes + length);
  bytes.writeUInt32BE(length, 0);
  bytes.write(text, lengthBytes, "utf8");
  return bytes;
}

function mapsOf({ entries, objects, workloads }: Catalog): Omit<Catalog, "revision"> {
  return { entries, workloads, objects };
}
