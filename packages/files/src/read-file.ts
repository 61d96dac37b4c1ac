import { isAscii } from "node:buffer";
import { createHash, webcrypto } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { entryOf, type Entry } from "./directory.ts";

/** The text of one file, whole. */
export interface SourceFile {
  /** Absolute. */
  readonly path: string;
  readonly text: string;
  /** SHA-256 of the bytes, in hexadecimal. Equal hash, equal text. */
  readonly hash: string;
}

/** Why a path cannot be read now. What was read from it before is still in force. */
export interface ReadFailure {
  /** The file or directory; absolute. */
  readonly path: string;
  /** `ENOENT`, `EACCES` and other codes of the system, or `TOO_LARGE`, `NOT_UTF8`, `NOT_A_DIRECTORY`, `TORN`. */
  readonly code: string;
  readonly message: string;
}

/** What came of reading one file. `torn`: somebody wrote meanwhile, look again. `lasting`: the same bytes will always fail. */
export type ReadResult =
  | { readonly type: "read"; readonly file: SourceFile; readonly entry: Entry }
  | { readonly type: "torn" }
  | { readonly type: "failed"; readonly failure: ReadFailure; readonly lasting: boolean };

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** Reads a file between two looks at it, so that a text is never half old and half new. */
export async function readWhole(path: string, maxBytes: number): Promise<ReadResult> {
  try {
    const before = entryOf(await stat(path, { bigint: true }));
    if (before?.type !== "file") return { type: "torn" };
    if (before.size > maxBytes) {
      const message = `the file has ${before.size} bytes, at most ${maxBytes} are read`;
      return { type: "failed", failure: { path, code: "TOO_LARGE", message }, lasting: true };
    }
    const bytes = await readFile(path);
    const after = entryOf(await stat(path, { bigint: true }));
    if (after?.signature !== before.signature) return { type: "torn" };
    const hash = await hashOf(bytes);
    const text = decode(bytes);
    if (text === undefined) {
      return {
        type: "failed",
        failure: { path, code: "NOT_UTF8", message: "the file is not UTF-8 text" },
        lasting: true,
      };
    }
    return { type: "read", file: { path, text, hash }, entry: after };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return { type: "torn" };
    return { type: "failed", failure: failureOf(path, error), lasting: false };
  }
}

/** Says why the system refused a path. */
export function failureOf(path: string, error: unknown): ReadFailure {
  const { code = "UNKNOWN", message } = error as NodeJS.ErrnoException;
  return { path, code, message };
}

/** So many bytes are hashed here, in a millisecond; more of them elsewhere, so that nobody waits meanwhile. */
const hashedHere = 256 * 1024;

async function hashOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  if (bytes.length <= hashedHere) return createHash("sha256").update(bytes).digest("hex");
  return Buffer.from(await webcrypto.subtle.digest("SHA-256", bytes)).toString("hex");
}

function decode(bytes: Buffer): string | undefined {
  // ASCII is the same in both, and this is as fast as copying.
  if (isAscii(bytes)) return bytes.toString("latin1");
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}
