import { readFile, stat } from "node:fs/promises";

/** Milliseconds between two looks at a file. */
export const lookEveryMs = 1000;

/** A file that may be replaced at any time: in place, by rename, or by a swapped symbolic link. */
export class FollowedFile {
  readonly path: string;
  #content: Buffer | undefined;
  #signature = "";
  #lookedAt = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;
  #failure: unknown;

  constructor(path: string) {
    this.path = path;
  }

  /**
   * The content as of at most one second ago; with `now`, as of now. Of a file that cannot be read any more the last
   * content, with the reason. Throws what reading threw while there never was any.
   */
  async read(now: boolean): Promise<{ readonly content: Buffer; readonly failure?: unknown }> {
    if (this.#looking === undefined && (now || performance.now() - this.#lookedAt >= lookEveryMs)) {
      this.#looking = this.#look(now).finally(() => (this.#looking = undefined));
    }
    await this.#looking;
    if (this.#content === undefined) throw this.#failure;
    return this.#failure === undefined
      ? { content: this.#content }
      : { content: this.#content, failure: this.#failure };
  }

  async #look(always: boolean): Promise<void> {
    this.#lookedAt = performance.now();
    try {
      const { dev, ino, size, mtimeNs, ctimeNs } = await stat(this.path, { bigint: true });
      const signature = [dev, ino, size, mtimeNs, ctimeNs].join(":");
      if (always || signature !== this.#signature || this.#content === undefined) {
        this.#content = await readFile(this.path);
        // Of the state before the read: what was written meanwhile is seen at the next look.
        this.#signature = signature;
      }
      this.#failure = undefined;
    } catch (error) {
      this.#failure = error;
      this.#signature = "";
      // What was never read is looked at again by the next request.
      if (this.#content === undefined) this.#lookedAt = Number.NEGATIVE_INFINITY;
    }
  }
}

/** Why a file cannot be read, without its content. */
export function fileReason(path: string, error: unknown): string {
  const { code } = error as NodeJS.ErrnoException;
  return `${path} cannot be read${typeof code === "string" ? ` (${code})` : ""}`;
}
