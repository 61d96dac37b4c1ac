import { describe, expect, it } from "vitest";
import { createMetrics } from "./metrics.ts";
import type { DebugSources, DecisionsView, DriftCountView, JournalView } from "./sources.ts";
import { sources } from "./testdata/world.ts";

function world(more: Partial<DebugSources>) {
  const metrics = createMetrics({ sources: sources(more), processMetrics: false, now: () => 1_000_000 });
  /** Lines of one metric, without its name. */
  const read = async (name: string): Promise<string[]> =>
    (await metrics.text())
      .split("\n")
      .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
      .map((line) => line.slice(name.length).trim());
  return { metrics, read };
}

const nothing: DecisionsView = {
  drift: () => ({ counts: [] }),
  guards: () => [],
  overrides: () => [],
  withdrawals: () => undefined,
  collisions: () => [],
};

function count(service: string, verdict: string, of: number, registry = "eureka/main"): DriftCountView {
  return { service, verdict, count: of, registry };
}

function drifting(counts: readonly DriftCountView[]): Partial<DebugSources> {
  return { decisions: () => ({ ...nothing, drift: () => ({ counts }) }) };
}

const drift = "signalbox_drift_instances";

describe("the metric of drift", () => {
  it("names the services whose endpoints are in doubt, and only counts the others", async () => {
    const { read } = world(
      drifting([
        count("shop/a", "CONFIRMED", 3),
        count("shop/a", "GHOST", 2),
        count("shop/a", "CONFIRMED", 1, "consul/dc1"),
        count("shop/b", "CONFIRMED", 4),
        count("shop/b", "UNVERIFIABLE", 1),
        count("shop/b", "PORT_MISMATCH", 5),
      ]),
    );
    expect(await read(drift)).toEqual([
      '{service="shop/b",source="eureka/main",verdict="port_mismatch"} 5',
      '{service="shop/a",source="eureka/main",verdict="ghost"} 2',
      '{service="",source="eureka/main",verdict="confirmed"} 7',
      '{service="",source="consul/dc1",verdict="confirmed"} 1',
      '{service="",source="eureka/main",verdict="unverifiable"} 1',
    ]);
  });

  it("names at most 1,000, those with the most endpoints, and loses no endpoint", async () => {
    const counts = Array.from({ length: 1500 }, (_, i) => count(`shop/s${i}`, "GHOST", i + 1));
    const { read } = world(drifting([...counts, count("shop/s0", "NOT_READY", 1)]));
    const lines = await read(drift);
    expect(lines).toHaveLength(1002);
    expect(lines[0]).toBe('{service="shop/s1499",source="eureka/main",verdict="ghost"} 1500');
    expect(lines[999]).toContain('service="shop/s500"');
    expect(lines.slice(1000)).toEqual([
      '{service="",source="eureka/main",verdict="ghost"} 125250',
      '{service="",source="eureka/main",verdict="not_ready"} 1',
    ]);
  });

  it("is the same in whatever order the counts come", async () => {
    const counts = Array.from({ length: 1100 }, (_, i) => count(`shop/s${i}`, "GHOST", 1));
    const [some, others] = [world(drifting(counts)), world(drifting(counts.toReversed()))];
    expect(await others.read(drift)).toEqual(await some.read(drift));
  });

  it("is made when it is scraped and at no other time, without rows", async () => {
    const asked: boolean[] = [];
    const decisions: DecisionsView = {
      ...nothing,
      drift: (shows) => {
        asked.push(shows("GHOST"));
        return { counts: [] };
      },
    };
    const { metrics } = world({ decisions: () => decisions });
    metrics.guardDecided({ registry: "eureka/main", type: "tripped" });
    await metrics.json();
    expect(asked).toEqual([]);
    await metrics.text();
    expect(asked).toEqual([false]);
  });

  it.each([
    ["takes at most a fiftieth of the time", 100, 5000],
    ["is never older than a minute, however long it took", 5000, 60_000],
  ])("%s", async (_name, takes, kept) => {
    const clock = { now: 1_000_000 };
    let made = 0;
    const decisions: DecisionsView = {
      ...nothing,
      drift: () => {
        clock.now += takes;
        made++;
        return { counts: [count("shop/a", "GHOST", made)] };
      },
    };
    const metrics = createMetrics({
      sources: sources({ decisions: () => decisions }),
      processMetrics: false,
      now: () => clock.now,
    });
    await metrics.text();
    clock.now += kept - 1;
    expect(await metrics.text()).toContain('verdict="ghost"} 1');
    expect(made).toBe(1);
    clock.now += 1;
    expect(await metrics.text()).toContain('verdict="ghost"} 2');
    // The clock is set back by an hour.
    clock.now -= 3_600_000;
    await metrics.text();
    expect(made).toBe(3);
  });

  it("forgets what is over", async () => {
    let counts = [count("shop/a", "GHOST", 2)];
    const { read } = world({ decisions: () => ({ ...nothing, drift: () => ({ counts }) }) });
    expect(await read(drift)).toHaveLength(1);
    counts = [];
    expect(await read(drift)).toEqual([]);
  });
});

