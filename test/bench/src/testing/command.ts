import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { onTestFinished } from "vitest";

/** Runs a program of `bin` with a file for its figures, and resolves when it has ended. It ends with the test at the latest. */
export async function command(program: "adapters" | "bench", ...args: readonly string[]) {
  const dir = await mkdtemp(join(tmpdir(), "signalbox-bench-test-"));
  const path = fileURLToPath(new URL(`../../bin/${program}.js`, import.meta.url));
  const json = join(dir, "figures.json");
  const child = spawn(process.execPath, [path, ...args, "--json", json], { stdio: ["ignore", "pipe", "pipe"] });
  const exited = once(child, "close");
  onTestFinished(async () => {
    child.kill("SIGTERM");
    await exited;
    await rm(dir, { recursive: true });
  });
  const output = { out: "", err: "" };
  child.stdout.on("data", (chunk: Buffer) => (output.out += chunk.toString()));
  child.stderr.on("data", (chunk: Buffer) => (output.err += chunk.toString()));
  const [code] = (await exited) as [number | null];
  return { ...output, code, json };
}
