import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { setImmediate as turn } from "node:timers/promises";
import type { ArchivedShard, ShardArchive } from "@signalbox/aggregate";
import type { RegistryId } from "@signalbox/model";
import type { Logger } from "@signalbox/registry";
import { decodeShard, encodeShard, ShardFileError } from "./shard-text.ts";

/** Where shards are kept. */
export interface ShardFilesOptions {
  /** Folder of this process alone. Made when it is missing, readable by its owner only. */
  readonly dir: string;
  readonly logger: Logger;
}

/**
 * Keeps each registry's shard in a file of its own. A file is written beside the old one, brought to the disk, and renamed
 * over it: whenever the machine stops, one of the two is there, whole. A file that is damaged, of another registry or of
 * a newer release is logged as `state-file-ignored` and left where it is until the next save; only what the system
 * refuses is an error.
 */
export function createShardFiles({ dir, logger }: ShardFilesOptions): ShardArchive {
  const pathOf = (id: RegistryId): string => join(dir, fileName(id));
  return {
    async load(id) {
      const file = pathOf(id);
      try {
        return await read(id, await readFile(file));
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
        if (!(error instanceof ShardFileError)) throw error;
        logger.error("state-file-ignored", { registry: id, file, fault: error.fault, error });
        return undefined;
      }
    },
    async save(id, shard) {
      await mkdir(dir, { recursive: true, mode: 0o700 });
      const file = pathOf(id);
      await write(`${file}.tmp`, encodeShard(id, shard));
      await rename(`${file}.tmp`, file);
      // Without this the machine may forget the new name when it stops.
      await syncFolder(dir);
    },
  };
}

/** One name for each id, also on file systems that do not tell upper from lower case in what people choose. */
function fileName(id: RegistryId): string {
  const safe = encodeURIComponent(id).replaceAll("~", "%7E").replaceAll("*", "%2A").replaceAll("%2F", "~");
  return `${safe}.shard`;
}

async function read(id: RegistryId, bytes: Buffer): Promise<ArchivedShard> {
  const decoding = decodeShard(id, bytes);
  for (;;) {
    const step = decoding.next();
    if (step.done === true) return step.value;
    await turn();
  }
}

async function write(file: string, pieces: Iterable<string>): Promise<void> {
  const handle = await open(file, "w", 0o600);
  try {
    for (const piece of pieces) await handle.writeFile(piece);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function syncFolder(dir: string): Promise<void> {
  const handle = await open(dir, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
