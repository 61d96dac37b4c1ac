/** The client sent something that is not the message it should be. Thrown by the readers in this folder; ends the stream. */
export class MalformedRequestError extends Error {
  readonly code = "SBX_XDS_MALFORMED";
  override readonly name = "MalformedRequestError";
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Text of a string field. */
export function readText(bytes: Uint8Array, start: number, end: number): string {
  try {
    return utf8.decode(bytes.subarray(start, end));
  } catch (cause) {
    throw new MalformedRequestError("a string is not UTF-8", { cause });
  }
}

/** Walks the fields of one protobuf message without decoding them. Source: protobuf's encoding specification. */
export class WireReader {
  readonly bytes: Uint8Array;
  readonly #end: number;
  #position: number;
  /** Field number. */
  field = 0;
  wireType = 0;
  /** Where the field's tag begins. */
  tagStart = 0;
  /** Where the content begins (after the length, where there is one). */
  start = 0;
  /** First byte after the content. */
  end = 0;

  constructor(bytes: Uint8Array, start = 0, end = bytes.length) {
    this.bytes = bytes;
    this.#position = start;
    this.#end = end;
  }

  /** Moves to the next field; false at the end of the message. Thrown when malformed: MalformedRequestError. */
  next(): boolean {
    if (this.#position >= this.#end) return false;
    this.tagStart = this.#position;
    const tag = this.#varint();
    this.field = tag >>> 3;
    this.wireType = tag & 7;
    if (this.field === 0) throw new MalformedRequestError("field number 0");
    switch (this.wireType) {
      case 0:
        this.start = this.#position;
        this.#varint();
        this.end = this.#position;
        break;
      case 1:
        this.#take(8);
        break;
      case 2:
        this.#take(this.#varint());
        break;
      case 5:
        this.#take(4);
        break;
      default:
        throw new MalformedRequestError(`wire type ${this.wireType}`);
    }
    return true;
  }

  /** Goes on at `position`, which must be where a field of this message begins or ends. */
  skipTo(position: number): void {
    this.#position = position;
  }

  /** Text of the current field. */
  text(): string {
    this.#expectLength();
    return readText(this.bytes, this.start, this.end);
  }

  /** Content of the current field, which must be a string, bytes or a message. */
  content(): Uint8Array {
    this.#expectLength();
    return this.bytes.subarray(this.start, this.end);
  }

  /** Value of the current varint field, cut to 32 bits. */
  number(): number {
    let value = 0;
    for (let at = this.start, shift = 0; at < this.end && shift < 32; at++, shift += 7) {
      value |= ((this.bytes[at] ?? 0) & 0x7f) << shift;
    }
    return value >>> 0;
  }

  #expectLength(): void {
    if (this.wireType !== 2) throw new MalformedRequestError(`field ${this.field} has wire type ${this.wireType}`);
  }

  #take(length: number): void {
    this.start = this.#position;
    this.end = this.#position + length;
    if (this.end > this.#end) throw new MalformedRequestError("a field runs over the end of its message");
    this.#position = this.end;
  }

  #varint(): number {
    let value = 0;
    for (let shift = 0; shift < 70; shift += 7) {
      if (this.#position >= this.#end) throw new MalformedRequestError("a number runs over the end of its message");
      const byte = this.bytes[this.#position++] ?? 0;
      if (shift < 32) value += (byte & 0x7f) * 2 ** shift;
      if (byte < 0x80) return value;
    }
    throw new MalformedRequestError("a number is too long");
  }
}
