import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { runCommand } from "@signalbox/test-servers";
import { expect, it, onTestFinished, vi } from "vitest";
import { AblationError, type Ablation } from "./ablation.ts";
import { copyBuilt } from "./built-copy.ts";

vi.setConfig({ testTimeout: 60_000 });

const file = "xds-server/dist/turns.js";
const ablation = (find: string): Ablation => ({
  name: "turns",
  what: "turns",
  edits: [{ file, find, put: "export const turnMs = 9999 +" }],
  looks: [],
});

async function madeCopy() {
  const copy = await copyBuilt();
  onTestFinished(() => copy.remove());
  const textIn = (root: string) => readFile(join(root, "packages", file), "utf8");
  return { copy, here: () => textIn(copy.folder), tree: () => textIn(join(import.meta.dirname, "../../../..")) };
}

it("is a product of its own, whose parts find each other and nothing of the tree", async () => {
  const { copy } = await madeCopy();
  const say = `console.log(["signalbox", "@signalbox/test-servers"].map((name) => import.meta.resolve(name)).join(" ")); await import("signalbox");`;
  const bench = join(copy.folder, "test/bench");
  const said = await runCommand(process.execPath, ["--input-type=module", "-e", say], { cwd: bench });
  expect(said.trim().split(" ")).toEqual([
    `file://${copy.folder}/packages/signalbox/dist/index.js`,
    `file://${copy.folder}/test/servers/dist/index.js`,
  ]);
});

it("is edited only while something runs, also where that fails, and the tree never", async () => {
  const { copy, here, tree } = await madeCopy();
  const before = await tree();
  const during = await copy.without(ablation("export const turnMs ="), async () => {
    expect(await tree()).toBe(before);
    return here();
  });
  expect(during).toContain("turnMs = 9999");
  expect(await here()).toBe(before);
  const failing = copy.without(ablation("export const turnMs ="), () => Promise.reject(new Error("no measurement")));
  await expect(failing).rejects.toThrow("no measurement");
  expect(await here()).toBe(before);
});

it("does not run what would measure another product than it says", async () => {
  const { copy } = await madeCopy();
  const run = vi.fn(() => Promise.resolve());
  await expect(copy.without(ablation("export const turnMs is"), run)).rejects.toThrow(AblationError);
  expect(run).not.toHaveBeenCalled();
});
