import { readFile } from "node:fs/promises";
import { availableParallelism, cpus, totalmem } from "node:os";
import { runCommand } from "@signalbox/test-servers";

/** What figures were measured on. */
export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGib: number;
  readonly node: string;
  readonly go: string;
  /** Version of go-control-plane, as the peer's module names it. */
  readonly goControlPlane: string;
  /** All of it in one line. */
  readonly text: string;
}

/** Describes this machine. Rejects where Go is missing. */
export async function machineOf(): Promise<Machine> {
  const module = await readFile(new URL("../../peer/go.mod", import.meta.url), "utf8");
  const machine = {
    cpu: cpus()[0]?.model ?? "unknown",
    cores: availableParallelism(),
    memoryGib: Math.round(totalmem() / 2 ** 30),
    node: process.version,
    go: (await runCommand("go", ["env", "GOVERSION"])).trim(),
    goControlPlane: versionIn(module, "github.com/envoyproxy/go-control-plane"),
  };
  const { cores, cpu, go, goControlPlane, memoryGib, node } = machine;
  const hardware = `${cpu}, ${cores} cores, ${memoryGib} GiB`;
  return { ...machine, text: `${hardware}; Node ${node}, ${go}, go-control-plane ${goControlPlane}` };
}

/** The version of a module in a go.mod; "unknown" where it is not there. */
export function versionIn(goMod: string, module: string): string {
  const line = goMod.split("\n").find((one) => one.trim().startsWith(`${module} `));
  return line?.trim().split(" ")[1] ?? "unknown";
}
