import { readFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import type { Summary } from "./row.ts";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 120_000 });

describe("npm run bench -- rules", () => {
  it("says what one changed rule changes, and nothing else changes", async () => {
    const small = ["--services", "40", "--rules", "20", "--clients", "20", "--changes", "3"];
    const run = await command("bench", "rules", ...small);
    expect(run.code, run.err).toBe(0);
    const { summaries } = JSON.parse(await readFile(run.json, "utf8")) as { readonly summaries: readonly Summary[] };
    const value = (figure: string) => summaries.find((one) => one.figure === figure)?.value;
    const changed = (name: string) =>
      ["clusters", "assignments", "listeners"].map((what) => value(`${name}, changed ${what}`));
    expect(changed("weight of a VirtualService")).toEqual([0, 0, 0]);
    expect(changed("subset of a DestinationRule")).toEqual([1, 0, 0]);
    expect(value("subset of a DestinationRule, changed route tables")).toBe(0);
    expect(value("weight of a VirtualService, changed route tables")).toBeGreaterThan(0);
    for (const name of ["an EnvoyFilter", "a Sidecar"]) expect(value(`${name}, other views`), name).toBe(1);
    expect(summaries.filter(({ figure }) => figure === "first snapshot")).toHaveLength(2);
    for (const { figure, value: found } of summaries) expect(Number.isFinite(found), figure).toBe(true);
  });

  it.each([
    [["rules", "--rules", "20", "--services", "10"], "--rules must be at most --services"],
    [["rules", "--clients", "0"], "--clients must be a whole number from 1"],
  ])("refuses %j and says what it takes", async (args, said) => {
    const run = await command("bench", ...args);
    expect(run.code).toBe(1);
    expect(run.err).toContain(said);
    expect(run.err).toContain("npm run bench -- rules [options]");
  });
});
