/** So many runs that begin with the same field are found; of more, the last ones. */
const maxAlike = 8;

interface Run {
  readonly run: Uint8Array;
}

/**
 * Finds runs of length-delimited fields again by their bytes, without walking or hashing them: by their first field, then by
 * comparison. It may miss one, and what it finds is equal byte by byte, so that nobody can make two runs look like one.
 */
export class RunIndex<T extends Run> {
  /** By the bytes of the first field, oldest first. */
  readonly #alike = new Map<string, readonly T[]>();

  /** The longest run that `bytes` continue with at `start`. */
  find(bytes: Uint8Array, start: number): T | undefined {
    const first = firstField(bytes, start);
    const alike = first === undefined ? undefined : this.#alike.get(first);
    let longest: T | undefined;
    for (const one of alike ?? []) {
      if (one.run.length > (longest?.run.length ?? 0) && continuesWith(bytes, start, one.run)) longest = one;
    }
    return longest;
  }

  add(added: T): void {
    const first = firstField(added.run, 0);
    if (first === undefined) return;
    this.#alike.set(first, [...(this.#alike.get(first) ?? []), added].slice(-maxAlike));
  }

  delete(gone: T): void {
    const first = firstField(gone.run, 0);
    if (first === undefined) return;
    const left = (this.#alike.get(first) ?? []).filter((run) => run !== gone);
    if (left.length === 0) this.#alike.delete(first);
    else this.#alike.set(first, left);
  }
}

/** Tag, length and content as text; `undefined` when it is no short length-delimited field of a small number. */
function firstField(bytes: Uint8Array, start: number): string | undefined {
  const tag = bytes[start] ?? 0;
  const low = bytes[start + 1] ?? 0;
  const high = low < 0x80 ? 0 : (bytes[start + 2] ?? 0);
  if ((tag & 0x87) !== 2 || high >= 0x80) return undefined;
  const header = low < 0x80 ? 2 : 3;
  const end = start + header + (low & 0x7f) + high * 0x80;
  return end > bytes.length
    ? undefined
    : Buffer.from(bytes.buffer, bytes.byteOffset + start, end - start).toString("latin1");
}

function continuesWith(bytes: Uint8Array, start: number, run: Uint8Array): boolean {
  if (bytes.length - start < run.length) return false;
  return Buffer.compare(bytes.subarray(start, start + run.length), run) === 0;
}
