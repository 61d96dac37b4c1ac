import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { serviceKey } from "@signalbox/model";
import type { SavedSlowStart } from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";
import { z } from "zod";

/** Endpoints that are not at their full weight, as it is written into files and journals. */
export const savedSlowStartsSchema = z.array(
  z.strictObject({
    service: z.string().transform((key) => {
      const slash = key.indexOf("/");
      return serviceKey({ namespace: key.slice(0, slash), hostname: key.slice(slash + 1) });
    }),
    endpoints: z.array(
      z.strictObject({
        servicePort: z.string(),
        address: z.string(),
        ids: z.array(z.string()),
        since: z.number(),
        leftAt: z.number().exactOptional(),
      }),
    ),
  }),
) satisfies z.ZodType<readonly SavedSlowStart[]>;
const fileSchema = z.strictObject({ v: z.literal(1), slowStarts: savedSlowStartsSchema });

/** Endpoints that are not at their full weight, kept over restarts. */
export interface SlowStartFile {
  /** What was saved last. A file that cannot be read is ignored with an error in the log. */
  load(): readonly SavedSlowStart[];
  /** Replaces it as a whole, once for all changes that come together. A failure is logged. */
  save(slowStarts: () => readonly SavedSlowStart[]): void;
}

/** Keeps slow starts in a file. */
export function createSlowStartFile(path: string, logger: Logger): SlowStartFile {
  let waiting = false;
  const write = (slowStarts: readonly SavedSlowStart[]): void => {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, `${JSON.stringify({ v: 1, slowStarts })}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      logger.error("slow-starts-save-failed", { path, error });
    }
  };
  return {
    load: () => {
      try {
        return fileSchema.parse(JSON.parse(readFileSync(path, "utf8"))).slowStarts;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          logger.error("slow-starts-restore-failed", { path, error });
        return [];
      }
    },
    save: (slowStarts) => {
      if (waiting) return;
      waiting = true;
      queueMicrotask(() => {
        waiting = false;
        write(slowStarts());
      });
    },
  };
}
