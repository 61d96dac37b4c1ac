import { expect, it } from "vitest";
import { addressOf, churnAddress } from "./addresses.ts";

it("gives every endpoint of the largest mesh an address of its own, and never one of a churn", () => {
  const found = new Set<string>();
  for (let service = 0; service < 10_000; service++)
    for (let endpoint = 0; endpoint < 10; endpoint++) found.add(addressOf(service, endpoint, 10));
  expect(found.size).toBe(100_000);
  expect([...found].filter((address) => !address.startsWith("10."))).toEqual([]);
});

it.each([
  [0, "11.0.0.0"],
  [255, "11.0.0.255"],
  [256, "11.0.1.0"],
  [65_537, "11.1.0.1"],
])("writes the number of change %i into the address %s", (change, address) => {
  expect(churnAddress(change)).toBe(address);
});
