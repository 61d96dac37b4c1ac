import { registryId } from "@signalbox/model";
import type { ServiceRecord } from "@signalbox/model";
import fc from "fast-check";
import { expect, it } from "vitest";
import { AddressIndex } from "./address-index.ts";
import { instance, keyOf, service } from "./testing/world.ts";

const [one, two] = [registryId("fake", "one"), registryId("fake", "two")];
const record = (registry: typeof one, name: string, ...ips: readonly string[]): ServiceRecord => ({
  service: service(registry, name),
  instances: ips.map((ip) => instance(registry, ip)),
});

it("says who is at an address, and where somebody came or went", () => {
  const index = new AddressIndex();
  expect(index.update(keyOf("a"), [record(one, "a", "192.0.2.1", "192.0.2.2")])).toEqual(["192.0.2.1", "192.0.2.2"]);
  expect(index.update(keyOf("b"), [record(two, "b", "192.0.2.2")])).toEqual(["192.0.2.2"]);
  expect(index.at("192.0.2.2")).toEqual(
    new Map([
      [keyOf("a"), new Set([one])],
      [keyOf("b"), new Set([two])],
    ]),
  );
  expect(index.update(keyOf("a"), [record(one, "a", "192.0.2.1"), record(two, "a", "192.0.2.1")])).toEqual([
    "192.0.2.2",
    "192.0.2.1",
  ]);
  expect(index.at("192.0.2.1")).toEqual(new Map([[keyOf("a"), new Set([one, two])]]));
  index.update(keyOf("a"), []);
  index.update(keyOf("b"), []);
  expect([index.at("192.0.2.1").size, index.at("192.0.2.2").size, [...index.services()].length]).toEqual([0, 0, 0]);
});

it("is the same after any changes as when it is made anew, and names every address that changed", () => {
  const names = ["a", "b", "c"];
  const ips = ["192.0.2.1", "192.0.2.2", "192.0.2.3", "2001:db8::1"];
  const step = fc.record({
    name: fc.constantFrom(...names),
    ofOne: fc.subarray(ips),
    ofTwo: fc.subarray(ips),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
      const index = new AddressIndex();
      const last = new Map<string, readonly ServiceRecord[]>();
      for (const { name, ofOne, ofTwo } of steps) {
        const records = [record(one, name, ...ofOne), record(two, name, ...ofTwo)];
        const before = ips.map((ip) => new Map(index.at(ip)));
        const changed = index.update(keyOf(name), records);
        ips.forEach((ip, at) => {
          const same = JSON.stringify(flat(before[at] ?? new Map())) === JSON.stringify(flat(index.at(ip)));
          expect(changed.includes(ip)).toBe(!same);
        });
        last.set(name, records);
      }
      const anew = new AddressIndex();
      for (const [name, records] of last) anew.update(keyOf(name), records);
      for (const ip of ips) expect(flat(anew.at(ip))).toEqual(flat(index.at(ip)));
    }),
  );
});

function flat(services: ReturnType<AddressIndex["at"]>) {
  return [...services].map(([key, registries]) => [key, [...registries].sort()]).sort();
}
