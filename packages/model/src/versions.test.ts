import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { registryId } from "./keys.ts";
import type { Address, Service } from "./service.ts";
import { entryVersions, instanceKey, serviceVersion } from "./versions.ts";

const service: Service = {
  hostname: "web.example.com",
  namespace: "default",
  ports: [{ name: "http", number: 80, protocol: "HTTP" }],
  resolution: "STATIC",
  addresses: [],
  labels: {},
  meshExternal: false,
  exportTo: [],
  serviceAccounts: [],
  provenance: { registry: registryId("static", "a"), object: "web.yaml" },
};

describe("instanceKey", () => {
  it.each<[string, Address, Address]>([
    [
      "spellings of an IPv6 address",
      { type: "ip", ip: "2001:DB8::0:1", port: 80 },
      { type: "ip", ip: "2001:db8::1", port: 80 },
    ],
    [
      "cases of a hostname",
      { type: "hostname", hostname: "DB.x", port: 1 },
      { type: "hostname", hostname: "db.x", port: 1 },
    ],
  ])("gives one key for two %s", (_, left, right) => {
    expect(instanceKey(left)).toBe(instanceKey(right));
  });

  it("tells ports, addresses and kinds apart", () => {
    const addresses: Address[] = [
      { type: "ip", ip: "10.0.0.1", port: 80 },
      { type: "ip", ip: "10.0.0.1", port: 81 },
      { type: "ip", ip: "::ffff:10.0.0.1", port: 80 },
      { type: "hostname", hostname: "unix", port: 80 },
      { type: "unix", path: "/80" },
      { type: "unix", path: "/RUN" },
      { type: "unix", path: "/run" },
    ];
    expect(new Set(addresses.map(instanceKey)).size).toBe(addresses.length);
  });
});

describe("serviceVersion", () => {
  it("ignores provenance and nothing else", () => {
    const version = serviceVersion(service);
    fc.assert(
      fc.property(fc.string(), fc.string(), (object, sourceVersion) => {
        const provenance = { registry: registryId("consul", "b"), object, sourceVersion };
        expect(serviceVersion({ ...service, provenance })).toBe(version);
      }),
      { numRuns: 50 },
    );
    expect(serviceVersion({ ...service, meshExternal: true })).not.toBe(version);
    expect(serviceVersion({ ...service, createdAt: 0 })).not.toBe(version);
  });
});

describe("entryVersions", () => {
  it("says by the second hash alone that a part of the traffic is to fail", () => {
    const without = entryVersions(service, []);
    const some = entryVersions(service, [], { http: 250_000 });
    expect(some.service).toBe(without.service);
    const hashes = [
      without,
      some,
      entryVersions(service, [], { http: 250_001 }),
      entryVersions(service, [], { a: 250_000 }),
    ];
    expect(new Set(hashes.map(({ instances }) => instances)).size).toBe(4);
    expect(entryVersions(service, [], undefined)).toEqual(without);
  });
});
