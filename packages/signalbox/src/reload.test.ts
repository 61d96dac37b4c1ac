import { registryId, type RegistryId } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { PlannedRegistry } from "./config/registries.ts";
import { registrySteps, restartFields, type RunningRegistry } from "./reload.ts";

/** `a1` is the registry `probe/a` with the fingerprint `1`. */
function planned(text: string): PlannedRegistry {
  const name = text.slice(0, 1);
  const module = { provider: "probe", parseConfig: () => ({}), create: () => ({}) as never };
  return {
    id: registryId("probe", name),
    name,
    module,
    config: {},
    startPolicy: "proceed-partial",
    freshness: { staleAfterMs: 1, expireAfterMs: 2, onExpired: "keep" },
    fingerprint: text.slice(1),
  };
}

function apply(
  running: ReadonlyMap<RegistryId, RunningRegistry>,
  texts: readonly string[],
): Map<RegistryId, RunningRegistry> {
  const { removed, steps } = registrySteps(running, texts.map(planned));
  const after = new Map(running);
  for (const id of removed) after.delete(id);
  for (const { planned: registry, precedence } of steps)
    after.set(registry.id, { fingerprint: registry.fingerprint, precedence });
  return after;
}

function steps(from: readonly string[], to: readonly string[]): string[] {
  const { moved, removed, steps: found } = registrySteps(apply(new Map(), from), to.map(planned));
  return [
    ...removed.map((id) => `remove ${id.slice(-1)}`),
    ...found.map(({ action, planned: { name } }) => `${action} ${name}`),
    ...moved.map((id) => `moved ${id.slice(-1)}`),
  ];
}

describe("from the running registries to the planned ones", () => {
  it.each([
    { name: "nothing changed", from: ["a1", "b1"], to: ["a1", "b1"], expected: [] },
    { name: "from nothing", from: [], to: ["a1", "b1"], expected: ["add a", "add b"] },
    { name: "to nothing", from: ["a1"], to: [], expected: ["remove a"] },
    { name: "one changed", from: ["a1", "b1"], to: ["a2", "b1"], expected: ["replace a"] },
    { name: "one added in front disturbs nobody", from: ["b1"], to: ["a1", "b1"], expected: ["add a"] },
    { name: "one added between disturbs nobody", from: ["a1", "c1"], to: ["a1", "b1", "c1"], expected: ["add b"] },
    { name: "two changed places", from: ["a1", "b1"], to: ["b1", "a1"], expected: ["moved a"] },
    {
      name: "all at once",
      from: ["a1", "b1", "c1"],
      to: ["d1", "c2", "a1"],
      expected: ["remove b", "add d", "replace c", "moved a"],
    },
  ])("$name", ({ from, to, expected }) => {
    expect(steps(from, to)).toEqual(expected);
  });

  it("always ends with the planned registries, in the planned order but for those it names", () => {
    const list = fc
      .uniqueArray(fc.constantFrom("a", "b", "c", "d", "e", "f"))
      .chain((names) => fc.tuple(...names.map((name) => fc.constantFrom(`${name}1`, `${name}2`))));
    fc.assert(
      fc.property(fc.array(list, { maxLength: 6 }), (lists) => {
        let running = new Map<RegistryId, RunningRegistry>();
        for (const texts of lists) {
          const moved = new Set(registrySteps(running, texts.map(planned)).moved);
          running = apply(running, texts);
          const ordered = [...running].sort(([, a], [, b]) => a.precedence - b.precedence);
          const shown = ordered.map(([id, { fingerprint }]) => `${id.slice(-1)}${fingerprint}`);
          expect([...shown].sort()).toEqual([...texts].sort());
          const settled = (text: string): boolean => !moved.has(planned(text).id);
          expect(shown.filter(settled)).toEqual(texts.filter(settled));
          expect(new Set(ordered.map(([, { precedence }]) => precedence)).size).toBe(texts.length);
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("settings that need a restart", () => {
  it.each([
    {
      name: "none for registries and rules",
      before: { registries: [], rules: [1] },
      after: { registries: [1], rules: [] },
      expected: [],
    },
    {
      name: "a changed field",
      before: { xds: { plaintext: { port: 1 } } },
      after: { xds: { plaintext: { port: 2 } } },
      expected: ["xds.plaintext.port"],
    },
    { name: "an added section", before: {}, after: { state: { dir: "x" } }, expected: ["state"] },
    { name: "a section turned off", before: { debug: { port: 1 } }, after: { debug: false }, expected: ["debug"] },
    {
      name: "several, sorted",
      before: { log: { level: "a" }, debug: { port: 1 } },
      after: { log: {}, debug: { port: 2 } },
      expected: ["debug.port", "log.level"],
    },
  ])("$name", ({ after, before, expected }) => {
    expect(restartFields(before, after)).toEqual(expected);
  });
});
