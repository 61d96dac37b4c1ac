import { mkdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import type { SavedRamp } from "@signalbox/aggregate";
import type { Logger } from "@signalbox/registry";
import { z } from "zod";
import { savedRampsSchema } from "./saved-ramps.ts";

const fileSchema = z.strictObject({ v: z.literal(1), ramps: savedRampsSchema });

/** How far ramps are, kept over restarts. */
export interface RampFile {
  /** What was saved last. A file that cannot be read is ignored with an error in the log. */
  load(): readonly SavedRamp[];
  /** Replaces it as a whole, once for all changes that come together. A failure is logged. */
  save(ramps: () => readonly SavedRamp[]): void;
}

/** Keeps ramps in a file. */
export function createRampFile(path: string, logger: Logger): RampFile {
  let waiting = false;
  const write = (ramps: readonly SavedRamp[]): void => {
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, `${JSON.stringify({ v: 1, ramps }, null, 2)}\n`, { mode: 0o600 });
      renameSync(`${path}.new`, path);
    } catch (error) {
      logger.error("ramps-save-failed", { path, error });
    }
  };
  return {
    load: () => {
      try {
        return fileSchema.parse(JSON.parse(readFileSync(path, "utf8"))).ramps;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== "ENOENT") logger.error("ramps-restore-failed", { path, error });
        return [];
      }
    },
    save: (ramps) => {
      if (waiting) return;
      waiting = true;
      // One rule may be for thousands of services, which all take a step together.
      queueMicrotask(() => {
        waiting = false;
        write(ramps());
      });
    },
  };
}

/** In place of a file where no folder is configured: says once that nothing is kept. */
export function createNoRampFile(logger: Logger): RampFile {
  let told = false;
  return {
    load: () => [],
    save: (ramps) => {
      const [first] = told ? [] : ramps();
      if (first === undefined) return;
      told = true;
      logger.warn("ramps-not-kept", { service: first.service });
    },
  };
}
