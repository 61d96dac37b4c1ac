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

/** A message is decompressed in pieces of so many bytes, which is one piece up to the ratio that catalogs have at most. */
const smallestChunk = 16 * 1024;
const largestChunk = 1024 * 1024;
const usualRatio = 32;

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

/** Puts frames together again. */
export class FrameJoiner {
  readonly #maxBytes: number;
  #pieces: Uint8Array[] = [];
  #size = 0;

  /** `maxBytes`: the largest message that is read, after decompression. */
  constructor(maxBytes = maxMessageBytes) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Takes the next frame. The result resolves with the message that it completes; it is undefined where more frames must follow.
   * Throws an EventVersionError for frames of a newer layout and an EventFormatError for what is no frame.
   */
  add(frame: Uint8Array): Promise<string> | undefined {
    const [version, flags] = frame;
    if (version === undefined || flags === undefined || version === 0)
      throw new EventFormatError("frame", "a version, flags and a piece of a message");
    if (version > FRAME_VERSION) throw new EventVersionError(version);
    this.#pieces.push(frame.subarray(headerBytes));
    this.#size += frame.length - headerBytes;
    if (this.#size > this.#maxBytes) throw new EventFormatError("message", `at most ${this.#maxBytes} bytes long`);
    if ((flags & more) !== 0) return undefined;
    const body = Buffer.concat(this.#pieces);
    this.#pieces = [];
    this.#size = 0;
    return (flags & compressed) === 0 ? Promise.resolve(textOf(body)) : decompress(body, this.#maxBytes);
  }
}

async function decompress(body: Buffer, maxOutputLength: number): Promise<string> {
  try {
    // Several pieces must be joined, which takes as long again.
    const chunkSize = Math.min(largestChunk, Math.max(smallestChunk, body.length * usualRatio));
    return textOf(await gunzipAsync(body, { maxOutputLength, chunkSize }));
  } catch (cause) {
    throw new EventFormatError("message", "compressed as its frame says", { cause });
  }
}

/** UTF-8 as text. Most of it is ASCII, which needs no decoding. */
function textOf(bytes: Buffer): string {
  return bytes.toString(isAscii(bytes) ? "latin1" : "utf8");
}
