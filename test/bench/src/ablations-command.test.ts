import { expect, it, vi } from "vitest";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 60_000 });

it("lists what can be switched off, with the time that each takes", async () => {
  const run = await command("bench", "ablations", "--list", "--only", "turns", "--runs", "3");
  expect(run.code, run.err).toBe(0);
  expect(run.out).toMatch(/^turns +\d+ s {2}requests and writes take turns of \d+ ms$/m);
  expect(run.out).not.toContain("vhds");
  expect(run.out).toMatch(/All: about \d+ minutes?/);
});

it.each([
  [["--only", "trains"], 'nothing is called "trains"; there are shared-frames, '],
  [["--runs", "0"], "--runs must be a whole number from 1"],
])("refuses %j and says what it takes", async (args, said) => {
  const run = await command("bench", "ablations", ...args);
  expect(run.code).toBe(1);
  expect(run.err).toContain(said);
  expect(run.err).toContain("npm run bench -- ablations [options]");
});
