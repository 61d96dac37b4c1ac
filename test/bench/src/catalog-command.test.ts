import { readFile } from "node:fs/promises";
import { expect, it, vi } from "vitest";
import type { Summary } from "./row.ts";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 120_000 });

it("measures the catalog beside a smaller one, and looks at no service but the one that changed", async () => {
  const small = ["--few", "5", "--services", "50", "--instances", "2", "--changes", "10", "--quiet", "0.2"];
  const run = await command("bench", "catalog", ...small, "--runs", "2");
  expect(run.code, run.err).toBe(0);
  const { summaries } = JSON.parse(await readFile(run.json, "utf8")) as { readonly summaries: readonly Summary[] };
  expect(summaries.map(({ figure }) => figure)).toEqual([
    "snapshot of the registry to first event",
    "CPU in a quiet time",
    "change of one endpoint to event, p50",
    "change of one endpoint to event, p99",
    "CPU time of a change, p50",
    "services looked at for one change, at most",
  ]);
  for (const { figure, ratio, runs, value } of summaries) {
    expect(runs, figure).toBe(2);
    expect(Number.isFinite(value) && Number.isFinite(ratio), figure).toBe(true);
  }
  expect(summaries.at(-1)?.value).toBe(1);
});
