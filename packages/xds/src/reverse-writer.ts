const largestUint32 = 0xffff_ffff;

/**
 * Writes a protobuf message from its last byte to its first: whoever writes the head of a nested message then knows its
 * length, so nothing is written twice and nothing is joined. Fields come in the opposite order of their numbers.
 */
export class ReverseWriter {
  #bytes = Buffer.allocUnsafeSlow(16 * 1024);
  /** What is written begins here and goes to the end. */
  #at = this.#bytes.length;

  /** How many bytes are written. */
  get length(): number {
    return this.#bytes.length - this.#at;
  }

  /** Begins a message; what was written before is gone. */
  begin(): void {
    this.#at = this.#bytes.length;
  }

  /** A copy of the message. */
  finish(): Uint8Array {
    return new Uint8Array(this.#bytes.subarray(this.#at));
  }

  /** A field of type uint32, or an enum or an int32 that is not negative. Throws a RangeError for what is none. */
  uint32(field: number, value: number): void {
    if (!Number.isInteger(value) || value < 0 || value > largestUint32)
      throw new RangeError(`field ${field} cannot be ${value}`);
    this.#varint(value);
    this.#varint(field << 3);
  }

  /** A field of type string. */
  string(field: number, value: string): void {
    const before = this.length;
    this.#text(value);
    this.nested(field, before);
  }

  /** Fields that are encoded already. */
  raw(bytes: Uint8Array): void {
    this.#reserve(bytes.length);
    this.#at -= bytes.length;
    this.#bytes.set(bytes, this.#at);
  }

  /** Makes all that was written since there were `before` bytes one nested message in this field. */
  nested(field: number, before: number): void {
    this.#varint(this.length - before);
    this.#varint((field << 3) | 2);
  }

  #text(value: string): void {
    this.#reserve(value.length);
    const end = this.#at;
    for (let at = value.length - 1; at >= 0; at--) {
      const code = value.charCodeAt(at);
      if (code > 0x7f) {
        const size = Buffer.byteLength(value);
        this.#at = end;
        this.#reserve(size);
        this.#at -= size;
        this.#bytes.write(value, this.#at, size, "utf8");
        return;
      }
      this.#bytes[--this.#at] = code;
    }
  }

  #varint(value: number): void {
    if (value < 0x80) {
      this.#reserve(1);
      this.#bytes[--this.#at] = value;
      return;
    }
    let size = 1;
    for (let rest = value >>> 7; rest > 0; rest >>>= 7) size++;
    this.#reserve(size);
    this.#at -= size;
    let rest = value;
    for (let at = 0; at < size; at++, rest >>>= 7)
      this.#bytes[this.#at + at] = (rest & 0x7f) | (at < size - 1 ? 0x80 : 0);
  }

  #reserve(size: number): void {
    if (size <= this.#at) return;
    const { length } = this;
    const bytes = Buffer.allocUnsafeSlow(Math.max(this.#bytes.length * 2, length + size));
    this.#bytes.copy(bytes, bytes.length - length, this.#at);
    this.#bytes = bytes;
    this.#at = bytes.length - length;
  }
}
