import type { SavedRamp } from "@signalbox/aggregate";
import { serviceKey } from "@signalbox/model";
import { z } from "zod";

const count = z.int().min(0);

/** How far ramps are, as it is written into files and journals. */
export const savedRampsSchema = z.array(
  z.strictObject({
    service: z.string().transform((key) => {
      const slash = key.indexOf("/");
      return serviceKey({ namespace: key.slice(0, slash), hostname: key.slice(slash + 1) });
    }),
    shares: z.array(z.strictObject({ registry: z.string(), weight: z.number().min(0) })),
    state: z.strictObject({
      step: count,
      enteredAt: z.number(),
      heldSince: z.number().exactOptional(),
      rolledBack: z.strictObject({ from: count, at: z.number() }).exactOptional(),
    }),
  }),
) satisfies z.ZodType<readonly SavedRamp[]>;
