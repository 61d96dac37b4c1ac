import { registryId, validateRecord } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { mergeFiles } from "./convert/merge-files.ts";
import { convertFile } from "./convert.ts";

const context = {
  registry: registryId("static", "any"),
  cluster: "any",
  namespace: "default",
  domain: "cluster.local",
};

const scalar = fc.oneof(
  fc.constantFrom<unknown>(
    "web",
    "10.0.0.1",
    "::1",
    "unix:///a",
    "*.x",
    "80/http",
    "http",
    "STATIC",
    "DNS",
    "",
    null,
    true,
  ),
  fc.constantFrom<unknown>(0, 80, 8080, 65536, -1, 1.5, 2 ** 40),
  fc.string({ maxLength: 6 }),
);
const { any } = fc.letrec((tie) => ({
  any: fc.oneof(
    { maxDepth: 4 },
    scalar,
    fc.array(tie("any"), { maxLength: 3 }),
    fc.dictionary(
      fc.constantFrom(
        ..."name namespace hostname addresses ports number protocol targetPort resolution labels endpoints address port".split(
          " ",
        ),
        ..."locality weight health network spec metadata hosts workloadSelector exportTo __proto__ constructor".split(
          " ",
        ),
      ),
      tie("any"),
      { maxKeys: 6 },
    ),
  ),
}));
const short = fc.record({ services: fc.array(any, { maxLength: 3 }) });
const object = fc.record({
  apiVersion: fc.constantFrom<unknown>("networking.istio.io/v1", "v1", 1),
  kind: fc.constantFrom<unknown>("ServiceEntry", "WorkloadEntry", "List", "VirtualService", null),
  metadata: fc.oneof(any, fc.constant({ name: "x" })),
  spec: fc.oneof(any, fc.record({ hosts: any, ports: any, endpoints: any, resolution: any }, { requiredKeys: [] })),
  items: any,
});

describe("convertFile on any data", () => {
  it("never throws, and what passes is valid", () => {
    fc.assert(
      fc.property(fc.array(fc.oneof(any, short, object), { maxLength: 3 }), (values) => {
        const documents = values.map((value, index) => ({ index, value, positionOf: () => ({ line: 1, column: 1 }) }));
        const parsed = { documents, errors: [], warnings: [] };
        const content = convertFile({ file: "any.yaml", parsed }, context);
        const { records } = mergeFiles(new Map([["any.yaml", content]]));
        for (const record of records.values()) expect(validateRecord(record)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });
});
