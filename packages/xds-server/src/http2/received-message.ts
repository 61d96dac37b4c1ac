/**
 * A whole message as it came: one window on the chunk that brought it, or the pieces that were kept of several chunks. It is
 * put together in the turn in which it is taken: many clients that send large ones at once would hold up the loop otherwise.
 */
export class ReceivedMessage {
  readonly length: number;
  readonly #pieces: readonly Uint8Array[];
  readonly #kept: boolean;

  private constructor(pieces: readonly Uint8Array[], length: number, kept: boolean) {
    this.#pieces = pieces;
    this.length = length;
    this.#kept = kept;
  }

  /** Whoever keeps it keeps all that the window is on. */
  static window(bytes: Uint8Array): ReceivedMessage {
    return new ReceivedMessage([bytes], bytes.length, false);
  }

  /** Pieces that are nobody else's, `length` bytes in all. */
  static kept(pieces: readonly Uint8Array[], length: number): ReceivedMessage {
    return new ReceivedMessage(pieces, length, true);
  }

  /** The same message in memory of its own. */
  toKeep(): ReceivedMessage {
    return this.#kept ? this : ReceivedMessage.kept([new Uint8Array(this.bytes())], this.length);
  }

  /** The message in one piece. */
  bytes(): Uint8Array {
    const [only] = this.#pieces;
    return only !== undefined && this.#pieces.length === 1 ? only : Buffer.concat(this.#pieces, this.length);
  }
}
