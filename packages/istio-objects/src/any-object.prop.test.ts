import { canonicalJson, registryId } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { checkObject } from "./check-object.ts";
import { parseConfigObject } from "./config-object.ts";
import { serviceEntryToRecords } from "./service-entry-records.ts";
import { workloadEntryToWorkload } from "./workload-entry-workload.ts";

const provenance = { registry: registryId("test", "any"), object: "any" };

const word = fc.constantFrom(
  "a.b",
  "*.a.b",
  "web",
  "10.0.0.1",
  "::1",
  "10.0.0.0/8",
  "unix:///a",
  "STATIC",
  "DNS",
  "http",
  "TCP",
  "",
  "*",
  ".",
  "~",
);
const junk = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.integer({ min: -1, max: 70_000 }),
  word,
  fc.string({ maxLength: 4 }),
);
const labels = fc.dictionary(fc.oneof(word, fc.constantFrom("__proto__", "constructor", "app")), fc.oneof(word, junk), {
  maxKeys: 3,
});
const list = (member: fc.Arbitrary<unknown>) =>
  fc.oneof({ weight: 5, arbitrary: fc.array(member, { maxLength: 3 }) }, junk);
const entry = fc.record(
  {
    address: fc.oneof(word, junk),
    ports: labels,
    labels,
    network: junk,
    locality: word,
    weight: junk,
    service_account: word,
  },
  { requiredKeys: [] },
);
const port = fc.record(
  { number: junk, name: fc.oneof(word, junk), protocol: word, targetPort: junk },
  { requiredKeys: [] },
);
const spec = fc.record(
  {
    hosts: list(word),
    addresses: list(word),
    ports: list(port),
    resolution: fc.oneof(word, junk),
    location: junk,
    endpoints: list(entry),
    workloadSelector: fc.oneof(fc.record({ labels }), junk),
    exportTo: list(word),
    extra: junk,
  },
  { requiredKeys: [] },
);
const object = fc.record({
  apiVersion: fc.constant("networking.istio.io/v1"),
  kind: fc.constantFrom(
    "AuthorizationPolicy",
    "EnvoyFilter",
    "Gateway",
    "PeerAuthentication",
    "ProxyConfig",
    "RequestAuthentication",
    "ServiceEntry",
    "Sidecar",
    "Telemetry",
    "WorkloadEntry",
    "WorkloadGroup",
  ),
  metadata: fc.record({ name: fc.constantFrom("a", "b"), labels }, { requiredKeys: ["name"] }),
  spec: fc.oneof({ weight: 5, arbitrary: spec }, entry, junk),
});

describe("any object", () => {
  it("is read, checked and converted without a throw, into plain data with unique ids", () => {
    fc.assert(
      fc.property(fc.oneof({ weight: 9, arbitrary: object }, fc.anything()), (value) => {
        const parsed = parseConfigObject(value, provenance).value;
        if (parsed === undefined) return;
        const faults = checkObject(parsed);
        for (const fault of faults) expect(fault.message).not.toBe("");
        for (const record of serviceEntryToRecords(parsed)) {
          canonicalJson(record);
          const ids = record.instances.map(({ id }) => id);
          expect(new Set(ids).size).toBe(ids.length);
        }
        canonicalJson(workloadEntryToWorkload(parsed, { cluster: "any" }));
      }),
      { numRuns: 200 },
    );
  });
});
