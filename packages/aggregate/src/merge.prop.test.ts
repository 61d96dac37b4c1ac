import { instanceKey, registryId, serviceVersion } from "@signalbox/model";
import type { Port, ServiceInstance, ServiceRecord } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { unionMerge } from "./merge.ts";
import { instance, keyOf, service } from "./testing/world.ts";

const ids = ["one", "two", "three"].map((name) => registryId("fake", name));
const [one, two, three] = [registryId("fake", "one"), registryId("fake", "two"), registryId("fake", "three")];
const key = keyOf("a");

const http: Port = { name: "http", number: 80, protocol: "HTTP" };
const port = (name: string, number: number): Port => ({ name, number, protocol: "TCP" });

function merged(...records: readonly ServiceRecord[]) {
  const entry = unionMerge(key, records);
  if (entry === undefined) throw new Error("nothing was merged");
  return entry;
}

describe("the union of records", () => {
  it("is nothing for no records", () => {
    expect(unionMerge(key, [])).toBeUndefined();
  });

  it("is the record itself for one record", () => {
    const record = {
      service: service(one, "a", { serviceAccounts: ["z", "a"] }),
      instances: [instance(one, "192.0.2.1")],
    };
    const entry = merged(record);
    expect(entry.versions.service).toBe(serviceVersion(record.service));
    expect(entry).toMatchObject({ key, service: record.service, registries: [one] });
    expect(entry.instances).toMatchObject([{ ...record.instances[0], provenance: [{ registry: one }], priority: 0 }]);
  });

  it("takes the attributes of the first registry whole, and the service accounts of all", () => {
    const entry = merged(
      { service: service(one, "a", { labels: { from: "one" }, serviceAccounts: ["b"] }), instances: [] },
      {
        service: service(two, "a", {
          labels: { from: "two", more: "x" },
          addresses: ["10.0.0.1"],
          serviceAccounts: ["a"],
        }),
        instances: [],
      },
    );
    expect(entry.service).toMatchObject({ labels: { from: "one" }, addresses: [], serviceAccounts: ["a", "b"] });
    expect(entry.service.labels).toEqual({ from: "one" });
    expect(entry.registries).toEqual([one, two]);
  });

  it("makes one endpoint of one address, with the attributes of the first registry and the provenance of all", () => {
    const entry = merged(
      { service: service(one, "a"), instances: [instance(one, "192.0.2.1", { weight: 3 })] },
      {
        service: service(two, "a"),
        instances: [instance(two, "192.0.2.1", { weight: 7, labels: { from: "two" } }), instance(two, "192.0.2.2")],
      },
      { service: service(three, "a"), instances: [instance(three, "192.0.2.1", { id: "0" })] },
    );
    expect(entry.instances).toMatchObject([
      { weight: 3, labels: {}, provenance: [{ registry: one }, { registry: two }, { registry: three }] },
      { provenance: [{ registry: two }] },
    ]);
    expect(entry.instances).toHaveLength(2);
  });

  it("keeps the same address at two ports, and two addresses that differ in the port, apart", () => {
    const at = (id: string, servicePort: string, number: number): ServiceInstance =>
      instance(one, "192.0.2.1", { id, servicePort, addresses: [{ type: "ip", ip: "192.0.2.1", port: number }] });
    const entry = merged({
      service: service(one, "a", { ports: [http, port("tcp", 90)] }),
      instances: [at("1", "http", 8080), at("2", "tcp", 8080), at("3", "http", 8081)],
    });
    expect(entry.instances.map(({ id }) => id)).toEqual(["1", "3", "2"]);
  });

  it.each([
    {
      name: "other ports are added",
      first: [http],
      then: [port("tcp", 90)],
      ports: ["http 80", "tcp 90"],
      served: "tcp",
    },
    { name: "equal names are one port", first: [http], then: [port("http", 8080)], ports: ["http 80"], served: "http" },
    { name: "equal numbers are one port", first: [http], then: [port("web", 80)], ports: ["http 80"], served: "http" },
    {
      name: "a number that contradicts the names is left out",
      first: [http],
      then: [port("web", 80), port("http", 81)],
      ports: ["http 80"],
      served: undefined,
    },
  ])("unites ports: $name", ({ first, then, ports, served }) => {
    const entry = merged(
      { service: service(one, "a", { ports: first }), instances: [] },
      {
        service: service(two, "a", { ports: then }),
        instances: [instance(two, "192.0.2.1", { servicePort: then[0]?.name ?? "" })],
      },
    );
    expect(entry.service.ports.map(({ name, number }) => `${name} ${number}`)).toEqual(ports);
    expect(entry.instances.map(({ servicePort }) => servicePort)).toEqual(served === undefined ? [] : [served]);
  });

  it("leaves out an endpoint of a port that no service has", () => {
    expect(
      merged({ service: service(one, "a"), instances: [instance(one, "192.0.2.1", { servicePort: "x" })] }).instances,
    ).toEqual([]);
  });
});

const anyInstance = fc.record({
  who: fc.nat(2),
  ip: fc.constantFrom("192.0.2.1", "192.0.2.2", "2001:db8::1"),
  servicePort: fc.constantFrom("http", "tcp"),
  weight: fc.nat(3),
});
const anyRecords = fc
  .tuple(fc.uniqueArray(fc.nat(2), { minLength: 1 }), fc.array(anyInstance, { maxLength: 12 }))
  .map(([who, all]): ServiceRecord[] =>
    [...who]
      .sort()
      .map((index) => [index, ids[index] ?? one] as const)
      .map(([index, id]) => ({
        service: service(id, "a", { ports: [http, port("tcp", 90)] }),
        instances: all
          .filter((each) => each.who === index)
          .map(({ ip, servicePort, weight }, i) => instance(id, ip, { id: `${i}`, servicePort, weight })),
      })),
  );

describe("the union of any records", () => {
  it("does not depend on the order of the instances", () => {
    fc.assert(
      fc.property(
        anyRecords.chain((records) =>
          fc.tuple(
            fc.constant(records),
            fc.tuple(
              ...records.map(({ instances }) => fc.shuffledSubarray([...instances], { minLength: instances.length })),
            ),
          ),
        ),
        ([records, shuffled]) => {
          const other = records.map((record, i) => ({ ...record, instances: shuffled[i] ?? [] }));
          expect(unionMerge(key, other)).toEqual(unionMerge(key, records));
        },
      ),
      { numRuns: 150 },
    );
  });

  it("has every endpoint of every registry once, sorted, and names all who know it", () => {
    fc.assert(
      fc.property(anyRecords, (records) => {
        const { instances } = merged(...records);
        const identity = (one: Pick<ServiceInstance, "servicePort" | "addresses">) =>
          `${one.servicePort} ${instanceKey(one.addresses[0])}`;
        const known = new Set(records.flatMap((record) => record.instances.map(identity)));
        expect(instances.map(identity)).toEqual([...known].sort());
        for (const each of instances) {
          const who = records.filter((record) => record.instances.some((one) => identity(one) === identity(each)));
          expect(each.provenance.map(({ registry }) => registry)).toEqual(
            who.map((one) => one.service.provenance.registry),
          );
        }
      }),
      { numRuns: 150 },
    );
  });
});
