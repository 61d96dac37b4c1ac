import { grpcStatus } from "../transport.ts";

const prefixBytes = 5;
const noBytes = new Uint8Array();

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

/** Of a message that is so small the rest has room as soon as a frame of it came, so that it moves once. */
const smallMessage = 64 * 1024;
/** Of what HTTP/2 frames carry. Source: RFC 9113, 6.5.2, SETTINGS_MAX_FRAME_SIZE, whose least is what clients use. */
const frameBytes = 16 * 1024;

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
  #body: Uint8Array = noBytes;
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
   * not copied but a window on it: whoever keeps the message keeps the chunk. Throws `MessageError`.
   */
  push(chunk: Uint8Array, onMessage: (bytes: Uint8Array) => void): void {
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
        const message = chunk.subarray(offset, offset + this.#bodyLength);
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
    this.#budget.held -= this.#body.length;
    this.#body = noBytes;
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
    const fill = this.#bodyFill + bytes.length;
    if (fill > this.#body.length) this.#grow(fill);
    this.#body.set(bytes, this.#bodyFill);
    this.#bodyFill = fill;
  }

  /**
   * Grows with what arrived, not with what was announced, and never keeps the chunks: each is a window on a larger socket
   * buffer, and a client may send them byte by byte.
   */
  #grow(fill: number): void {
    const room = this.#body.length >= frameBytes ? smallMessage : 0;
    const size = Math.min(this.#bodyLength, Math.max(fill, this.#body.length * 2, room));
    if (this.#budget.held + size - this.#body.length > this.#budget.max) {
      throw new MessageError(grpcStatus.resourceExhausted, "the connection holds too many unfinished messages");
    }
    // Not cleared first: nothing is read of it beyond what was written.
    const grown = Buffer.allocUnsafeSlow(size);
    grown.set(this.#body.subarray(0, this.#bodyFill));
    this.#budget.held += size - this.#body.length;
    this.#body = grown;
  }

  #take(): Uint8Array {
    const message = this.#body;
    this.clear();
    return message;
  }
}
