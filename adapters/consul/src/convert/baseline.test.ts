import { registryId, type ServiceRecord } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConsulScope } from "../client.ts";
import { parseConsulConfig } from "../config.ts";
import { assembleRecord, convertEntries, hostPart } from "../convert.ts";
import { consulEntry, type EntryOptions } from "../testing/entries.ts";
import { formerServices, type FormerService } from "./baseline.ts";
import { formatMark, isOfCluster, parseMarks } from "./mark.ts";

const registry = registryId("consul", "test");
const configOf = (settings: object = {}) => parseConsulConfig({ url: "http://127.0.0.1:8500", ...settings });

interface Read {
  readonly name?: string;
  readonly scope?: ConsulScope;
  readonly sourceVersion?: string;
  readonly settings?: object;
}

function recordOf(options: readonly EntryOptions[], read: Read = {}): ServiceRecord {
  const { name = "web", scope = {}, sourceVersion = "7", settings } = read;
  const config = configOf(settings);
  const { endpoints } = convertEntries(
    options.map((one) => consulEntry(name, one)),
    { config, registry },
  );
  const parts = { name, hostPart: hostPart(name), scope, endpoints, sourceVersion };
  const record = assembleRecord(parts, { config, registry });
  if (record === undefined) throw new Error("there is no record");
  return record;
}

function again(former: FormerService | undefined, { scope = {}, sourceVersion = "7", settings }: Read = {}) {
  if (former === undefined) return undefined;
  const { name, endpoints } = former;
  const parts = { name, hostPart: hostPart(name), scope, endpoints, sourceVersion };
  return assembleRecord(parts, { config: configOf(settings), registry });
}

const entry: fc.Arbitrary<EntryOptions> = fc.record({
  id: fc.constantFrom("w1", "w2", "a:gRPC_port", "x/y"),
  node: fc.constantFrom("n1", "n2"),
  ip: fc.constantFrom("10.0.0.1", "2001:db8::1", "host.example.com"),
  port: fc.constantFrom(80, 3306, 8080, 0),
  meta: fc.dictionary(
    fc.constantFrom("protocol", "gRPC_port", "external", "region"),
    fc.constantFrom("http", "grpc", "9090", "8080", "x"),
  ),
  checks: fc.constantFrom([], [{ CheckID: "c", Status: "warning" }], [{ CheckID: "c", Status: "critical" }]),
});
const settings = fc.constantFrom({}, { servicePort: 80 }, { servicePort: 9090 }, { defaultProtocol: "http" });

describe("formerServices", () => {
  it("leads back to the endpoints: assembled again they are the same record", () => {
    fc.assert(
      fc.property(fc.array(entry, { minLength: 1, maxLength: 5 }), settings, (options, chosen) => {
        const fitting = [...options, { id: "sound", port: 81 }];
        const record = recordOf(fitting, { settings: chosen });
        const former = formerServices([record], {}, configOf(chosen)).get("web");
        expect(again(former, { settings: chosen })).toEqual(record);
      }),
      { numRuns: 300 },
    );
  });

  it("finds the services of its own scope, and of each its own datacenter's endpoints", () => {
    const scopes: readonly ConsulScope[] = [{}, { namespace: "team" }, { namespace: "team", partition: "p" }];
    const records = scopes.map((scope, at) => recordOf([{ id: `w${at}` }], { scope, name: "Web" }));
    const config = configOf();
    for (const [at, scope] of scopes.entries()) {
      const former = formerServices(records, scope, config);
      expect([...former].map(([id, { name, endpoints }]) => [id, name, endpoints.map((one) => one.id)])).toEqual([
        ["web", "Web", [`dc1/node-1/w${at}`]],
      ]);
    }
    const both = recordOf([{ id: "a" }, { id: "b", Node: { Datacenter: "dc2" } }], { sourceVersion: "7@s1,9@s2" });
    const west = formerServices([both], { datacenter: "dc2" }, config).get("web");
    expect(west?.endpoints.map(({ id }) => id)).toEqual(["dc2/node-1/b"]);
    expect(west?.marks).toEqual([
      { index: 7n, filtered: false, servers: ["s1"] },
      { index: 9n, filtered: false, servers: ["s2"] },
    ]);
  });

  it.each([{ domain: "other" }, { namespace: "other" }])("leaves out what is another service now: %j", (chosen) => {
    expect(formerServices([recordOf([{ id: "a" }])], {}, configOf(chosen)).size).toBe(0);
  });

  it("leaves out what another adapter made, and endpoints without a place", () => {
    const record = recordOf([{ id: "a" }]);
    const { service, instances } = record;
    const provenance = { registry, object: "APP WEB" };
    const config = configOf();
    expect(formerServices([{ ...record, service: { ...service, provenance } }], {}, config).size).toBe(0);
    const lost = instances.map((one) => ({ ...one, servicePort: "other" }));
    expect(formerServices([{ ...record, instances: lost }], {}, config).size).toBe(0);
  });
});

describe("a mark", () => {
  const ids = fc.uniqueArray(fc.uuid(), { maxLength: 5 });

  it("is read as it was written, and is of the cluster whose servers it names", () => {
    fc.assert(
      fc.property(fc.bigInt({ min: 0n, max: 2n ** 90n }), fc.boolean(), ids, (index, filtered, servers) => {
        const text = [formatMark(String(index), filtered, servers), formatMark("5", false, [])].join(",");
        const [mark, other] = parseMarks(text);
        if (mark === undefined || other === undefined) throw new Error("a mark is missing");
        expect(mark).toMatchObject({ index, filtered });
        expect(mark.servers).toHaveLength(servers.length);
        expect(isOfCluster(mark, new Set(servers.slice(0, 1)))).toBe(true);
        expect(isOfCluster(mark, new Set(["another"]))).toBe(servers.length === 0);
        expect(isOfCluster(other, new Set(["another"]))).toBe(true);
      }),
      { numRuns: 100 },
    );
  });

  it("is none where it is something else", () => {
    expect(parseMarks(undefined)).toEqual([]);
    expect(parseMarks("abc,,12@")).toEqual([]);
  });
});
