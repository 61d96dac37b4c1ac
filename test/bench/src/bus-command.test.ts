import { readFile } from "node:fs/promises";
import { describe, expect, it, vi } from "vitest";
import type { Row, Summary } from "./row.ts";
import { command } from "./testing/command.ts";

vi.setConfig({ testTimeout: 300_000 });

const buses = ["in-process", "sockets", "nats", "redis"];
const more = "change to event, p50, more than in-process";
const always = [
  "subscribe to snapshot",
  "snapshot to ready",
  "ready",
  "subscribe to snapshot, CPU time",
  "snapshot to ready, CPU time",
  "ready, CPU time",
  "heap of the publisher",
  "heap before it began",
  "buffers outside the heap",
  "resident memory",
  "time to lead",
  "time to lead, CPU time",
  "change to event, p50",
  "change to event, p99",
];
const rate = [
  "changes published one after the other",
  "CPU time of the writer for a change",
  "all of them at the publisher",
];
const expected: Readonly<Record<string, readonly string[]>> = {
  "5 services": always,
  "30 services": [...always, ...rate],
  "30 services, skewed": always,
};

describe("npm run bench -- bus", () => {
  it("measures every bus in every run and gives every figure", async () => {
    const small = ["--few", "5", "--services", "30", "--instances", "3", "--changes", "10", "--published", "40"];
    const run = await command("bench", "bus", ...small, "--runs", "2");
    expect(run.code, run.err).toBe(0);
    const { rows, summaries } = JSON.parse(await readFile(run.json, "utf8")) as {
      readonly rows: readonly Row[];
      readonly summaries: readonly Summary[];
    };
    for (const bus of buses) {
      for (const [setting, figures] of Object.entries(expected)) {
        const found = summaries.filter((summary) => summary.source === bus && summary.setting === setting);
        const wanted = bus === "in-process" ? figures : [...figures, more];
        expect(found.map(({ figure }) => figure).sort(), `${bus}, ${setting}`).toEqual([...wanted].sort());
        for (const { figure, highest, lowest, ratio, runs, value } of found) {
          expect(Number.isFinite(value) && lowest <= value && value <= highest, figure).toBe(true);
          expect(runs).toBe(2);
          if (bus !== "in-process" && figure !== more) expect(ratio, figure).toBeGreaterThan(0);
        }
      }
    }
    expect(rows).toHaveLength(summaries.length * 2);
    const inMore = summaries.filter(({ figure }) => figure === more);
    expect(inMore.map(({ limit }) => limit)).toEqual(inMore.map(() => 5));
    expect(run.out).toContain("medians of 2 runs");
  });

  it("measures one bus beside that of one process", async () => {
    const small = ["--few", "2", "--services", "3", "--changes", "3", "--published", "3"];
    const run = await command("bench", "bus", "--bus", "sockets", ...small);
    expect(run.code, run.err).toBe(0);
    const { summaries } = JSON.parse(await readFile(run.json, "utf8")) as { readonly summaries: readonly Summary[] };
    expect([...new Set(summaries.map(({ source }) => source))]).toEqual(["in-process", "sockets"]);
  });

  it.each([
    [["bus", "--bus", "kafka"], 'there is no bus "kafka"', "npm run bench -- bus [options]"],
    [["bus", "--services", "0"], "--services must be a whole number from 1", "npm run bench -- bus [options]"],
    [["bus", "--changes", "65000"], "at most 65536 together", "npm run bench -- bus [options]"],
    [["trains"], "trains", "npm run bench -- [part] [options]"],
    [["adapters", "--source", "zookeeper"], 'there is no source "zookeeper"', "npm run bench:adapters -- [options]"],
  ])("refuses %j and says what it takes", async (args, said, usage) => {
    const run = await command("bench", ...args);
    expect(run.code).toBe(1);
    expect(run.err).toContain(said);
    expect(run.err).toContain(usage);
  });
});
