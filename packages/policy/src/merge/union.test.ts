import { serviceVersion } from "@signalbox/model";
import type { CatalogEntry, Port, RegistryId, ServiceInstance } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import type { CandidateRecord } from "../candidate.ts";
import { exclude, withFinding } from "../candidate.ts";
import { noFindings } from "./gather.ts";
import { mergeService } from "./merge-service.ts";
import { candidate, key, one, record, three, two } from "./testing/candidates.ts";

const http: Port = { name: "http", number: 80, protocol: "HTTP" };
const port = (name: string, number: number): Port => ({ name, number, protocol: "TCP" });

function union(
  records: readonly CandidateRecord[],
  expired: ReadonlyMap<RegistryId, number> = new Map(),
): CatalogEntry {
  const { entry } = mergeService({ key, records, rule: { type: "union" }, expired });
  if (entry === undefined) throw new Error("nothing was merged");
  return entry;
}

describe("the union of records", () => {
  it("is nothing for no records", () => {
    expect(mergeService({ key, records: [], rule: { type: "union" }, expired: new Map() }).entry).toBeUndefined();
  });

  it("is the record itself for one record", () => {
    const only = record(one, [candidate(one, "192.0.2.1")], { serviceAccounts: ["z", "a"] });
    const entry = union([only]);
    expect(entry.versions.service).toBe(serviceVersion(only.service));
    expect(entry).toMatchObject({ key, service: only.service, registries: [one] });
    expect(entry.instances).toMatchObject([
      { ...only.candidates[0]?.instance, provenance: [{ registry: one }], priority: 0 },
    ]);
  });

  it("takes the attributes of the first registry whole, and the service accounts of all", () => {
    const entry = union([
      record(one, [], { labels: { from: "one" }, serviceAccounts: ["b"] }),
      record(two, [], { labels: { from: "two", more: "x" }, addresses: ["10.0.0.1"], serviceAccounts: ["a"] }),
    ]);
    expect(entry.service).toMatchObject({ addresses: [], serviceAccounts: ["a", "b"] });
    expect(entry.service.labels).toEqual({ from: "one" });
    expect(entry.registries).toEqual([one, two]);
  });

  it("makes one endpoint of one address, with the attributes of the first registry and the provenance of all", () => {
    const entry = union([
      record(one, [candidate(one, "192.0.2.1", { weight: 3 })]),
      record(two, [candidate(two, "192.0.2.1", { weight: 7, labels: { from: "two" } }), candidate(two, "192.0.2.2")]),
      record(three, [candidate(three, "192.0.2.1", { id: "0" })]),
    ]);
    expect(entry.instances).toMatchObject([
      { weight: 3, labels: {}, provenance: [{ registry: one }, { registry: two }, { registry: three }] },
      { provenance: [{ registry: two }] },
    ]);
    expect(entry.instances).toHaveLength(2);
  });

  it("keeps the same address at two ports, and two addresses that differ in the port, apart", () => {
    const at = (id: string, servicePort: string, number: number) =>
      candidate(one, "192.0.2.1", { id, servicePort, addresses: [{ type: "ip", ip: "192.0.2.1", port: number }] });
    const entry = union([
      record(one, [at("1", "http", 8080), at("2", "tcp", 8080), at("3", "http", 8081)], {
        ports: [http, port("tcp", 90)],
      }),
    ]);
    expect(entry.instances.map(({ id }) => id)).toEqual(["1", "3", "2"]);
  });

  it("takes two spellings of one address for one endpoint", () => {
    const at = (registry: RegistryId, ip: string) => record(registry, [candidate(registry, ip)]);
    expect(union([at(one, "2001:db8::1"), at(two, "2001:DB8:0::1")]).instances).toHaveLength(1);
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
    const entry = union([
      record(one, [], { ports: first }),
      record(two, [candidate(two, "192.0.2.1", { servicePort: then[0]?.name ?? "" })], { ports: then }),
    ]);
    expect(entry.service.ports.map(({ name, number }) => `${name} ${number}`)).toEqual(ports);
    expect(entry.instances.map(({ servicePort }) => servicePort)).toEqual(served === undefined ? [] : [served]);
  });

  it("leaves out an endpoint of a port that no service has", () => {
    expect(union([record(one, [candidate(one, "192.0.2.1", { servicePort: "x" })])]).instances).toEqual([]);
  });

  it("keeps a service whose endpoints are all out", () => {
    const out = exclude(candidate(one, "192.0.2.1"), "drift", "GHOST", "no pod has it");
    expect(union([record(one, [out])])).toMatchObject({ service: { ports: [http] }, instances: [], registries: [one] });
  });

  it("takes an endpoint from the next registry where a stage took that of the first out", () => {
    const out = exclude(candidate(one, "192.0.2.1", { weight: 3 }), "manual", "DRAINED", "by hand");
    const entry = union([record(one, [out]), record(two, [candidate(two, "192.0.2.1", { weight: 7 })])]);
    expect(entry.instances).toMatchObject([{ weight: 7, provenance: [{ registry: two }] }]);
  });

  it("has the priority that stages gave, and the findings of all who know the endpoint, each once", () => {
    const noted = (registry: RegistryId, since: number) =>
      withFinding(candidate(registry, "192.0.2.1", {}, { priority: 2 }), "guard", "HELD", since);
    const more = withFinding(noted(two, 5), "drift", "GHOST", 7);
    const entry = union([record(one, [noted(one, 9), candidate(one, "192.0.2.2")]), record(two, [more])]);
    const held = { stage: "guard", code: "HELD", since: 5 };
    expect(entry.instances).toMatchObject([
      { priority: 2, findings: [held, { stage: "drift", code: "GHOST", since: 7 }] },
      { priority: 0, findings: [] },
    ]);
    expect(entry.instances[1]?.findings).toBe(noFindings);
  });

  it.each([
    [0.4, 1],
    [1.5, 2],
    [0, 0],
    [4_294_967_295, 4_294_967_295],
  ])("writes the weight %d as %d", (weight, written) => {
    expect(union([record(one, [candidate(one, "192.0.2.1", { weight })])]).instances).toMatchObject([
      { weight: written },
    ]);
  });
});

