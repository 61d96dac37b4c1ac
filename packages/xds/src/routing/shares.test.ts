import { describe, expect, it } from "vitest";
import { shares } from "./shares.ts";

const largest = 0x7fff_ffff;

describe("shares", () => {
  it.each([
    ["are the weights", [75, 25], [75, 25]],
    ["need not come to a hundred", [1, 2, 4], [1, 2, 4]],
    ["leave out what has no weight", [0, 5, -3], [5]],
    ["of nothing are none", [0, 0], []],
    ["as large as Envoy takes stay as they are", [largest, largest, 1], [largest, largest, 1]],
    [
      "that are too large together become smaller, and none becomes nothing",
      [largest, largest, largest, 1],
      [715_827_882, 715_827_882, 715_827_882, 1],
    ],
  ])("%s", (_, weights, expected) => {
    expect(shares(weights.map((weight) => ({ weight }))).map(([, share]) => share)).toEqual(expected);
  });
});
