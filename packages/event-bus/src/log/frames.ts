import { isAscii } from "node:buffer";
import { promisify } from "node:util";
import { constants, gunzip, gzip } from "node:zlib";
import { EventFormatError, EventVersionError } from "../codec.ts";

/** The layout of a frame: one byte version, one byte flags, then a piece of a message. */
const FRAME_VERSION = 1;
const compressed = 1;
/** The next frame belongs to the same message. */
const more = 2;
const headerBytes = 2;

/** A message is compressed from this size on, in bytes. Below it, compression costs more than it saves. */
const compressFromBytes = 4096;
/** The largest message that is read, in bytes, after decompression: one service with all its endpoints must be able to be it. */
const maxMessageBytes = 256 * 1024 * 1024;

/** A message is decompressed in pieces of so many bytes: of all that it says it has, within these bounds. */
const pieceBytes = { least: 1024, most: 1024 * 1024 } as const;
/** Where gzip says how long the plain text is, from the end of the file (RFC 1952, section 2.3.1). */
const plainSizeBytes = 4;

const gzipAsync = promisify(gzip);
const gunzipAsync = promisify(gunzip);

/** Cuts a message into frames of at most `maxFrameBytes`; large ones are compressed first. */
export async function toFrames(message: string, maxFrameBytes: number): Promise<readonly Uint8Array[]> {
  const plain = Buffer.from(message);
  const small = plain.length < compressFromBytes;
  const body = small ? plain : await gzipAsync(plain, { level: constants.Z_BEST_SPEED });
  const room = maxFrameBytes - headerBytes;
  if (room < 1) throw new RangeError(`a frame of ${maxFrameBytes} bytes has no room for anything`);
  const frames: Uint8Array[] = [];
  for (let at = 0; at === 0 || at < body.length; at += room) {
    const piece = body.subarray(at, at + room);
    const frame = Buffer.allocUnsafe(headerBytes + piece.length);
    frame[0] = FRAME_VERSION;
    frame[1] = (small ? 0 : compressed) | (at + room < body.length ? more : 0);
    frame.set(piece, headerBytes);
    frames.push(frame);
  }
  return frames;
}

/** A whole message as its frames brought it. */
export interface MessageBody {
  readonly bytes: Buffer;
  readonly compressed: boolean;
}

/** Puts frames together again. */
export class FrameJoiner {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #size = 0;

  /** `maxBytes`: the largest body that is put together. */
  constructor(maxBytes = maxMessageBytes) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next frame. Gives the message that it completes; undefined where more frames must follow.
   * Throws an EventVersionError for frames of a newer layout and an EventFormatError for what is no frame.
   */
  add(frame: Uint8Array): MessageBody | undefined {
    const [version, flags] = frame;
    if (version === undefined || flags === undefined || version === 0)
      throw new EventFormatError("frame", "a version, flags and a piece of a message");
    if (version > FRAME_VERSION) throw new EventVersionError(version);
    this.#pieces.push(frame.subarray(headerBytes));
    this.#size += frame.length - headerBytes;
    if (this.#size > this.#maxBytes) throw new EventFormatError("message", `at most ${this.#maxBytes} bytes long`);
    if ((flags & more) !== 0) return undefined;
    const bytes = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    return { bytes, compressed: (flags & compressed) !== 0 };
  }
}

/**
 * The message as UTF-8, decompressed by another thread where it must be. Rejects with an EventFormatError for what is not
 * compressed as it says, or has more than `maxBytes`.
 */
export async function unpacked(body: MessageBody, maxBytes = maxMessageBytes): Promise<Buffer> {
  if (!body.compressed) return body.bytes;
  try {
    return await gunzipAsync(body.bytes, { maxOutputLength: maxBytes, chunkSize: chunkSizeOf(body.bytes) });
  } catch (cause) {
    throw new EventFormatError("message", "compressed as its frame says", { cause });
  }
}

/** The text of what is UTF-8. Most of it is ASCII, which needs no decoding. */
export function textOf(bytes: Buffer): string {
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}

/** Room for all of the plain text, because pieces must be joined; no more than that, because memory of any size must be had first. */
function chunkSizeOf(gzipped: Buffer): number {
  const size = gzipped.length < plainSizeBytes ? 0 : gzipped.readUInt32LE(gzipped.length - plainSizeBytes);
  // One more: only where room is left it is certain that nothing follows.
  return Math.min(pieceBytes.most, Math.max(pieceBytes.least, size + 1));
}
