import { mkdir, open, readdir, unlink } from "node:fs/promises";

/** One open file. Positions and lengths are in bytes. */
export interface JournalFile {
  size(): Promise<number>;
  /** Reads at most as much as `into` holds; 0 at the end. */
  read(into: Uint8Array, position: number): Promise<number>;
  /** Writes at least one byte, possibly not all, and says how many. */
  write(bytes: Uint8Array, position: number): Promise<number>;
  truncate(length: number): Promise<void>;
  /** Resolves once what was written survives a power cut. */
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** The part of a file system that a journal needs: the seam where tests put a full disk. */
export interface JournalFiles {
  /** Makes the folder and those above it; one that is there already is fine. */
  makeFolder(path: string): Promise<void>;
  /** The names in a folder, in any order. */
  list(folder: string): Promise<readonly string[]>;
  /** `write` opens what is there, `create` makes it, empty, whatever was there. */
  open(path: string, mode: "read" | "write" | "create"): Promise<JournalFile>;
  /** Removes a file; one that is gone already is fine. */
  remove(path: string): Promise<void>;
  /** Resolves once new and removed names survive a power cut. */
  syncFolder(path: string): Promise<void>;
}

const flags = { read: "r", write: "r+", create: "w+" } as const;

/** The machine's own file system. What it makes is readable by its owner only. */
export const nodeFiles: JournalFiles = {
  async makeFolder(path) {
    await mkdir(path, { recursive: true, mode: 0o700 });
  },
  async list(folder) {
    return await readdir(folder);
  },
  async open(path, mode) {
    const handle = await open(path, flags[mode], 0o600);
    return {
      size: async () => (await handle.stat()).size,
      read: async (into, position) => (await handle.read(into, 0, into.length, position)).bytesRead,
      write: async (bytes, position) => (await handle.write(bytes, 0, bytes.length, position)).bytesWritten,
      truncate: async (length) => await handle.truncate(length),
      sync: async () => await handle.datasync(),
      close: async () => await handle.close(),
    };
  },
  async remove(path) {
    try {
      await unlink(path);
    } catch (error) {
      if (!isMissing(error)) throw error;
    }
  },
  async syncFolder(path) {
    // Windows cannot open a folder; its file systems keep names by themselves.
    if (process.platform === "win32") return;
    const handle = await open(path, "r");
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  },
};

/** Whether the system said that there is no such file. */
export function isMissing(error: unknown): boolean {
  return error instanceof Error && "code" in error && error.code === "ENOENT";
}
