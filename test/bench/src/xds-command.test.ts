import { expect, it, vi } from "vitest";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 60_000 });

it("lists all cells with the time that each takes", async () => {
  const run = await command("bench", "xds", "--list", "--runs", "5");
  expect(run.code, run.err).toBe(0);
  expect(run.out).toMatch(/^endpoint-1000 +\d+ s +one endpoint, 1,000 × 10, 100 delta clients$/m);
  expect(run.out).toMatch(/^slices +\d+ s +\* /m);
  expect(run.out).toMatch(/about \d+ minutes for 5 runs/);
});

it.each([
  [["xds", "--cell", "trains"], 'there is no cell "trains"', "npm run bench -- xds [options]"],
  [["quick"], "takes no options", "npm run bench -- quick"],
  [["profile", "trains"], "--json", "npm run bench -- profile CELL [options]"],
])("refuses %j and says what it takes", async (args, said, usage) => {
  const run = await command("bench", ...args);
  expect(run.code).toBe(1);
  expect(run.err).toContain(said);
  expect(run.err).toContain(usage);
});
