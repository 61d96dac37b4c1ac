import { nodeFiles } from "../files.ts";
import type { JournalFile, JournalFiles } from "../files.ts";

/** The machine's file system with a disk that can be full, and a count of what is read. It never waits for the disk. */
export class FaultyFiles implements JournalFiles {
  /** How many more bytes the disk takes. */
  room = Infinity;
  /** Syncs are refused. */
  syncFails = false;
  /** Never more than this in one write. */
  mostPerWrite = Infinity;
  writes = 0;
  bytesRead = 0;
  openFiles = 0;
  /** `sync` and `remove`, in order. */
  readonly events: string[] = [];

  makeFolder(path: string): Promise<void> {
    return nodeFiles.makeFolder(path);
  }

  list(folder: string): Promise<readonly string[]> {
    return nodeFiles.list(folder);
  }

  async open(path: string, mode: "read" | "write" | "create"): Promise<JournalFile> {
    const file = await nodeFiles.open(path, mode);
    this.openFiles++;
    return {
      size: () => file.size(),
      read: async (into, position) => {
        const bytes = await file.read(into, position);
        this.bytesRead += bytes;
        return bytes;
      },
      write: async (bytes, position) => {
        this.writes++;
        const most = Math.min(bytes.length, this.room, this.mostPerWrite);
        if (most === 0) throw Object.assign(new Error("no space left on device"), { code: "ENOSPC" });
        const written = await file.write(bytes.subarray(0, most), position);
        this.room -= written;
        return written;
      },
      truncate: (length) => file.truncate(length),
      sync: async () => {
        await Promise.resolve();
        if (this.syncFails) throw Object.assign(new Error("input/output error"), { code: "EIO" });
        this.events.push("sync");
      },
      close: async () => {
        this.openFiles--;
        await file.close();
      },
    };
  }

  async remove(path: string): Promise<void> {
    this.events.push("remove");
    await nodeFiles.remove(path);
  }

  async syncFolder(): Promise<void> {}
}
