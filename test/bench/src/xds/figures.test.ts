import { describe, expect, it } from "vitest";
import type { FigureName } from "./cell.ts";
import { figureOf } from "./figures.ts";
import { changed, counted, report, sample } from "./testing/reports.ts";

describe("figures of a scene", () => {
  it.each<[FigureName, number]>([
    ["sync, all clients", 2000],
    ["sync, CPU", 1000],
    ["sync, CPU per MB", 200],
    ["sync, bytes per client", 500],
    ["change to client, p50", 5],
    ["change to client, p99", 9],
    ["change to client, lost", 0],
    ["CPU per change", 12],
    ["bytes per change and client", 500],
    ["assignments sent per change", 20],
    ["clusters sent per change", 0],
    ["resident memory", 100],
  ])("%s is %d", (name, value) => {
    expect(figureOf(name, changed())).toBeCloseTo(value, 6);
  });

  it("are those of the churn where there was one", () => {
    const churn = {
      changes: 50,
      changes_per_s: 100,
      lost: 3,
      latency: { n: 500, p50_ms: 20, p99_ms: 40, max_ms: 41 },
      drain_s: 0.25,
      payload_bytes: 100_000,
      server_cpu_ms_per_change: 2,
      types: { rds: counted(100) },
    };
    const seen = { report: report({ churn }) };
    const of = (name: FigureName) => figureOf(name, seen);
    expect(of("change to client, lost")).toBe(3);
    expect(of("change to client, p99")).toBe(40);
    expect(of("bytes per change and client")).toBe(200);
    expect(of("newest value at all after")).toBe(250);
    expect(of("route tables sent per change")).toBe(2);
  });

  it("share what more clients hold among those that are more", () => {
    const settled = (heap_bytes: number, external_bytes: number) => ({
      ...report().samples,
      settled: sample(4, { heap_bytes, external_bytes }),
    });
    const seen = {
      before: report({ clients: 2, samples: settled(10_000, 5000) }),
      report: report({ clients: 10, samples: settled(80_000, 15_000) }),
    };
    expect(figureOf("live heap per connection", seen)).toBe(10);
  });

  it("take the longest delay of the event loop from all of the time", () => {
    const loop = (max: number) => sample(5, { loop: { p50: 1, p99: 2, max, slice: max / 2, own: max / 3 } });
    const samples = { ...report().samples, settled: loop(90), after_changes: loop(8) };
    const seen = { report: report({ samples }) };
    expect(figureOf("event loop delay, longest", seen)).toBe(90);
    expect(figureOf("event loop delay, p99", seen)).toBe(2);
    expect(figureOf("longest slice, product's functions", seen)).toBe(30);
  });

  it("tell the longest slice of each phase apart", () => {
    const loop = (slice: number) => sample(5, { loop: { p50: 1, p99: 2, max: 100, slice, own: 0 } });
    const samples = { ...report().samples, before: loop(3), settled: loop(4), after_changes: loop(5), gone: loop(6) };
    const phases = [
      "longest slice, start",
      "longest slice, clients come",
      "longest slice, changes",
      "longest slice, clients go",
    ] as const;
    expect(phases.map((phase) => figureOf(phase, { report: report({ samples }) }))).toEqual([3, 4, 5, 6]);
  });

  it("count the start of the process and the sync of its first client together", () => {
    const seen = { report: report(), readyMs: 700 };
    expect(figureOf("start until ready", seen)).toBe(700);
    expect(figureOf("start until first client has all", seen)).toBe(2700);
    expect(figureOf("resident memory after start", seen)).toBe(100);
  });

  it("share the CPU time of an idle time among its seconds, from the last thing that happened", () => {
    const samples = { ...report().samples, settled: sample(4.5, {}, 10), after_hold: sample(4.6, {}, 15) };
    expect(figureOf("CPU when idle", { report: report({ samples }) })).toBeCloseTo(2, 9);
    const changes = { ...samples, after_changes: sample(4.55, {}, 13) };
    expect(figureOf("CPU when idle", { report: report({ samples: changes }) })).toBeCloseTo(2.5, 9);
  });

  it.each<FigureName>([
    "live heap per connection",
    "event loop delay, p50",
    "newest value at all after",
    "longest slice, changes",
    "start until ready",
    "CPU when idle",
  ])("%s is an error where the scene does not say it", (name) => {
    expect(() => figureOf(name, changed())).toThrow(RangeError);
  });

  it("have no time of a change that nobody saw", () => {
    const nobody = changed({ latency_from_trigger_start: null, client_changes_missed: 40 });
    expect(() => figureOf("change to client, p50", nobody)).toThrow(RangeError);
    expect(figureOf("change to client, lost", nobody)).toBe(40);
  });
});
