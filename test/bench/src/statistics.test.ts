import { expect, it } from "vitest";
import { slope } from "./statistics.ts";

it.each([
  {
    points: [
      [0, 1],
      [1, 3],
      [2, 5],
    ],
    expected: 2,
  },
  {
    points: [
      [0, 5],
      [10, 5],
    ],
    expected: 0,
  },
  {
    points: [
      [0, 0],
      [1, 2],
      [2, 0],
      [3, 2],
    ],
    expected: 0.4,
  },
] as const)("the line of least squares through $points rises by $expected", ({ points, expected }) => {
  expect(slope(points)).toBeCloseTo(expected);
});

it("there is no slope through points at one place", () => {
  expect(() =>
    slope([
      [1, 2],
      [1, 3],
    ]),
  ).toThrow(RangeError);
});
