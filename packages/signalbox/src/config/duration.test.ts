import { describe, expect, it } from "vitest";
import { duration, durationMs, durationOrNever } from "./duration.ts";

describe("a duration", () => {
  it.each([
    ["250ms", 250],
    ["10s", 10_000],
    ["1m30s", 90_000],
    ["12h", 43_200_000],
    ["7d", 604_800_000],
    ["never", Number.POSITIVE_INFINITY],
  ])("%s has %d ms", (text, ms) => {
    expect(durationMs(durationOrNever.parse(text))).toBe(ms);
  });

  it.each(["", "5", "m", "5 m", "-5m", "1.5m", "5m!", "forever"])("is not %j", (text) => {
    expect(durationOrNever.safeParse(text).success).toBe(false);
  });

  it("is not never where it must end", () => {
    expect(duration.safeParse("never").success).toBe(false);
  });
});
