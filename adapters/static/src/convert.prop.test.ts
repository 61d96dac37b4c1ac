import { formatYaml } from "@signalbox/files";
import { objectKey, registryId, serviceKey, validateRecord } from "@signalbox/model";
import { atOnce } from "@signalbox/slices";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { fileContent, formatFault, type FileContent } from "./convert/file-content.ts";
import { FileMerge } from "./convert/merge-files.ts";
import { fileReader } from "./convert.ts";

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

function merged(content: FileContent): FileMerge {
  const merge = new FileMerge([["any.yaml", content]]);
  merge.refuse("any.yaml", content);
  merge.changes();
  return merge;
}

function stateOf({ records, workloads, objects, conflicts }: FileMerge) {
  return { records, workloads, objects, conflicts: conflicts.map(formatFault) };
}

function servicesIn(value: unknown): readonly unknown[] {
  const { services } = Object(value) as { readonly services?: unknown };
  return Array.isArray(services) ? services : [];
}

describe("fileReader on any data", () => {
  const values = fc.array(fc.oneof(any, short, object), { maxLength: 3 });
  const read = (values: readonly unknown[], cutFrom: number) => {
    const text = values.map((value) => formatYaml(value)).join("---\n");
    return fileContent("any.yaml", atOnce(fileReader("any.yaml", context, { cutFrom }).read(text)));
  };

  it("never throws, and what passes is valid", () => {
    fc.assert(
      fc.property(values, (values) => {
        const { records } = merged(read(values, Infinity));
        for (const record of records.values()) expect(validateRecord(record)).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });

  it("says of a list that is read item by item what it says of the whole", () => {
    fc.assert(
      fc.property(values, (values) => {
        const [whole, cut] = [read(values, Infinity), read(values, 0)];
        expect(stateOf(merged(cut))).toEqual(stateOf(merged(whole)));
        expect(cut.faults.map(formatFault).sort()).toEqual(whole.faults.map(formatFault).sort());
      }),
      { numRuns: 150 },
    );
  });

  it("says of a file that changed what it says of a file that it never saw", () => {
    fc.assert(
      fc.property(fc.array(values, { minLength: 2, maxLength: 4 }), fc.constantFrom(0, Infinity), (all, cutFrom) => {
        const reader = fileReader("any.yaml", context, { cutFrom });
        // Each version has something of the one before.
        for (const [index, own] of all.entries()) {
          const services = [...all.slice(0, index + 1)].reverse().flatMap((values) => values.flatMap(servicesIn));
          const text = [...own, { services }].map((value) => formatYaml(value)).join("---\n");
          const known = fileContent("any.yaml", atOnce(reader.read(text)));
          const fresh = fileContent(
            "any.yaml",
            atOnce(fileReader("any.yaml", context, { cutFrom: Infinity }).read(text)),
          );
          expect(stateOf(merged(known))).toEqual(stateOf(merged(fresh)));
          expect(known.faults.map(formatFault).sort()).toEqual(fresh.faults.map(formatFault).sort());
        }
      }),
      { numRuns: 60 },
    );
  });
});

describe("FileMerge on any changes", () => {
  const service = fc
    .record({ name: fc.constantFrom("a", "b", "c"), port: fc.constantFrom(80, 81), host: fc.nat({ max: 3 }) })
    .map(({ name, port, host }) => ({ name, ports: [port], endpoints: [`10.0.0.${host}`] }));
  const entry = fc
    .record({ name: fc.constantFrom("x", "y"), address: fc.constantFrom("10.0.0.1", "10.0.0.2", "wrong 1", "wrong 2") })
    .map(({ name, address }) => ({
      apiVersion: "networking.istio.io/v1",
      kind: "WorkloadEntry",
      metadata: { name },
      spec: { address },
    }));
  const document = fc.oneof(
    fc.array(service, { maxLength: 3 }).map((services) => ({ services })),
    entry,
  );
  const step = fc.record({
    file: fc.constantFrom("a.yaml", "b.yaml"),
    documents: fc.option(fc.array(document, { maxLength: 4 })),
    usable: fc.boolean(),
  });

  it("comes to the same state, step by step, as from the files as they are, and says every difference", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 6 }), fc.constantFrom(0, Infinity), (steps, cutFrom) => {
        const merge = new FileMerge();
        const told = new Map<string, unknown>();
        const readers = new Map<string, ReturnType<typeof fileReader>>();
        const contents = new Map<string, FileContent>();
        const refused = new Map<string, FileContent | undefined>();
        for (const { file, documents, usable } of steps) {
          const reader = readers.get(file) ?? fileReader(file, context, { cutFrom });
          readers.set(file, reader);
          const text = documents?.map((value) => formatYaml(value)).join("---\n");
          const content = text === undefined ? undefined : fileContent(file, atOnce(reader.read(text)));
          if (content === undefined) contents.delete(file);
          else if (usable) contents.set(file, content);
          merge.set(file, contents.get(file));
          // What is wrong with a file is known of its last version, also where an older one is in force.
          refused.set(file, content);
          merge.refuse(file, content);
          const { records, workloads, objects } = merge.changes() ?? {};
          for (const delta of [records, workloads, objects]) for (const key of delta?.removed ?? []) told.delete(key);
          for (const record of records?.upserted ?? []) told.set(serviceKey(record.service), record);
          for (const workload of workloads?.upserted ?? []) told.set(workload.key, workload);
          for (const object of objects?.upserted ?? []) told.set(objectKey(object), object);
          const fresh = new FileMerge(contents);
          for (const [name, content] of refused) fresh.refuse(name, content);
          fresh.changes();
          expect(stateOf(merge)).toEqual(stateOf(fresh));
          expect(told).toEqual(new Map<string, unknown>([...fresh.records, ...fresh.workloads, ...fresh.objects]));
        }
      }),
      { numRuns: 60 },
    );
  });
});
