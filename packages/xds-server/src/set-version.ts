import { hash } from "node:crypto";

/** What `SetVersion` counts: a name and the version of its content. */
export interface Versioned {
  readonly name: string;
  readonly version: string;
}

const lanes = 4;
const digests = new WeakMap<Versioned, Uint32Array>();

function digestOf(item: Versioned): Uint32Array {
  let digest = digests.get(item);
  if (digest === undefined) {
    const bytes = hash("sha256", `${item.name}\0${item.version}`, "buffer");
    digest = new Uint32Array(lanes);
    for (let lane = 0; lane < lanes; lane++) digest[lane] = bytes.readUInt32BE(lane * 4);
    digests.set(item, digest);
  }
  return digest;
}

/**
 * Version of a set of named contents: the sum, modulo 2^128, of SHA-256(name NUL version) cut to 128 bits. The sum does
 * not depend on the order of the calls, costs the same for every change, and is equal in every process that holds the
 * same set. It guards against accident, not against someone who can choose the contents. Adding an item twice or
 * removing an absent one gives the version of no set: the caller keeps the set.
 */
export class SetVersion {
  readonly #sum = new Uint32Array(lanes);
  #text: string | undefined;

  /** Counts one item in. The digest is cached by object, so hand in the same object again where there is one. */
  add(item: Versioned): this {
    const digest = digestOf(item);
    let carry = 0;
    for (let lane = lanes - 1; lane >= 0; lane--) {
      const sum = (this.#sum[lane] ?? 0) + (digest[lane] ?? 0) + carry;
      this.#sum[lane] = sum;
      carry = sum > 0xffff_ffff ? 1 : 0;
    }
    this.#text = undefined;
    return this;
  }

  /** Counts one item out. */
  remove(item: Versioned): this {
    const digest = digestOf(item);
    let borrow = 0;
    for (let lane = lanes - 1; lane >= 0; lane--) {
      const difference = (this.#sum[lane] ?? 0) - (digest[lane] ?? 0) - borrow;
      this.#sum[lane] = difference;
      borrow = difference < 0 ? 1 : 0;
    }
    this.#text = undefined;
    return this;
  }

  /** Counts `before` out and `after` in, where given. */
  replace(before: Versioned | undefined, after: Versioned | undefined): this {
    if (before !== undefined) this.remove(before);
    if (after !== undefined) this.add(after);
    return this;
  }

  /** An independent copy. */
  copy(): SetVersion {
    const copy = new SetVersion();
    copy.#sum.set(this.#sum);
    copy.#text = this.#text;
    return copy;
  }

  /** The version as text: 22 characters of base64url. The empty set has one too: `AAAAAAAAAAAAAAAAAAAAAA`. */
  toString(): string {
    if (this.#text === undefined) {
      const bytes = Buffer.allocUnsafe(lanes * 4);
      for (let lane = 0; lane < lanes; lane++) bytes.writeUInt32BE(this.#sum[lane] ?? 0, lane * 4);
      this.#text = bytes.toString("base64url");
    }
    return this.#text;
  }

  /** The version of a whole set. */
  static of(items: Iterable<Versioned>): SetVersion {
    const version = new SetVersion();
    for (const item of items) version.add(item);
    return version;
  }
}
