import { describe, expect, it } from "vitest";
import { RecentObjects } from "./recent-objects.ts";

describe("recent objects", () => {
  it("knows the last 100,000 that were added, and forgets what came long before", () => {
    const recent = new RecentObjects();
    const objects = Array.from({ length: 300_000 }, (_, at) => ({ at }));
    for (const object of objects) recent.add(object);
    expect(objects.slice(-100_000).every((object) => recent.has(object))).toBe(true);
    expect(objects.slice(0, 100_000).some((object) => recent.has(object))).toBe(false);
    expect(recent.has({ at: 299_999 })).toBe(false);
  });
});
