import { typeUrls } from "@signalbox/envoy-api";
import { resourceFromJson } from "@signalbox/xds-server";
import fc from "fast-check";
import { expect, it } from "vitest";
import { patchesOf, sidecar } from "../testing/patches.ts";
import { compilePatches, targets } from "./compile.ts";
import { Patcher } from "./patcher.ts";

const resources = [
  [typeUrls.cluster, resourceFromJson(typeUrls.cluster, { name: "outbound|80||a", connectTimeout: "1s" })],
  [typeUrls.route, resourceFromJson(typeUrls.route, { name: "80", virtualHosts: [{ name: "a", domains: ["*"] }] })],
  [typeUrls.listener, resourceFromJson(typeUrls.listener, { name: "l", trafficDirection: "OUTBOUND" })],
] as const;

const field = fc.constantFrom(
  "name",
  "domains",
  "filters",
  "virtual_hosts",
  "routes",
  "typed_config",
  "metadata",
  "@type",
);
const value = fc.letrec<{ value: unknown }>((tie) => ({
  value: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom("a", "", 1, true, null, "type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua"),
    fc.array(tie("value"), { maxLength: 2 }),
    fc.dictionary(field, tie("value"), { maxKeys: 3 }),
  ),
})).value;
const patch = fc.record({
  applyTo: fc.constantFrom(...Object.keys(targets), "BOOTSTRAP", "INVALID"),
  match: fc.option(fc.record({ context: fc.constantFrom("ANY", "GATEWAY", "SIDECAR_OUTBOUND") }), { nil: undefined }),
  patch: fc.record({
    operation: fc.constantFrom(
      "ADD",
      "MERGE",
      "REMOVE",
      "REPLACE",
      "INSERT_FIRST",
      "INSERT_BEFORE",
      "MERGE_AND_REPLACE_LIST",
    ),
    value: fc.dictionary(field, value, { maxKeys: 3 }),
  }),
});

it("never throws, answers for every patch, and keeps the resource where that has a fault", () => {
  fc.assert(
    fc.property(fc.array(patch, { maxLength: 5 }), (patches) => {
      const compiled = compilePatches(patchesOf(...patches));
      const answered = [...compiled.patches.map(({ index }) => index), ...compiled.faults.map((fault) => fault.patch)];
      expect(new Set([...answered, ...compiled.withoutEffect.map((fault) => fault.patch)]).size).toBe(patches.length);
      const patcher = new Patcher(compiled, sidecar);
      for (const [type, resource] of resources) {
        const { resource: after, faults } = patcher.patch(type, resource);
        if (faults.some(({ patch }) => patch < 0) || compiled.patches.length === 0) expect(after).toBe(resource);
      }
    }),
  );
});