describe("the metrics of guards", () => {
  const guard = (registry: string, scope: string, endpoints: number) => ({ registry, scope, held: { endpoints } });

  it("add up what is held by registry and scope, and forget a guard that let go", async () => {
    let guards = [guard("a/1", "service", 2), guard("a/1", "service", 3), guard("a/1", "source", 7)];
    const { read } = world({ decisions: () => ({ ...nothing, guards: () => guards }) });
    expect(await read("signalbox_guard_open")).toEqual(['{registry="a/1"} 3']);
    expect(await read("signalbox_guard_held_endpoints")).toEqual([
      '{registry="a/1",scope="service"} 5',
      '{registry="a/1",scope="source"} 7',
    ]);
    guards = [];
    expect(await read("signalbox_guard_open")).toEqual([]);
    expect(await read("signalbox_guard_held_endpoints")).toEqual([]);
  });

  it("count decisions by what was decided and why", async () => {
    const { metrics, read } = world({});
    metrics.guardDecided({ registry: "a/1", type: "tripped" });
    metrics.guardDecided({ registry: "a/1", type: "released", reason: "recovery" });
    metrics.guardDecided({ registry: "a/1", type: "released", reason: "recovery" });
    expect(await read("signalbox_guard_decisions_total")).toEqual([
      '{registry="a/1",type="tripped"} 1',
      '{registry="a/1",type="released",reason="recovery"} 2',
    ]);
  });
});

describe("the metrics of people and names", () => {
  it("count overrides and collisions, say whether withdrawals stopped, and are 0 where another process decides", async () => {
    let decisions: DecisionsView | undefined = {
      ...nothing,
      ...{ overrides: () => [{}, {}], collisions: () => [{}], withdrawals: () => ({ stopped: {} }) },
    };
    const { read } = world({ decisions: () => decisions });
    expect(await read("signalbox_overrides")).toEqual(["2"]);
    expect(await read("signalbox_withdrawals_stopped")).toEqual(["1"]);
    expect(await read("signalbox_service_name_collisions")).toEqual(["1"]);
    decisions = undefined;
    expect(await read("signalbox_overrides")).toEqual(["0"]);
    expect(await read("signalbox_withdrawals_stopped")).toEqual(["0"]);
    expect(await read("signalbox_service_name_collisions")).toEqual(["0"]);
  });
});

describe("the metrics of the journal", () => {
  it("show what was written and lost, each scrape anew", async () => {
    let journal: JournalView | undefined = { seq: 12, lost: 2, bytes: 500, degraded: { message: "no space" } };
    const { read } = world({ journal: () => journal });
    const names = ["sequence", "lost_total", "bytes", "degraded"].map((name) => `signalbox_journal_${name}`);
    const all = async () => (await Promise.all(names.map((name) => read(name)))).flat();
    expect(await all()).toEqual(["12", "2", "500", "1"]);
    journal = { seq: 13, lost: 2, bytes: 600 };
    expect(await all()).toEqual(["13", "2", "600", "0"]);
    journal = undefined;
    expect(await all()).toEqual(["0", "0", "0", "0"]);
  });
});

describe("the metric of the lead", () => {
  it.each([
    ["leads", true, "1"],
    ["does not lead", false, "0"],
  ])("says whether this process %s", async (_name, led, value) => {
    const { read } = world({ bus: () => ({ led, consumers: [] }) });
    expect(await read("signalbox_bus_leading")).toEqual([value]);
  });
});
