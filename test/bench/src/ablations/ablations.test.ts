import { readFile } from "node:fs/promises";
import { expect, it } from "vitest";
import { cells } from "../xds/cells.ts";
import { edited } from "./ablation.ts";
import { ablations } from "./ablations.ts";

it.each(ablations)("$name applies to the product as it is built", async (ablation) => {
  for (const file of new Set(ablation.edits.map((edit) => edit.file))) {
    const text = await readFile(new URL(`../../../../packages/${file}`, import.meta.url), "utf8");
    const edits = ablation.edits.filter((edit) => edit.file === file);
    expect(edited(text, ablation, edits)).not.toBe(text);
  }
});

it.each(ablations)("$name looks at figures that their cells show", ({ edits, looks }) => {
  expect(edits).not.toEqual([]);
  expect(looks).not.toEqual([]);
  const wrong = looks.filter(({ cell, figure }) => {
    const found = cells.find(({ name }) => name === cell);
    return found?.scene.server.type === "peer" || !found?.wanted.some((wanted) => wanted.figure === figure);
  });
  expect(wrong).toEqual([]);
});

it("has a name for each", () => {
  expect(new Set(ablations.map(({ name }) => name)).size).toBe(ablations.length);
});
