import { z } from "zod";

/** How many items an answer may have: 100 where nothing is said, 1000 at most. */
export const limit = z
  .string()
  .regex(/^\d{1,9}$/, "must be a whole number from 1 to 1000")
  .transform(Number)
  .pipe(z.int().min(1, "must be at least 1").max(1000, "must be at most 1000"))
  .default(100)
  .meta({ description: "How many items at most." });

/** Where a page begins: after this. */
export const after = z.string().max(2000).optional().meta({ description: "`next` of the page before." });

/** A service as a person names it. */
export const serviceName = z.string().min(1).max(600).meta({
  description: "Key `namespace/hostname`, hostname, or the first labels of a hostname where only one service has them.",
});

/** A registry by id or pattern. */
export const registryPattern = z
  .string()
  .max(300)
  .meta({
    description: "Id of a registry, or a pattern with `*`.",
    examples: ["eureka/*"],
  });

/** A point in time: RFC 3339 or epoch milliseconds. */
export const time = z
  .string()
  .refine(
    (text) => /^\d{1,15}$/.test(text) || (/^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text))),
    "must be a time such as 2026-01-31T12:00:00Z, or epoch milliseconds",
  )
  .meta({ description: "RFC 3339, or epoch milliseconds.", examples: ["2026-01-31T12:00:00Z"] })
  .transform((text) => (/^\d+$/.test(text) ? Number(text) : Date.parse(text)));

/** One line that people write and other people read in a terminal. */
const line = (most: number, description: string) =>
  z
    .string()
    .trim()
    .min(1, "must not be empty")
    .max(most)
    .regex(/^\P{Cc}*$/u, "must not hold control characters")
    .meta({ description });

/** Who does it. */
export const author = line(200, "Who does it.");

/** Why. */
export const reason = line(1000, "Why.");
