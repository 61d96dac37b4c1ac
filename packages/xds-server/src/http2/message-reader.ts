import { grpcStatus } from "../transport.ts";
import { ReceivedMessage } from "./received-message.ts";

const prefixBytes = 5;
const noBytes = new Uint8Array(0);

/** Thrown when the bytes of a client are no gRPC message that the server takes. `status` is the gRPC status to end with. */
export class MessageError extends Error {
  readonly code = "SBX_XDS_MESSAGE";
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.name = "MessageError";
    this.status = status;
  }
}

/** Until an eighth of a message has come, what is kept of it is in pieces of so many bytes at most, or as large as what came at once. */
const largestPiece = 64 * 1024;
/** A piece has room for so many times what has come until it is needed. */
const growth = 4;
/** Room for the whole message is taken when so much of it has come: nothing moves later, and it need not be joined. */
const wholeAfter = 1 / 8;

/** Memory that the streams of one connection hold for unfinished messages. */
export interface PartialBudget {
  held: number;
  readonly max: number;
}

/**
 * Cuts a stream of bytes into gRPC messages: one flag byte, four bytes of length (big endian), the message.
 * The length is judged as soon as it is known, so that a message over the limit is never stored.
 * Source: grpc/doc/PROTOCOL-HTTP2.md, "Length-Prefixed-Message".
 */
export class MessageReader {
  readonly #maxBytes: number;
  readonly #budget: PartialBudget;
  readonly #prefix = new Uint8Array(prefixBytes);
  #prefixFill = 0;
  /** What was kept of the body, and how far the last piece of it is filled. */
  #pieces: Uint8Array[] = [];
  #pieceFill = 0;
  /** Room in all pieces. */
  #room = 0;
  #bodyFill = 0;
  #bodyLength = 0;

  constructor(maxBytes: number, budget: PartialBudget) {
    this.#maxBytes = maxBytes;
    this.#budget = budget;
  }

  /** Whether bytes of an unfinished message are held. */
  get partial(): boolean {
    return this.#prefixFill > 0;
  }

  /**
   * Takes the next bytes and calls `onMessage` for each message that they complete. A message that is whole in one chunk is
   * not copied but a window on it. Throws `MessageError`.
   */
  push(chunk: Uint8Array, onMessage: (message: ReceivedMessage) => void): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#prefixFill < prefixBytes) {
        const taken = Math.min(prefixBytes - this.#prefixFill, chunk.length - offset);
        this.#prefix.set(chunk.subarray(offset, offset + taken), this.#prefixFill);
        this.#prefixFill += taken;
        offset += taken;
        if (this.#prefixFill < prefixBytes) return;
        this.#bodyLength = this.#readLength();
      }
      if (this.#bodyFill === 0 && chunk.length - offset >= this.#bodyLength) {
        const message = ReceivedMessage.window(chunk.subarray(offset, offset + this.#bodyLength));
        offset += this.#bodyLength;
        this.#prefixFill = 0;
        onMessage(message);
        continue;
      }
      const taken = Math.min(this.#bodyLength - this.#bodyFill, chunk.length - offset);
      if (taken > 0) this.#keep(chunk.subarray(offset, offset + taken));
      offset += taken;
      if (this.#bodyFill < this.#bodyLength) return;
      onMessage(this.#take());
    }
  }

  /** Forgets an unfinished message and gives its bytes back to the budget. */
  clear(): void {
    this.#budget.held -= this.#room;
    this.#pieces = [];
    this.#pieceFill = 0;
    this.#room = 0;
    this.#bodyFill = 0;
    this.#prefixFill = 0;
  }

  #readLength(): number {
    const flag = this.#prefix[0] ?? 0;
    const length = new DataView(this.#prefix.buffer).getUint32(1);
    if (flag === 1) throw new MessageError(grpcStatus.unimplemented, "compressed messages are not supported");
    if (flag !== 0) throw new MessageError(grpcStatus.internal, `the compressed flag is ${flag}, expected 0 or 1`);
    if (length > this.#maxBytes) {
      throw new MessageError(
        grpcStatus.resourceExhausted,
        `the message has ${length} bytes, the limit is ${this.#maxBytes}`,
      );
    }
    return length;
  }

  #keep(bytes: Uint8Array): void {
    let rest = bytes;
    while (rest.length > 0) {
      const piece = this.#piece(rest.length);
      const taken = rest.subarray(0, piece.length - this.#pieceFill);
      piece.set(taken, this.#pieceFill);
      this.#pieceFill += taken.length;
      this.#bodyFill += taken.length;
      rest = rest.subarray(taken.length);
    }
  }

  /**
   * The piece to fill. Room grows with what arrived, not with what was announced alone, and the chunks are never kept: each is a
   * window on a larger socket buffer, and a client may send them byte by byte.
   */
  #piece(arrived: number): Uint8Array {
    const last = this.#pieces.at(-1);
    if (last !== undefined && this.#pieceFill < last.length) return last;
    const come = this.#bodyFill + arrived;
    if (come >= this.#bodyLength * wholeAfter) return this.#wholePiece();
    const most = Math.max(arrived, Math.min(largestPiece, come * growth));
    const piece = this.#allocate(Math.min(this.#bodyLength - this.#bodyFill, most));
    this.#pieces.push(piece);
    this.#pieceFill = 0;
    return piece;
  }

  /** One piece for all of the body, with what has come of it. */
  #wholePiece(): Uint8Array {
    const whole = this.#allocate(this.#bodyLength, this.#room);
    let offset = 0;
    for (const piece of this.#pieces) {
      whole.set(piece, offset);
      offset += piece.length;
    }
    this.#pieces = [whole];
    this.#pieceFill = this.#bodyFill;
    return whole;
  }

  /** Memory for a piece, where that of `instead` bytes is let go of. */
  #allocate(size: number, instead = 0): Uint8Array {
    if (this.#budget.held - instead + size > this.#budget.max) {
      throw new MessageError(grpcStatus.resourceExhausted, "the connection holds too many unfinished messages");
    }
    this.#budget.held += size - instead;
    this.#room += size - instead;
    // Not cleared first: nothing is read of it beyond what was written.
    return Buffer.allocUnsafeSlow(size);
  }

  #take(): ReceivedMessage {
    // The pieces before it never have room for all of the body.
    const [whole = noBytes] = this.#pieces;
    this.clear();
    return ReceivedMessage.own(whole);
  }
}
