import { expect, it } from "vitest";
import { lagRemarks } from "./pace.ts";

it.each<[string, number, number]>([
  ["kept up", 3600, 3600],
  ["was a little late at the end", 3600, 3700],
  ["was ahead of what it can be", 3600, 3599],
])("nothing is said of a machine that %s", (_, asked, passed) => {
  expect(lagRemarks(asked, passed, 100)).toEqual([]);
});

it("a machine that fell behind is said to have made fewer changes a second", () => {
  const [remark] = lagRemarks(3600, 5400, 100);
  expect(remark).toBe(
    "The machine fell behind: changes for 60.0 minutes took 90.0 minutes of the product's clock, 67 a second rather than 100.",
  );
});
