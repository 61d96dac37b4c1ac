import { describe, expect, it } from "vitest";
import { AddressRanges, InvalidCidrError } from "./address-ranges.ts";
import { east } from "./testing/world.ts";

describe("ranges of addresses", () => {
  const ranges = new AddressRanges();
  for (const cidr of ["10.0.0.0/16", "192.0.2.5/32", "2001:db8::/64"]) ranges.add(east, cidr);

  it.each([
    ["10.0.255.255", true],
    ["10.1.0.0", false],
    ["192.0.2.5", true],
    ["192.0.2.6", false],
    ["2001:db8::ffff", true],
    ["2001:DB8:0::1", true],
    ["2001:db8:0:1::", false],
    // Not the spelling by which a workload is known.
    ["::ffff:10.0.0.1", false],
    ["fe80::1%eth0", false],
    ["db.test", false],
    ["", false],
  ])("say of %s: %s", (ip, expected) => {
    expect(ranges.has(ip)).toBe(expected);
  });

  it("of all addresses of IPv6 have none of IPv4", () => {
    const all = new AddressRanges();
    all.add(east, "::/0");
    expect([all.has("2001:db8::1"), all.has("10.0.0.1")]).toEqual([true, false]);
  });

  it.each(["10.0.0.0", "10.0.0.0/33", "10.0.0/8", "2001:db8::/129", "fe80::%eth0/64", "pods/16", "10.0.0.0/08", ""])(
    "refuse %j and name it",
    (cidr) => {
      const add = () => {
        new AddressRanges().add(east, cidr);
      };
      expect(add).toThrow(InvalidCidrError);
      expect(add).toThrow(expect.objectContaining({ code: "SBX_DRIFT_CIDR_INVALID", registry: east, cidr }));
      expect(add).toThrow(`"${cidr}" of cluster/east`);
    },
  );
});
