import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { serviceKey } from "@signalbox/model";
import type { Override } from "@signalbox/policy";
import type { Logger } from "@signalbox/registry";
import { z } from "zod";

const overrideSchema = z.strictObject({
  id: z.string().min(1),
  service: z.string().transform((key) => {
    const slash = key.indexOf("/");
    return serviceKey({ namespace: key.slice(0, slash), hostname: key.slice(slash + 1) });
  }),
  address: z.string().min(1),
  action: z.discriminatedUnion("type", [
    z.strictObject({ type: z.literal("hold") }),
    z.strictObject({ type: z.literal("drain") }),
    z.strictObject({ type: z.literal("weight"), weight: z.int().min(0) }),
  ]),
  author: z.string(),
  reason: z.string(),
  since: z.number(),
  until: z.number(),
});
const fileSchema = z.strictObject({ v: z.literal(1), overrides: z.array(overrideSchema) });

/** People's overrides, kept over restarts. */
export interface OverrideFile {
  /** What was saved last. A file that cannot be read is ignored with an error in the log. */
  load(): readonly Override[];
  /** Replaces it as a whole. They are few and seldom change. A failure is logged. */
  save(overrides: readonly Override[]): void;
}

/** Keeps overrides in a file. */
export function createOverrideFile(path: string, logger: Logger): OverrideFile {
  return {
    load: () => {
      try {
        return fileSchema.parse(JSON.parse(readFileSync(path, "utf8"))).overrides;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT")
          logger.error("overrides-restore-failed", { path, error });
        return [];
      }
    },
    save: (overrides) => {
      try {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(`${path}.new`, `${JSON.stringify({ v: 1, overrides }, null, 2)}\n`, { mode: 0o600 });
        renameSync(`${path}.new`, path);
      } catch (error) {
        logger.error("overrides-save-failed", { path, error });
      }
    },
  };
}
