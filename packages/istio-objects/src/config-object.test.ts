import { registryId } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseConfigObject } from "./config-object.ts";

const provenance = { registry: registryId("test", "a"), object: "a.yaml" };
const good = {
  apiVersion: "networking.istio.io/v1",
  kind: "Gateway",
  metadata: { name: "web" },
  spec: { servers: [] },
};

describe("parseConfigObject", () => {
  it("fills in the defaults and leaves the spec as it is", () => {
    const { value, faults } = parseConfigObject(good, provenance);
    expect(faults).toEqual([]);
    expect(value).toEqual({
      kind: "Gateway",
      namespace: "default",
      name: "web",
      labels: {},
      annotations: {},
      spec: good.spec,
      provenance,
    });
    expect(value?.spec).toBe(good.spec);
  });

  it("reads times, versions, labels and annotations", () => {
    const metadata = {
      name: "web",
      namespace: "shop",
      labels: JSON.parse('{"__proto__": "data"}') as object,
      annotations: { a: "b" },
      creationTimestamp: "2026-01-02T03:04:05Z",
      resourceVersion: "7",
      uid: "ignored",
    };
    const { value } = parseConfigObject({ ...good, metadata, status: {} }, provenance);
    expect(value).toMatchObject({ namespace: "shop", annotations: { a: "b" }, createdAt: 1_767_323_045_000 });
    expect(Object.entries(value?.labels ?? {})).toEqual([["__proto__", "data"]]);
    expect(value?.provenance.sourceVersion).toBe("7");
  });

  it.each([
    { name: "text", value: "text", field: "", message: "must be an object" },
    { name: "another API", value: { ...good, apiVersion: "apps/v1" }, field: "apiVersion", message: "not a version" },
    { name: "no kind", value: { ...good, kind: undefined }, field: "kind", message: "is required" },
    { name: "no metadata", value: { ...good, metadata: undefined }, field: "metadata", message: "is required" },
    { name: "no name", value: { ...good, metadata: {} }, field: "metadata.name", message: "is required" },
    {
      name: "a slash",
      value: { ...good, metadata: { name: "a/b" } },
      field: "metadata.name",
      message: "must not contain",
    },
    {
      name: "a number as a label",
      value: { ...good, metadata: { name: "a", labels: { version: 1 } } },
      field: "metadata.labels.version",
      message: "quote it",
    },
    {
      name: "no time",
      value: { ...good, metadata: { name: "a", creationTimestamp: "today" } },
      field: "metadata.creationTimestamp",
      message: "is not a time",
    },
    { name: "a stray field", value: { ...good, sepc: {} }, field: "sepc", message: "unknown field" },
  ])("refuses $name", ({ value, field, message }) => {
    const result = parseConfigObject(value, provenance);
    expect(result.value).toBeUndefined();
    expect(result.faults.map(({ path }) => path.join("."))).toContain(field);
    expect(result.faults.map((fault) => fault.message).join()).toContain(message);
  });
});
