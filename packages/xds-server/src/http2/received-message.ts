/** A whole message as it came: a window on the chunk that brought it, or an array of its own. */
export class ReceivedMessage {
  readonly bytes: Uint8Array;
  readonly #own: boolean;

  private constructor(bytes: Uint8Array, own: boolean) {
    this.bytes = bytes;
    this.#own = own;
  }

  /** Whoever keeps it keeps all that the window is on. */
  static window(bytes: Uint8Array): ReceivedMessage {
    return new ReceivedMessage(bytes, false);
  }

  /** An array that is nobody else's. */
  static own(bytes: Uint8Array): ReceivedMessage {
    return new ReceivedMessage(bytes, true);
  }

  /** The same message in memory of its own. */
  toKeep(): ReceivedMessage {
    return this.#own ? this : ReceivedMessage.own(new Uint8Array(this.bytes));
  }
}
