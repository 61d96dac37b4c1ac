import { describe, expect, it } from "vitest";
import { customResourceDefinitions } from "./custom-resources.ts";
import type { ReadSchema } from "./proto-json.ts";

const definitions = customResourceDefinitions();

function definition(kind: string) {
  const found = definitions.find(({ spec }) => spec.names.kind === kind);
  if (found === undefined) throw new Error(`there is no ${kind}`);
  return found;
}

describe("customResourceDefinitions", () => {
  it.each([
    ["VirtualService", "virtualservices.networking.istio.io", ["v1", "v1beta1", "v1alpha3"], "v1"],
    ["EnvoyFilter", "envoyfilters.networking.istio.io", ["v1alpha3"], "v1alpha3"],
    ["ProxyConfig", "proxyconfigs.networking.istio.io", ["v1beta1"], "v1beta1"],
    ["AuthorizationPolicy", "authorizationpolicies.security.istio.io", ["v1", "v1beta1"], "v1"],
    ["Telemetry", "telemetries.telemetry.istio.io", ["v1", "v1alpha1"], "v1alpha1"],
  ])("serves %s as Istio does", (kind, name, versions, storage) => {
    const { metadata, spec } = definition(kind);
    expect(metadata.name).toBe(name);
    expect(spec.versions.map((version) => version.name)).toEqual(versions);
    expect(spec.versions.filter((version) => version.storage).map((version) => version.name)).toEqual([storage]);
  });

  it("says what an object holds, from the reader of its kind", () => {
    const [version] = definition("Sidecar").spec.versions;
    expect(version?.schema.openAPIV3Schema.properties?.["spec"]?.properties?.["workloadSelector"]).toEqual({
      type: "object",
      properties: { labels: { type: "object", additionalProperties: { type: "string" } } },
    });
  });

  it.each([
    ["", true],
    ["YQ==", true],
    ["YWI=", true],
    ["YWJj\nYQ==\n", true],
    ["a", false],
    ["YQ=", false],
    ["YQ", false],
    ["Y===", false],
    ["Y!==", false],
  ])("lets the API server take %j for bytes: %s", (text, taken) => {
    const [version] = definition("VirtualService").spec.versions;
    const route = version?.schema.openAPIV3Schema.properties?.["spec"]?.properties?.["http"]?.items;
    const bytes = route?.properties?.["directResponse"]?.properties?.["body"]?.properties?.["bytes"];
    expect(new RegExp(bytes?.pattern ?? "").test(text)).toBe(taken);
  });

  it("keeps whatever a patch of Envoy's configuration holds", () => {
    const [version] = definition("EnvoyFilter").spec.versions;
    const patches = version?.schema.openAPIV3Schema.properties?.["spec"]?.properties?.["configPatches"]?.items;
    expect(patches?.properties?.["patch"]?.properties?.["value"]).toEqual({
      "x-kubernetes-preserve-unknown-fields": true,
    });
  });

  it("refuses two fields of one choice, as protobuf does", () => {
    const [version] = definition("VirtualService").spec.versions;
    const http = version?.schema.openAPIV3Schema.properties?.["spec"]?.properties?.["http"]?.items;
    const match = http?.properties?.["match"]?.items?.properties?.["uri"];
    expect(match?.not).toEqual({
      anyOf: [{ required: ["exact", "prefix"] }, { required: ["exact", "regex"] }, { required: ["prefix", "regex"] }],
    });
  });

  it.each(definitions.map(({ spec }) => [spec.names.kind, spec] as const))("is structural: %s", (_kind, spec) => {
    const untyped: string[] = [];
    const visit = (schema: ReadSchema, path: string) => {
      if (schema.type === undefined && schema["x-kubernetes-preserve-unknown-fields"] !== true) untyped.push(path);
      for (const [name, field] of Object.entries(schema.properties ?? {})) visit(field, `${path}.${name}`);
      if (schema.items !== undefined) visit(schema.items, `${path}[]`);
      if (schema.additionalProperties !== undefined) visit(schema.additionalProperties, `${path}.*`);
    };
    for (const { schema } of spec.versions) visit(schema.openAPIV3Schema, "");
    expect(untyped).toEqual([]);
  });
});
