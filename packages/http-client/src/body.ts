import { pipeline } from "node:stream";
import type { Readable } from "node:stream";
import { createGunzip } from "node:zlib";
import { after } from "./deadline.ts";
import { HttpError } from "./http-error.ts";

/** How a body may be read. */
export interface BodyOptions {
  /** Without its query. */
  readonly url: string;
  /** The `content-encoding`, in lower case; empty for none. */
  readonly coding: string;
  readonly idleMs: number;
  readonly maxBytes: number;
  /** Classes what the connection, the parser or the decompressor threw. */
  readonly failed: (thrown: unknown) => HttpError;
}

/** A body that arrives; it is read once. */
export class Body {
  readonly #raw: Readable;
  readonly #options: BodyOptions;
  #taken = false;

  constructor(raw: Readable, options: BodyOptions) {
    this.#raw = raw;
    this.#options = options;
  }

  async text(): Promise<string> {
    const { maxBytes } = this.#options;
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of this.#chunks()) {
      bytes += chunk.length;
      if (bytes > maxBytes) throw this.#error("TOO_LARGE", `the body has more than ${maxBytes} bytes`);
      chunks.push(chunk);
    }
    return new TextDecoder().decode(Buffer.concat(chunks));
  }

  async *lines(): AsyncGenerator<string, void, void> {
    const { maxBytes } = this.#options;
    const line: Buffer[] = [];
    let bytes = 0;
    const add = (part: Buffer): void => {
      bytes += part.length;
      if (bytes > maxBytes) throw this.#error("TOO_LARGE", `a line has more than ${maxBytes} bytes`);
      line.push(part);
    };
    for await (const chunk of this.#chunks()) {
      let start = 0;
      for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
        add(chunk.subarray(start, end));
        start = end + 1;
        const text = Buffer.concat(line).toString("utf8");
        line.length = 0;
        bytes = 0;
        yield text.endsWith("\r") ? text.slice(0, -1) : text;
      }
      if (start < chunk.length) add(chunk.subarray(start));
    }
    if (line.length > 0) throw this.#error("CUT", "the body ended within a line");
  }

  drop(): void {
    this.#taken = true;
    this.#raw.destroy();
  }

  async *#chunks(): AsyncGenerator<Buffer, void, void> {
    if (this.#taken) throw new TypeError("the body was read or dropped before");
    this.#taken = true;
    const { idleMs, failed } = this.#options;
    const stream = this.#decoded();
    const iterator = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer, undefined>;
    try {
      for (;;) {
        // Runs only while the reader waits: who reads slowly is not cut off.
        const calm = after(idleMs, () => stream.destroy(this.#error("IDLE", `the body was silent for ${idleMs} ms`)));
        const { done, value } = await iterator.next().finally(calm);
        if (done === true) return;
        yield value;
      }
    } catch (thrown) {
      throw failed(thrown);
    } finally {
      stream.destroy();
      this.#raw.destroy();
    }
  }

  #decoded(): Readable {
    const { coding } = this.#options;
    if (coding === "" || coding === "identity") return this.#raw;
    if (coding !== "gzip" && coding !== "x-gzip") {
      this.#raw.destroy();
      throw this.#error("ENCODING", `the body is encoded with ${JSON.stringify(coding)}, which was not asked for`);
    }
    // An error of either end reaches whoever reads the other one.
    return pipeline(this.#raw, createGunzip(), () => {});
  }

  #error(failure: "CUT" | "ENCODING" | "IDLE" | "TOO_LARGE", message: string): HttpError {
    return new HttpError(failure, this.#options.url, message);
  }
}
