/** A reply has another shape than Redis gives it. */
function misshapen(what: string): never {
  throw new TypeError(`the server's answer is no ${what}`);
}

/** The reply as an array. */
export function arrayOf(reply: unknown, what: string): readonly unknown[] {
  return Array.isArray(reply) ? (reply as readonly unknown[]) : misshapen(what);
}

/** The reply as bytes. */
export function bytesOf(reply: unknown, what: string): Uint8Array {
  return reply instanceof Uint8Array ? reply : misshapen(what);
}

/** The reply as text. */
export function textOf(reply: unknown, what: string): string {
  if (typeof reply === "string") return reply;
  return Buffer.from(bytesOf(reply, what)).toString();
}

/** One entry of a stream that has one field. */
export interface StreamEntry {
  readonly id: string;
  readonly value: Uint8Array;
}

/** The entries of a range of a stream. */
export function entriesOf(reply: unknown): readonly StreamEntry[] {
  return arrayOf(reply, "range").map((entry) => {
    const [id, fields] = arrayOf(entry, "entry");
    return { id: textOf(id, "id"), value: bytesOf(arrayOf(fields, "entry")[1], "value") };
  });
}

/** The entries of the only stream in the reply to XREAD; empty when it waited in vain. */
export function readEntriesOf(reply: unknown): readonly StreamEntry[] {
  if (reply === null) return [];
  const [stream] = arrayOf(reply, "list of streams");
  return entriesOf(arrayOf(stream, "stream")[1]);
}

/** One field of the reply to XINFO STREAM. */
export function infoField(reply: unknown, name: string): unknown {
  const fields = arrayOf(reply, "list of fields");
  for (let at = 0; at < fields.length; at += 2) if (textOf(fields[at], "field") === name) return fields[at + 1];
  return misshapen(`stream with ${name}`);
}
