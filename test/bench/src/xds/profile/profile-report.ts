import type { HeapProfiler, Profiler } from "node:inspector";
import { functionCosts, type FunctionCost } from "./cpu-profile.ts";
import { allocators } from "./heap-profile.ts";

const shown = 30;

/** Where time and memory go, for people. */
export function profileReport(cpu: Profiler.Profile, heap: HeapProfiler.SamplingHeapProfile): string {
  const costs = functionCosts(cpu).filter(({ name }) => name !== "(root)" && name !== "(idle)");
  const table = (by: "self" | "total") =>
    [...costs]
      .sort((a, b) => b[by] - a[by])
      .slice(0, shown)
      .map(lineOf);
  const busy = costs.reduce((sum, { self }) => sum + self, 0);
  const memory = allocators(heap);
  const alive = memory.reduce((sum, { bytes }) => sum + bytes, 0);
  return [
    `CPU: ${busy.toFixed(0)} ms while the clients came and changes were made`,
    "",
    "by the time in the function itself (ms: self, total)",
    ...table("self"),
    "",
    "by the time in the function and what it calls (ms: self, total)",
    ...table("total"),
    "",
    `Heap: ${(alive / 1024).toFixed(0)} KiB were allocated meanwhile and are alive at the end, with all clients connected (sampled; KiB)`,
    ...memory.slice(0, shown).map(({ bytes, name }) => `${(bytes / 1024).toFixed(1).padStart(10)}  ${name}`),
    "",
  ].join("\n");
}

function lineOf({ name, self, total }: FunctionCost): string {
  return `${self.toFixed(1).padStart(10)}${total.toFixed(1).padStart(10)}  ${name}`;
}
