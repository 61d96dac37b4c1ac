import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { MemberIndex } from "./members.ts";
import type { DriftListing } from "./members.ts";
import { at, billingKey, book, east, instance, ordersKey, west } from "./testing/world.ts";

const listing = (service: typeof ordersKey, name: string, ...ips: readonly string[]): DriftListing => ({
  service,
  name,
  instances: ips.map((ip) => instance(ip)),
});

describe("the index of members", () => {
  it("knows who lists what, in one spelling, and takes it back", () => {
    const members = new MemberIndex();
    expect(members.update(east, "r", listing(ordersKey, "Orders", "2001:DB8::0:1", "10.0.0.1"))).toEqual([
      "10.0.0.1",
      "2001:db8::1",
    ]);
    const member = { registry: east, service: ordersKey, ip: "2001:db8::1", port: 8080 };
    expect(members.at("2001:db8::1")).toEqual([member]);
    expect(members.of(ordersKey)).toEqual([member, { ...member, ip: "10.0.0.1" }]);
    const told = () => [members.tells(east, ordersKey), members.tells(west, ordersKey), members.named(east, "orders")];
    expect(told()).toEqual([true, false, true]);
    expect(members.update(east, "r", undefined)).toEqual(["10.0.0.1", "2001:db8::1"]);
    expect([members.at("10.0.0.1"), members.of(ordersKey), told()]).toEqual([[], [], [false, false, false]]);
  });

  it("knows a service without endpoints, and no addresses that are none", () => {
    const members = new MemberIndex();
    const hostname = instance("", { addresses: [{ type: "hostname", hostname: "a.test", port: 80 }, at("nowhere")] });
    expect(members.update(east, "r", { service: ordersKey, name: "orders", instances: [hostname] })).toEqual([]);
    expect([members.tells(east, ordersKey), members.of(ordersKey)]).toEqual([true, []]);
  });

  it("names only the addresses that are listed otherwise than before", () => {
    const members = new MemberIndex();
    members.update(east, "r", listing(ordersKey, "orders", "10.0.0.1", "10.0.0.2"));
    expect(members.update(east, "r", listing(ordersKey, "orders", "10.0.0.2", "10.0.0.3"))).toEqual([
      "10.0.0.1",
      "10.0.0.3",
    ]);
    expect(members.update(east, "r", listing(billingKey, "orders", "10.0.0.2"))).toEqual(["10.0.0.2", "10.0.0.3"]);
    expect(members.at("10.0.0.2").map(({ service }) => service)).toEqual([billingKey]);
  });

  it("keeps two records of one service apart", () => {
    const members = new MemberIndex();
    members.update(east, "r", listing(ordersKey, "orders", "10.0.0.1"));
    members.update(east, "s", listing(ordersKey, "orders", "10.0.0.1"));
    members.update(east, "r", undefined);
    expect([members.at("10.0.0.1").length, members.tells(east, ordersKey)]).toEqual([1, true]);
  });

  it("is, after any updates, what a new one would be that is told only what is left", () => {
    const anyUpdate = fc.record({
      registry: fc.constantFrom(east, book),
      record: fc.constantFrom("r", "s"),
      said: fc.option(
        fc.record({
          service: fc.constantFrom(ordersKey, billingKey),
          name: fc.constantFrom("orders", "billing"),
          ips: fc.uniqueArray(fc.constantFrom("10.0.0.1", "10.0.0.2", "10.0.0.3")),
        }),
        { nil: undefined },
      ),
    });
    fc.assert(
      fc.property(fc.array(anyUpdate), (updates) => {
        const fed = new MemberIndex();
        const left = new Map<string, (typeof updates)[number]>();
        const tell = (members: MemberIndex, { registry, record, said }: (typeof updates)[number]) =>
          members.update(registry, record, said && listing(said.service, said.name, ...said.ips));
        for (const update of updates) {
          const before = picture(fed);
          const named = tell(fed, update);
          const after = picture(fed);
          for (const ip of ["10.0.0.1", "10.0.0.2", "10.0.0.3"]) {
            if (!named.includes(ip)) expect(after.at[ip]).toEqual(before.at[ip]);
          }
          left.set(`${update.registry} ${update.record}`, update);
        }
        const built = new MemberIndex();
        for (const update of left.values()) tell(built, update);
        expect(picture(fed)).toEqual(picture(built));
      }),
    );
  });
});

function picture(members: MemberIndex) {
  const sorted = (all: readonly unknown[]) => all.map((one) => JSON.stringify(one)).sort();
  return {
    at: Object.fromEntries(["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((ip) => [ip, sorted(members.at(ip))])),
    of: [ordersKey, billingKey].map((key) => sorted(members.of(key))),
    tells: [east, book].flatMap((id) => [ordersKey, billingKey].map((key) => members.tells(id, key))),
    named: [east, book].flatMap((id) => ["orders", "billing"].map((name) => members.named(id, name))),
  };
}
