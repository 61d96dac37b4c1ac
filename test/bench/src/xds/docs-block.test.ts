import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { ablationsBegin, blockOf, withBlock, xdsBegin } from "./docs-block.ts";
import { versionIn } from "./machine.ts";

const machine = {
  cpu: "Z80",
  cores: 2,
  memoryGib: 24,
  node: "v20.20.2",
  go: "go1.26.8",
  goControlPlane: "v0.14.0",
  text: "Z80, 2 cores, 24 GiB; Node v20.20.2, go1.26.8, go-control-plane v0.14.0",
};

it.each([
  ["benchmarks.md", xdsBegin],
  ["performance.md", ablationsBegin],
])("puts the figures into %s and leaves the rest as it is, again and again", async (name, begin) => {
  const page = await readFile(new URL(`../../../../docs/${name}`, import.meta.url), "utf8");
  const once = withBlock(page, "FIGURES", begin);
  expect(once).toContain("FIGURES");
  expect(withBlock(once, "OTHERS", begin)).toBe(once.replace("FIGURES", "OTHERS"));
  expect(once.slice(0, 200)).toBe(page.slice(0, 200));
  expect(once.slice(-200)).toBe(page.slice(-200));
});

it("refuses a page without a place for the figures", () => {
  expect(() => withBlock("# Benchmarks\n", "FIGURES", xdsBegin)).toThrow(RangeError);
});

it("says when and on what was measured", () => {
  expect(blockOf({ machine, runs: 1, summaries: [] }, "2026-11-29")).toContain(
    `Measured 2026-11-29 on ${machine.text}; one run.`,
  );
});

it.each([
  ["require (\n\texample.com/a v1.2.3\n\texample.com/ab v4.0.0\n)", "v1.2.3"],
  ["require example.org/a v1.0.0", "unknown"],
])("finds the version of a module in %j: %s", (text, version) => {
  expect(versionIn(text, "example.com/a")).toBe(version);
});
