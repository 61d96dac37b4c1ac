import { typeUrls } from "@signalbox/envoy-api";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { changedIn, ChangingView, patchesOf, sidecar } from "../testing/patches.ts";
import { compilePatches } from "./compile.ts";
import { PatchedView } from "./patched-view.ts";
import { Patcher } from "./patcher.ts";

const names = ["outbound|80||a", "outbound|81||b", "outbound|80|v1|c", "added"];
const patchArbitrary = fc.record({
  applyTo: fc.constantFrom("CLUSTER", "LISTENER", "HTTP_ROUTE", "HTTP_FILTER"),
  match: fc.record({ cluster: fc.record({ portNumber: fc.constantFrom(0, 80, 81) }) }),
  patch: fc.record({
    operation: fc.constantFrom("ADD", "MERGE", "REMOVE", "MERGE_AND_REPLACE_LIST", "INSERT_FIRST"),
    value: fc.oneof(
      fc.constantFrom({ name: "added" }, { lb_policy: "RANDOM" }, { name: "renamed" }),
      fc.dictionary(fc.constantFrom("name", "metadata", "filters", "x"), fc.jsonValue()),
    ),
  }),
});
const step = fc.record({ name: fc.constantFrom(...names), seconds: fc.option(fc.integer({ min: 1, max: 3 })) });

function content(view: PatchedView): unknown {
  return [...view.resources(typeUrls.cluster).values()].map(({ name, version }) => [name, version]).sort();
}

describe("a patched view", () => {
  it("is after any changes what a fresh one would be, and names exactly what changed", () => {
    fc.assert(
      fc.property(fc.array(patchArbitrary, { maxLength: 4 }), fc.array(step, { maxLength: 12 }), (patches, steps) => {
        const base = new ChangingView();
        const compiled = compilePatches(patchesOf(...patches));
        const view = new PatchedView(base, new Patcher(compiled, sidecar));
        for (const { name, seconds } of steps) {
          const before = new Map(view.resources(typeUrls.cluster));
          if (seconds === null) base.remove(typeUrls.cluster, name);
          else base.put(typeUrls.cluster, { name, connectTimeout: `${String(seconds)}s` });
          const changed = changedIn(view, new Map([[typeUrls.cluster, new Set([name])]]));
          const fresh = new PatchedView(base, new Patcher(compiled, sidecar));
          expect(content(view)).toEqual(content(fresh));
          expect(view.version(typeUrls.cluster)).toBe(fresh.version(typeUrls.cluster));
          const after = view.resources(typeUrls.cluster);
          if (before.get(name)?.version !== after.get(name)?.version)
            expect(changed.get(typeUrls.cluster)).toEqual(new Set([name]));
        }
      }),
    );
  });

  it("shows the very objects below where nothing matches, and patches only what changed", () => {
    const base = new ChangingView();
    for (let index = 0; index < 50; index++) base.put(typeUrls.cluster, { name: `outbound|80||h${String(index)}` });
    const untouched = base.put(typeUrls.cluster, { name: "outbound|81||z" });
    const patch = {
      applyTo: "CLUSTER",
      match: { cluster: { portNumber: 80 } },
      patch: { operation: "MERGE", value: { lb_policy: "RANDOM" } },
    };
    const view = new PatchedView(base, new Patcher(compilePatches(patchesOf(patch)), sidecar));
    const before = new Map(view.resources(typeUrls.cluster));
    expect(before.get("outbound|81||z")).toBe(untouched);
    expect(view.resources(typeUrls.listener)).toEqual(base.resources(typeUrls.listener));
    base.put(typeUrls.cluster, { name: "outbound|80||h7", connectTimeout: "1s" });
    const changed = changedIn(view, new Map([[typeUrls.cluster, new Set(["outbound|80||h7"])]]));
    expect(changed.get(typeUrls.cluster)).toEqual(new Set(["outbound|80||h7"]));
    const other = [...view.resources(typeUrls.cluster)].filter(([name, resource]) => before.get(name) !== resource);
    expect(other.map(([name]) => name)).toEqual(["outbound|80||h7"]);
  });
});
