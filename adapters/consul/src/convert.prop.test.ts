import fc from "fast-check";
import { registryId, validateRecord } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseConsulConfig } from "./config.ts";
import { assembleRecord, convertEntries, hostPart } from "./convert.ts";
import { consulEntry } from "./testing/entries.ts";

const registry = registryId("consul", "test");
const config = parseConsulConfig({ url: "http://127.0.0.1:8500" });

/** An entry as Consul writes it in which one member is anything at all. */
const spoiled = fc
  .record({
    holder: fc.constantFrom("Node", "Service"),
    member: fc.constantFrom(
      ...["ID", "Node", "Service", "Address", "Port", "Ports", "Meta", "Tags", "Weights", "Kind", "Locality"],
      ...["TaggedAddresses", "Datacenter", "Namespace", "Partition"],
    ),
    value: fc.jsonValue(),
    id: fc.string(),
  })
  .map(({ holder, member, value, id }) => consulEntry("web", { id, [holder]: { [member]: value } }));

const entries = fc.array(fc.oneof(spoiled, fc.jsonValue(), fc.constant(consulEntry("web", { id: "good" }))), {
  maxLength: 8,
});

describe("the conversion of whatever a source says", () => {
  it("never throws, and what it makes passes the seam", () => {
    fc.assert(
      fc.property(entries, (values) => {
        const { endpoints } = convertEntries(values, { config, registry });
        const record = assembleRecord({ name: "web", hostPart: "web", scope: {}, endpoints }, { config, registry });
        expect(record === undefined ? [] : validateRecord(record)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("does not depend on the order of the instances", () => {
    const distinct = fc.uniqueArray(
      fc.record({ id: fc.string({ minLength: 1 }), port: fc.integer({ min: 1, max: 65535 }) }),
      {
        selector: ({ id }) => id,
        maxLength: 8,
      },
    );
    fc.assert(
      fc.property(distinct, (options) => {
        const values = options.map((option) => consulEntry("web", option));
        const forth = convertEntries(values, { config, registry });
        expect(convertEntries(values.reverse(), { config, registry })).toEqual(forth);
      }),
      { numRuns: 100 },
    );
  });

  it("makes a host part of DNS labels of any name", () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 200 }), (name) => {
        for (const label of hostPart(name).split(".")) expect(label).toMatch(/^[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?$/);
      }),
      { numRuns: 200 },
    );
  });
});
