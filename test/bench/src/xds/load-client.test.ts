import { fileURLToPath } from "node:url";
import { runCommand } from "@signalbox/test-servers";
import { expect, it, vi } from "vitest";

vi.setConfig({ testTimeout: 600_000 });

it("counts what clients saw and what they lost as its own tests say", async () => {
  const folder = fileURLToPath(new URL("../../load-client", import.meta.url));
  expect(await runCommand("go", ["test", "./..."], { cwd: folder, timeoutMs: 590_000 })).toContain("ok");
});
