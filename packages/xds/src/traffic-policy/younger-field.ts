import { WireType } from "@bufbuild/protobuf/wire";

/** A field as messages keep those that their schema does not know. */
export interface YoungerField {
  readonly no: number;
  readonly wireType: WireType;
  readonly data: Uint8Array;
}

/** A field with a message in it which is younger than the published protobuf files that our messages are made of: `bytes` are the message's. */
export function youngerField(no: number, bytes: Uint8Array): YoungerField {
  return { no, wireType: WireType.LengthDelimited, data: delimited(bytes) };
}

/** The bytes of a message that has one field with a message in it. `no` is below 16. */
export function wrapped(no: number, bytes: Uint8Array): Uint8Array {
  return Buffer.concat([Uint8Array.of((no << 3) | WireType.LengthDelimited), delimited(bytes)]);
}

function delimited(bytes: Uint8Array): Uint8Array {
  return Buffer.concat([varint(bytes.length), bytes]);
}

function varint(value: number): Uint8Array {
  const bytes: number[] = [];
  let rest = value;
  for (; rest > 0x7f; rest >>>= 7) bytes.push((rest & 0x7f) | 0x80);
  return Uint8Array.from([...bytes, rest]);
}
