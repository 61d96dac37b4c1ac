import { z } from "zod";

const unitMs = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

/** A time as users write it: `10s`, `1m30s`, `12h`, `7d`. */
export const duration = z
  .string()
  .regex(/^(?:\d{1,9}(?:ms|s|m|h|d))+$/, 'must be a duration such as "10s", "1m30s" or "12h"');

/** A duration that is not shorter than another one. */
export function durationFrom(least: string): typeof duration {
  return duration.refine((text) => durationMs(text) >= durationMs(least), `must be at least ${least}`);
}

/** A duration, or `never`. */
export const durationOrNever = z.union([z.literal("never"), duration]);

/** Milliseconds of a checked duration; `never` is `Infinity`. */
export function durationMs(text: string): number {
  if (text === "never") return Number.POSITIVE_INFINITY;
  let sum = 0;
  for (const [, number = "", unit] of text.matchAll(/(\d+)(ms|s|m|h|d)/g)) {
    sum += Number(number) * unitMs[unit as keyof typeof unitMs];
  }
  return sum;
}
