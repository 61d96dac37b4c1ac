import { z } from "zod";

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** The longest time for which a person may overrule the registries, in milliseconds. */
export const longestMs = unitMs.d;

/** A time as people write it, `10s`, `1m30s`, `12h`: as text in the document, as milliseconds for the routes. */
export const limitedDuration = z
  .string()
  .regex(/^(?:\d{1,9}(?:ms|s|m|h|d))+$/, 'must be a duration such as "30s", "10m" or "1m30s"')
  .refine((text) => durationMs(text) > 0 && durationMs(text) <= longestMs, "must be more than 0 and at most 24h")
  .meta({ description: "A duration, at most 24h.", examples: ["10m"] })
  .transform(durationMs);

function durationMs(text: string): number {
  let sum = 0;
  for (const [, number = "", unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g))
    sum += Number(number) * unitMs[unit as keyof typeof unitMs];
  return sum;
}
