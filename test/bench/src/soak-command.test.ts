import { readFile } from "node:fs/promises";
import { expect, it, vi } from "vitest";
import type { Summary } from "./row.ts";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 120_000 });

it("looks at memory while everything changes and clients come and go", async () => {
  const small = ["--services", "20", "--instances", "2", "--clients", "2", "--minutes", "1", "--scale", "20"];
  const run = await command("bench", "soak", ...small, "--arrivals", "5");
  expect(run.code, run.err).toBe(0);
  const { summaries } = JSON.parse(await readFile(run.json, "utf8")) as { readonly summaries: readonly Summary[] };
  expect(summaries.map(({ figure }) => figure)).toEqual([
    "live memory at the end",
    "growth of live memory",
    "growth of live memory in the second half",
    "most resident memory meanwhile",
    "most resident memory while 5 clients come at once",
    "live memory of each of 5 clients",
  ]);
  for (const { figure, value } of summaries) expect(Number.isFinite(value), figure).toBe(true);
});
