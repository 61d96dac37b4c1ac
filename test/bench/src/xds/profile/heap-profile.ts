import type { HeapProfiler } from "node:inspector";
import { frameName } from "./cpu-profile.ts";

/** What one function allocated and is alive. */
export interface Allocator {
  readonly name: string;
  readonly bytes: number;
}

/** Who allocated what is alive in a sampled heap profile, most first. */
export function allocators({ head }: HeapProfiler.SamplingHeapProfile): readonly Allocator[] {
  const found = new Map<string, number>();
  const pending = [head];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    const name = frameName(node.callFrame);
    if (node.selfSize > 0) found.set(name, (found.get(name) ?? 0) + node.selfSize);
    pending.push(...node.children);
  }
  return [...found].map(([name, bytes]) => ({ name, bytes })).sort((a, b) => b.bytes - a.bytes);
}
