import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseDocuments } from "@signalbox/files";
import { registryId, validateRecord } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { formatFault, type FileContent } from "./convert/file-content.ts";
import { diffFiles, mergeFiles } from "./convert/merge-files.ts";
import { convertFile } from "./convert.ts";

const testdata = join(import.meta.dirname, "../testdata");
const registry = registryId("static", "test");
const context = { registry, cluster: "test", namespace: "default", domain: "cluster.local" };

function convert(text: string, file = "a.yaml"): FileContent {
  return convertFile({ file, parsed: parseDocuments(text, { file }) }, context);
}

function readable(content: FileContent) {
  return {
    records: content.records.map(({ value }) => value),
    workloads: content.workloads.map(({ value }) => value),
    objects: content.objects.map(({ value }) => value),
    faults: content.faults.map((fault) => `${fault.severity} ${formatFault(fault)}`),
  };
}

describe("convertFile", () => {
  const inputs = readdirSync(join(testdata, "in"));

  it.each(inputs)("converts %s as recorded", (name) => {
    const content = convert(readFileSync(join(testdata, "in", name), "utf8"), name);
    const text = `${JSON.stringify(readable(content), undefined, 2)}\n`;
    const recorded = join(testdata, "out", name.replace(/\.yaml$/, ".json"));
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(recorded, text);
    expect(text).toBe(existsSync(recorded) ? readFileSync(recorded, "utf8") : "");
    for (const { value } of content.records) expect(validateRecord(value)).toEqual([]);
  });

  it("has no recorded output without input", () => {
    const outputs = readdirSync(join(testdata, "out")).map((name) => name.replace(/\.json$/, ".yaml"));
    expect(outputs.sort()).toEqual(inputs.sort());
  });

  it("tells that a file may be torn", () => {
    expect(convert("services: []\n---\na: [1\n").readable).toBe(false);
    expect(convert("services: 1\n").readable).toBe(true);
  });
});

const service = (endpoint: string, extra = "") =>
  `services: [{name: web, ports: [80/http], endpoints: ["${endpoint}"]${extra}}]`;

describe("mergeFiles", () => {
  it("gives one service the endpoints of all files that define it equally", () => {
    const merged = mergeFiles(
      new Map([
        ["b.yaml", convert(service("10.0.0.2"), "b.yaml")],
        ["a.yaml", convert(service("10.0.0.1"), "a.yaml")],
        ["c.yaml", convert(service("10.0.0.1"), "c.yaml")],
      ]),
    );
    const [record] = merged.records.values();
    expect(record?.instances.map(({ id }) => id)).toEqual(["http-80/10.0.0.1:80", "http-80/10.0.0.2:80"]);
    expect(merged.conflicts).toEqual([]);
  });

  it("lets the first of two different definitions win and names both places", () => {
    const merged = mergeFiles(
      new Map([
        ["b.yaml", convert(service("10.0.0.2", ", external: true"), "b.yaml")],
        ["a.yaml", convert(`\n${service("10.0.0.1")}`, "a.yaml")],
      ]),
    );
    expect([...merged.records.values()].map(({ service }) => service.meshExternal)).toEqual([false]);
    expect(merged.conflicts.map(formatFault)).toEqual([
      "b.yaml:1:12: service default/web.default.svc.cluster.local is defined differently at a.yaml:2:12, which comes first and wins",
    ]);
  });

  it("takes equal objects once and reports different ones", () => {
    const object = (address: string) =>
      `{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: vm}, spec: {address: ${address}}}`;
    const merge = (...texts: string[]) =>
      mergeFiles(new Map(texts.map((text, index) => [`${index}.yaml`, convert(text)])));
    expect(merge(object("10.0.0.1"), object("10.0.0.1")).conflicts).toEqual([]);
    expect(merge(object("10.0.0.1"), object("10.0.0.2")).conflicts.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^workload test\/default\/vm is defined differently/),
      expect.stringMatching(/^object WorkloadEntry\/default\/vm is defined differently/),
    ]);
  });
});

describe("diffFiles", () => {
  const state = (text: string) => mergeFiles(new Map([["a.yaml", convert(text)]]));

  it("names only what changed", () => {
    const two = (address: string) =>
      `services: [{name: a, ports: [80], endpoints: ["10.0.0.1"]}, {name: b, ports: [80], endpoints: ["${address}"]}]`;
    const delta = diffFiles(state(two("10.0.0.2")), state(two("10.0.0.3")));
    expect(delta?.records.upserted.map(({ service }) => service.hostname)).toEqual(["b.default.svc.cluster.local"]);
    expect(delta?.records.removed).toEqual([]);
  });

  it("is nothing for equal states", () => {
    expect(diffFiles(state(service("10.0.0.1")), state(`${service("10.0.0.1")} # new`))).toBeUndefined();
  });

  it("names what is gone", () => {
    expect(diffFiles(state(service("10.0.0.1")), state(""))?.records).toEqual({
      upserted: [],
      removed: ["default/web.default.svc.cluster.local"],
    });
  });
});
