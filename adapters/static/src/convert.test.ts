import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registryId, validateRecord, type ConfigObject } from "@signalbox/model";
import { atOnce } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { fileContent, formatFault, gatherContent, type FileContent } from "./convert/file-content.ts";
import { FileMerge } from "./convert/merge-files.ts";
import { fileReader } from "./convert.ts";

const testdata = join(import.meta.dirname, "../testdata");
const registry = registryId("static", "test");
const context = { registry, cluster: "test", namespace: "default", domain: "cluster.local" };

function convert(text: string, file = "a.yaml", cutFrom?: number): FileContent {
  const reader = fileReader(file, context, cutFrom === undefined ? {} : { cutFrom });
  return fileContent(file, atOnce(reader.read(text)));
}

function readable(content: FileContent) {
  return {
    records: content.parts.flatMap((part) => part.content.records.map(({ value }) => value)),
    workloads: content.parts.flatMap((part) => part.content.workloads.map(({ value }) => value)),
    objects: content.parts.flatMap((part) => part.content.objects.map(({ value }) => value)),
    faults: content.faults.map((fault) => `${fault.severity} ${formatFault(fault)}`),
  };
}

describe("fileReader", () => {
  const inputs = readdirSync(join(testdata, "in"));

  it.each(inputs)("converts %s as recorded", (name) => {
    const content = convert(readFileSync(join(testdata, "in", name), "utf8"), name);
    const text = `${JSON.stringify(readable(content), undefined, 2)}\n`;
    const recorded = join(testdata, "out", name.replace(/\.yaml$/, ".json"));
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(recorded, text);
    expect(text).toBe(existsSync(recorded) ? readFileSync(recorded, "utf8") : "");
    for (const value of readable(content).records) expect(validateRecord(value)).toEqual([]);
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

describe("FileMerge", () => {
  it("gives one service the endpoints of all files that define it equally", () => {
    const merged = new FileMerge(
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
    const merged = new FileMerge(
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
    const merge = (first: string, second: string) =>
      new FileMerge(
        new Map([
          ["0.yaml", convert(first)],
          ["1.yaml", convert(second)],
        ]),
      );
    expect(merge(object("10.0.0.1"), object("10.0.0.1")).conflicts).toEqual([]);
    expect(merge(object("10.0.0.1"), object("10.0.0.2")).conflicts.map(({ message }) => message)).toEqual([
      expect.stringMatching(/^workload test\/default\/vm is defined differently/),
      expect.stringMatching(/^object WorkloadEntry\/default\/vm is defined differently/),
    ]);
  });
});

describe("FileMerge.changes", () => {
  const change = (before: string, after: string) => {
    const merge = new FileMerge([["a.yaml", convert(before)]]);
    merge.set("a.yaml", convert(after));
    return merge.changes();
  };

  it("names only what changed", () => {
    const two = (address: string) =>
      `services: [{name: a, ports: [80], endpoints: ["10.0.0.1"]}, {name: b, ports: [80], endpoints: ["${address}"]}]`;
    const delta = change(two("10.0.0.2"), two("10.0.0.3"));
    expect(delta?.records.upserted.map(({ service }) => service.hostname)).toEqual(["b.default.svc.cluster.local"]);
    expect(delta?.records.removed).toEqual([]);
  });

  it("is nothing for equal states", () => {
    expect(change(service("10.0.0.1"), `${service("10.0.0.1")} # new`)).toBeUndefined();
  });

  it("gives way between the services of a file, and between some of those that changed", () => {
    const services = Array.from({ length: 500 }, (_, index) => `- { name: s${index}, ports: [80] }\n`);
    const content = convert(`services:\n${services.join("")}`, "a.yaml", 0);
    const merge = new FileMerge();
    expect([...merge.setting("a.yaml", content)].length).toBeGreaterThanOrEqual(500);
    expect([...merge.changing()].length).toBeGreaterThanOrEqual(3);
    expect(merge.records.size).toBe(500);
    expect([...gatherContent("a.yaml", { parts: content.parts, errors: [], warnings: [] })].length).toBe(3);
  });

  it("names what is gone", () => {
    expect(change(service("10.0.0.1"), "")?.records).toEqual({
      upserted: [],
      removed: ["default/web.default.svc.cluster.local"],
    });
  });

  it("has the next one take over when the first one of a conflict is gone", () => {
    const merge = new FileMerge([
      ["a.yaml", convert(service("10.0.0.1"), "a.yaml")],
      ["b.yaml", convert(service("10.0.0.2", ", external: true"), "b.yaml")],
    ]);
    expect(merge.conflicts).toHaveLength(1);
    merge.set("a.yaml", undefined);
    expect(merge.changes()?.records.upserted.map(({ service }) => service.meshExternal)).toEqual([true]);
    expect(merge.conflicts).toEqual([]);
  });
});

describe("FileMerge.refuse", () => {
  const entry = (address: string) =>
    `{apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: vm}, spec: {address: ${address}}}`;
  const key = "WorkloadEntry/default/vm";
  const addressesOf = (objects: Iterable<ConfigObject> = []) =>
    [...objects].map(({ spec }) => (spec as { address: unknown }).address);
  const told = (merge: FileMerge) => {
    const { objects } = merge.changes() ?? {};
    return [addressesOf(objects?.upserted), objects?.removed ?? []];
  };

  it("shows an object that cannot be used for as long as there is no good form of it", () => {
    const merge = new FileMerge();
    merge.refuse("b.yaml", convert(entry("b b")));
    expect(told(merge)).toEqual([["b b"], []]);
    merge.refuse("a.yaml", convert(entry("a a")));
    expect(told(merge)).toEqual([["a a"], []]);
    merge.refuse("a.yaml", convert(entry("a a")));
    expect(merge.changes()).toBeUndefined();
    merge.set("c.yaml", convert(entry("10.0.0.1")));
    expect(told(merge)).toEqual([["10.0.0.1"], []]);
    merge.refuse("a.yaml", undefined);
    expect(told(merge)).toEqual([[], []]);
    merge.set("c.yaml", undefined);
    expect(told(merge)).toEqual([["b b"], []]);
    expect(addressesOf(merge.objects.values())).toEqual(["b b"]);
    expect(merge.workloads.size).toBe(0);
    merge.refuse("b.yaml", undefined);
    expect(told(merge)).toEqual([[], [key]]);
  });
});
