import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AddressMap, AddressSet } from "./address-map.ts";

const address = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 2 }));
const step = fc.record({ address, value: fc.option(fc.nat()) });

describe("AddressMap and AddressSet", () => {
  it("hold what a Map and a Set hold", () => {
    fc.assert(
      fc.property(fc.array(step), fc.array(address), (steps, others) => {
        const [map, plain] = [new AddressMap<number>(), new Map<string, number>()];
        const [set, plainSet] = [new AddressSet(), new Set<string>()];
        for (const { address, value } of steps) {
          if (value === null) {
            map.delete(address);
            plain.delete(address);
          } else {
            map.set(address, value);
            plain.set(address, value);
            set.add(address);
            plainSet.add(address);
          }
        }
        for (const one of [...steps.map(({ address }) => address), ...others]) {
          expect(map.get(one)).toBe(plain.get(one));
          expect(set.has(one)).toBe(plainSet.has(one));
        }
      }),
    );
  });
});
