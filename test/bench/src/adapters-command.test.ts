import { readFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import type { Row, Summary } from "./row.ts";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 300_000 });

const waited = [
  "change to event, p50",
  "change to event, p99",
  "acknowledgement to event, p50",
  "acknowledgement to event, p99",
];
const proxied = ["change to proxy, p50", "change to proxy, p99"];
const polled = [
  "change to event, p50",
  "change to event, longest",
  "poll sent to event, p50",
  "poll sent to event, p99",
  "answer there to event, p50",
  "answer there to event, p99",
];
const inTurns = ["change to event, p50", "change to event, longest"];
const resources = [
  "first sync",
  "first sync, CPU time",
  "heap",
  "heap before the adapter began",
  "buffers outside the heap",
  "resident memory",
  "CPU in a quiet time",
  "CPU in a quiet hour, full reads included",
];

/** The figures that each source must give, by setting. */
const expected = {
  consul: {
    "6 instances": [...waited, ...proxied],
    "320 instances": [...resources, ...waited],
    "320 instances, default cap": [...resources, ...inTurns],
  },
  eureka: { "6 instances": polled, "12 instances": [...resources, ...polled] },
  kubernetes: { "6 instances": [...waited, ...proxied], "12 instances": [...resources, ...waited] },
} as const;

// More services than the default cap, so that the queue is measured as well.
const sizes = { consul: "160", eureka: "6", kubernetes: "6" } as const;

describe("npm run bench:adapters", () => {
  it.each(["consul", "eureka", "kubernetes"] as const)("measures %s and gives every figure", async (source) => {
    const small = ["--instances", "2", "--changing", "3", "--changes", "10", "--quiet", "1", "--poll", "0.5"];
    const run = await command("adapters", "--source", source, "--services", sizes[source], ...small);
    expect(run.code, run.err).toBe(0);
    const figures = JSON.parse(await readFile(run.json, "utf8")) as {
      readonly machine: { readonly cores: number; readonly node: string };
      readonly remarks: readonly string[];
      readonly summaries: readonly Summary[];
      readonly rows: readonly Row[];
    };
    const found: Record<string, string[]> = {};
    for (const { figure, setting } of figures.summaries) (found[setting] ??= []).push(figure);
    expect(found).toEqual(expected[source]);
    for (const summary of figures.summaries) {
      const what = `${summary.setting}, ${summary.figure}`;
      expect(Number.isFinite(summary.value), what).toBe(true);
      expect([summary.source, summary.runs], what).toEqual([source, 1]);
      if (summary.bare !== undefined) expect(summary.ratio, what).toBeGreaterThan(0);
      expect(run.out).toContain(summary.figure);
    }
    expect(figures.rows).toHaveLength(figures.summaries.length);
    expect(figures.summaries.filter(({ bare }) => bare !== undefined).length).toBeGreaterThanOrEqual(6);
    expect(figures.machine.node).toBe(process.version);
    for (const remark of figures.remarks) expect(run.out).toContain(remark);
  });

  it.each([
    [["--source", "zookeeper"], 'there is no source "zookeeper"'],
    [["--services", "0"], "--services must be a whole number from 1"],
    [["--speed", "fast"], "--speed"],
  ])("refuses %j and says what it takes", async (args, said) => {
    const run = await command("adapters", ...args);
    expect(run.code).toBe(1);
    expect(run.err).toContain(said);
    expect(run.err).toContain("npm run bench:adapters -- [options]");
  });
});
