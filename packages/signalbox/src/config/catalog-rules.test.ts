import { serviceKey } from "@signalbox/model";
import { ConfigError, formatPath } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { catalogRules } from "./catalog-rules.ts";
import { checkConfig, parseConfig } from "./check.ts";
import type { SignalboxConfigInput } from "./schema.ts";

type Service = NonNullable<SignalboxConfigInput["services"]>[number];
type Ramp = NonNullable<Service["ramp"]>;

const split = (eureka: number, kubernetes: number) => ({ "eureka/main": eureka, "kubernetes/main": kubernetes });
const step = (at: string, eureka: number, kubernetes: number) => ({ at, split: split(eureka, kubernetes) });
const steps = [step("2026-03-01T09:00:00Z", 90, 10), step("2026-03-02T10:00:00+01:00", 0, 100)];

function rulesOf(hostname: string, ...services: readonly Service[]) {
  const config = parseConfig({ services: [...services] });
  return catalogRules(config).of(serviceKey({ namespace: "shop", hostname }));
}

describe("a ramp of the configuration", () => {
  it("is a rule with times in milliseconds", () => {
    const gates = { maxGhosts: 0.05, minEligible: { "kubernetes/main": 3 }, noErrorStates: true };
    expect(rulesOf("orders", { match: "orders", ramp: { steps, gates } }).ramp).toEqual({
      steps: [
        {
          at: Date.UTC(2026, 2, 1, 9),
          shares: [
            { registry: "eureka/main", weight: 90 },
            { registry: "kubernetes/main", weight: 10 },
          ],
        },
        {
          at: Date.UTC(2026, 2, 2, 9),
          shares: [
            { registry: "eureka/main", weight: 0 },
            { registry: "kubernetes/main", weight: 100 },
          ],
        },
      ],
      gates,
      onEmpty: "spill",
    });
  });

  it.each<[string, readonly Service[], boolean, string]>([
    [
      "a ramp before a general merge",
      [
        { match: "orders", ramp: { steps } },
        { match: "*", merge: "union" },
      ],
      true,
      "",
    ],
    [
      "a merge before a general ramp",
      [
        { match: "orders", merge: { prefer: ["a/b"] } },
        { match: "*", ramp: { steps } },
      ],
      false,
      "prefer",
    ],
    [
      "an entry that has neither, before both",
      [
        { match: "orders", drift: "exclude" },
        { match: "*", ramp: { steps } },
      ],
      true,
      "",
    ],
  ])("counts by the first entry that shares the service: %s", (_name, services, ramps, merge) => {
    const rules = rulesOf("orders", ...services);
    expect(rules.ramp !== undefined).toBe(ramps);
    expect(rules.merge.type).toBe(ramps ? "union" : merge);
  });

  const faultsOf = (ramp: unknown, more: object = {}): readonly string[] => {
    const { faults = [] } = checkConfig({ services: [{ match: "orders", ramp, ...more }] });
    return faults.map(({ message, path }) => `${formatPath(path)}: ${message}`);
  };

  it.each<[string, unknown, object, readonly string[]]>([
    ["a merge beside it", { steps }, { merge: "union" }, ["services[0].ramp: a service has either merge or ramp"]],
    [
      "steps out of order",
      { steps: [...steps].reverse() },
      {},
      ["services[0].ramp.steps[1].at: must come after 2026-03-02T10:00:00+01:00"],
    ],
    [
      "two steps at one moment",
      { steps: [step("2026-03-01T09:00:00Z", 9, 1), step("2026-03-01T10:00:00+01:00", 5, 5)] },
      {},
      ["services[0].ramp.steps[1].at: must come after 2026-03-01T09:00:00Z"],
    ],
    [
      "steps that move to different registries",
      { steps: [steps[0], { at: "2026-03-02T09:00:00Z", split: { "kubernetes/main": 1, "eureka/main": 1 } }] },
      {},
      [
        "services[0].ramp.steps[1].split: moves to eureka/main, the step before to kubernetes/main: the last registry must be the same",
      ],
    ],
  ])("has a clear fault for %s", (_name, ramp, more, faults) => {
    expect(faultsOf(ramp, more)).toEqual(faults);
  });

  it.each<[string, unknown, string]>([
    ["no steps", { steps: [] }, "services[0].ramp.steps"],
    ["a time without a zone", { steps: [step("2026-03-01T09:00:00", 9, 1)] }, "services[0].ramp.steps[0].at"],
    ["a day", { steps: [step("2026-03-01", 9, 1)] }, "services[0].ramp.steps[0].at"],
    ["a split without a share", { steps: [step("2026-03-01T09:00:00Z", 0, 0)] }, "services[0].ramp.steps[0].split"],
    ["more ghosts than all", { steps, gates: { maxGhosts: 2 } }, "services[0].ramp.gates.maxGhosts"],
    ["an unknown gate", { steps, gates: { maxGhost: 1 } }, "services[0].ramp.gates.maxGhost"],
  ])("refuses %s", (_name, ramp, place) => {
    const faults = faultsOf(ramp);
    expect(faults).toHaveLength(1);
    expect(faults[0]).toMatch(new RegExp(`^${place.replaceAll(/[[\].]/g, "\\$&")}: `));
    expect(() => parseConfig({ services: [{ match: "orders", ramp: ramp as Ramp }] })).toThrow(ConfigError);
  });
});

describe("migration rules of the configuration", () => {
  it.each([
    [{}, { parity: 0.95, forMs: 0 }],
    [
      { parity: 1, for: "5m" },
      { parity: 1, forMs: 300_000 },
    ],
  ])("of %j are %j", (migration, rules) => {
    expect(rulesOf("orders", { match: "orders", migration }).migration).toEqual(rules);
  });

  it("are not there where nobody gives any", () => {
    expect(rulesOf("orders", { match: "orders" })).not.toHaveProperty("migration");
  });
});

describe("an empty share of the configuration", () => {
  it("spills unless it is to fail, in a split and in a ramp", () => {
    const onEmpty = "blackhole";
    expect(rulesOf("a", { match: "a", merge: { split: split(1, 1) } }).merge).toMatchObject({ onEmpty: "spill" });
    expect(rulesOf("a", { match: "a", merge: { split: split(1, 1), onEmpty } }).merge).toMatchObject({ onEmpty });
    expect(rulesOf("a", { match: "a", ramp: { steps, onEmpty } }).ramp).toMatchObject({ onEmpty });
  });
});

describe("a slow start of the configuration", () => {
  it("is a rule with times in milliseconds, with the first entry that has one", () => {
    expect(
      rulesOf(
        "orders",
        { match: "orders", slowStart: { over: "1m" } },
        { match: "*", slowStart: { over: "5m", steps: 2 } },
      ).slowStart,
    ).toEqual({ overMs: 60_000, steps: 4, flapMs: 30_000 });
    expect(rulesOf("orders", { match: "orders" }).slowStart).toBeUndefined();
  });
});

describe("rules of services that no entry fits", () => {
  it.each<[string, readonly Service[]]>([
    ["without any entry", []],
    ["beside an entry for others", [{ match: "pay", merge: { prefer: ["a/b"] } }]],
  ])("are one object for all of them: %s", (_, services) => {
    const { of } = catalogRules(parseConfig({ services: [...services] }));
    const key = (hostname: string) => serviceKey({ namespace: "shop", hostname });
    expect(of(key("orders"))).toBe(of(key("carts")));
    expect(of(key("orders")).merge).toEqual({ type: "union" });
  });
});
