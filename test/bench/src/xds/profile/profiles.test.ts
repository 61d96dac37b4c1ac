import type { HeapProfiler, Profiler } from "node:inspector";
import { expect, it } from "vitest";
import { frameName, functionCosts, functionsWithin, stretchesUnder } from "./cpu-profile.ts";
import { allocators } from "./heap-profile.ts";
import { profileReport } from "./profile-report.ts";

const frame = (functionName: string) => ({ functionName, scriptId: "1", url: "", lineNumber: 0, columnNumber: 0 });

// (root) → serve → encode → encode (recursion), and (root) → (idle); five looks, a millisecond apart.
const cpu: Profiler.Profile = {
  nodes: [
    { id: 1, callFrame: frame("(root)"), children: [2, 5] },
    { id: 2, callFrame: frame("serve"), children: [3] },
    { id: 3, callFrame: frame("encode"), children: [4] },
    { id: 4, callFrame: frame("encode") },
    { id: 5, callFrame: frame("(idle)") },
  ],
  startTime: 10_000,
  endTime: 15_000,
  samples: [2, 3, 4, 4, 5],
  timeDeltas: [0, 1000, 1000, 1000, 1000],
};
const node = (functionName: string, selfSize: number, children: HeapProfiler.SamplingHeapProfileNode[] = []) => ({
  callFrame: frame(functionName),
  selfSize,
  children,
  id: 0,
});
const heap = {
  head: node("(root)", 0, [node("encode", 4096), node("serve", 1024, [node("encode", 1024)])]),
  samples: [],
};

it("adds up what functions took themselves and with what they called, recursion once", () => {
  const costs = new Map(functionCosts(cpu).map(({ name, self, total }) => [name, [self, total]]));
  expect(costs.get("serve")).toEqual([1, 4]);
  expect(costs.get("encode")).toEqual([3, 3]);
  expect(costs.get("(root)")).toEqual([0, 5]);
});

it("sees which functions ran in a stretch of time, and no longer than it lasted", () => {
  expect(functionsWithin(cpu, 11_000, 12_500)).toEqual(new Map([["encode", 1.5]]));
});

it("tells when functions of some files ran, with what these called", () => {
  const nodes = cpu.nodes.map((node) =>
    node.id === 3 ? { ...node, callFrame: { ...node.callFrame, url: "file:///x/packages/xds/dist/encode.js" } } : node,
  );
  const stretches = stretchesUnder({ ...cpu, nodes }, (url) => url.includes("/xds/"));
  expect(stretches).toEqual([11, 12, 13].map((from) => ({ from, until: from + 1 })));
});

it("adds up what functions allocated, most first", () => {
  expect(allocators(heap)).toEqual([
    { name: "encode", bytes: 5120 },
    { name: "serve", bytes: 1024 },
  ]);
});

it("reports both without the idle time", () => {
  const text = profileReport(cpu, heap);
  expect(text).toContain("CPU: 4 ms");
  expect(text).toContain("Heap: 6 KiB");
  expect(text).not.toContain("(idle)");
});

it.each([
  ["file:///home/me/signalbox/packages/xds/dist/views.js", "of packages/xds/dist/views.js:8"],
  ["file:///srv/packages/a/node_modules/b/c.js", "of node_modules/b/c.js:8"],
  ["node:events", "of node:events:8"],
  ["", "of"],
])("names a function in %j", (url, name) => {
  expect(frameName({ functionName: "of", url, lineNumber: 7 })).toBe(name);
});
