import { grpcStatus } from "../transport.ts";

const prefixBytes = 5;

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

/** Bytes that the streams of one connection hold in unfinished messages. */
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
  #body: Uint8Array = new Uint8Array();
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

  /** Takes the next bytes and calls `onMessage` for each message that they complete. Throws `MessageError`. */
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
      const taken = Math.min(this.#bodyLength - this.#bodyFill, chunk.length - offset);
      if (taken > 0) this.#keep(chunk.subarray(offset, offset + taken));
      offset += taken;
      if (this.#bodyFill < this.#bodyLength) return;
      onMessage(this.#take());
    }
  }

  /** Forgets an unfinished message and gives its bytes back to the budget. */
  clear(): void {
    this.#budget.held -= this.#bodyFill;
    this.#body = new Uint8Array();
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
    if (this.#budget.held + bytes.length > this.#budget.max) {
      throw new MessageError(grpcStatus.resourceExhausted, "the connection holds too many unfinished messages");
    }
    const fill = this.#bodyFill + bytes.length;
    if (fill > this.#body.length) {
      // Grows with what arrived, not with what was announced, and never keeps the chunks: each is a window on a larger
      // socket buffer, and a client may send them byte by byte.
      const grown = new Uint8Array(Math.min(this.#bodyLength, Math.max(fill, this.#body.length * 2)));
      grown.set(this.#body.subarray(0, this.#bodyFill));
      this.#body = grown;
    }
    this.#body.set(bytes, this.#bodyFill);
    this.#bodyFill = fill;
    this.#budget.held += bytes.length;
  }

  #take(): Uint8Array {
    const message = this.#body;
    this.clear();
    return message;
  }
}
