import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalIp, isCidr, isHostname, isIpAddress } from "./address.ts";

describe("canonicalIp", () => {
  it.each([
    ["2001:DB8:0:0:0:0:0:1", "2001:db8::1"],
    ["2001:0db8::0001", "2001:db8::1"],
    ["::", "::"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:0:2:0:0:3:4", "1::2:0:0:3:4"],
    ["::ffff:10.0.0.1", "::ffff:a00:1"],
    ["fe80::0:1%eth0", "fe80::1%eth0"],
    ["10.0.0.1", "10.0.0.1"],
    ["not:an:ip", "not:an:ip"],
    ["", ""],
  ])("writes %s as %s", (ip, canonical) => {
    expect(canonicalIp(ip)).toBe(canonical);
  });

  it("agrees with the URL standard and is its own fixed point", () => {
    fc.assert(
      fc.property(fc.ipV6(), (ip) => {
        expect(`[${canonicalIp(ip)}]`).toBe(new URL(`http://[${ip}]/`).hostname);
        expect(canonicalIp(canonicalIp(ip))).toBe(canonicalIp(ip));
      }),
      { numRuns: 200 },
    );
  });
});

describe("isHostname", () => {
  it.each([
    "web",
    "web.default.svc.cluster.local",
    "WEB.example.com",
    "example.com.",
    "my_service.consul",
    "1a.2b",
    "xn--bcher-kva.de",
  ])("accepts %s", (name) => {
    expect(isHostname(name)).toBe(true);
  });

  it.each([
    "",
    ".",
    "a..b",
    "-a",
    "a-",
    "10.0.0.1",
    "::1",
    "a b",
    "a/b",
    "a:80",
    "*",
    "*.example.com",
    `${"a".repeat(64)}.de`,
    `${"a.".repeat(127)}aa`,
  ])("refuses %s", (name) => {
    expect(isHostname(name)).toBe(false);
  });

  it("accepts a wildcard as the first label only, and only where it is asked for", () => {
    expect(isHostname("*.example.com", { wildcard: true })).toBe(true);
    expect(["*", "*.", "*a.com", "a.*.com", "*.*.com"].filter((name) => isHostname(name, { wildcard: true }))).toEqual(
      [],
    );
  });
});

describe("isCidr and isIpAddress", () => {
  it.each(["10.0.0.0/8", "0.0.0.0/0", "2001:db8::/32", "::/128"])("takes %s for a CIDR", (text) => {
    expect(isCidr(text)).toBe(true);
    expect(isIpAddress(text)).toBe(false);
  });

  it.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/", "10.0.0.0/08", "10.0.0.0/-1", "::/129", "x/8", "10.0.0.0/8/8"])(
    "does not take %s for a CIDR",
    (text) => {
      expect(isCidr(text)).toBe(false);
    },
  );
});