describe("what an expired registry said", () => {
  const since = 1_000;
  const expired = [{ stage: "freshness", code: "EXPIRED", since }];

  it("comes after every endpoint that another one knows", () => {
    const entry = union(
      [
        record(one, [candidate(one, "192.0.2.1"), candidate(one, "192.0.2.2", { weight: 3 })]),
        record(two, [candidate(two, "192.0.2.2", { weight: 7 }), candidate(two, "192.0.2.3", {}, { priority: 1 })]),
      ],
      new Map([[one, since]]),
    );
    expect(entry.instances).toMatchObject([
      { priority: 2, findings: expired },
      { priority: 0, weight: 7, findings: [], provenance: [{ registry: one }, { registry: two }] },
      { priority: 1, findings: [] },
    ]);
  });

  it("is said since the last of several expired", () => {
    const at = (registry: RegistryId): CandidateRecord => record(registry, [candidate(registry, "192.0.2.1")]);
    const entry = union(
      [at(one), at(two)],
      new Map([
        [one, 5],
        [two, 9],
      ]),
    );
    expect(entry.instances).toMatchObject([{ priority: 1, findings: [{ code: "EXPIRED", since: 9 }] }]);
  });

  it("keeps what stages noted", () => {
    const noted: Partial<ServiceInstance> = {};
    const held = withFinding(candidate(one, "192.0.2.1", noted), "guard", "HELD", 3);
    expect(union([record(one, [held])], new Map([[one, since]])).instances).toMatchObject([
      { findings: [{ code: "HELD" }, { code: "EXPIRED" }] },
    ]);
  });
});
