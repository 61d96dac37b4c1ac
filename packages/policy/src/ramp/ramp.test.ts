import { registryId } from "@signalbox/model";
import type { RegistryId } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { exclude, withFinding } from "../candidate.ts";
import { candidate, one, record, three, two } from "../merge/testing/candidates.ts";
import { observeRamp } from "./gates.ts";
import type { RampGates, RampObservation } from "./gates.ts";
import { rampAt, resume, rollback, startRamp } from "./ramp.ts";
import type { RampRule, RampState } from "./ramp.ts";

const shares = (to: number) => [
  { registry: "fake/one", weight: 100 - to },
  { registry: "fake/two", weight: to },
];
const hour = 3_600_000;
/** 0 % at hour 1, 10 % at hour 2, 50 % at hour 4, 100 % at hour 5. */
const steps = [
  { at: hour, shares: shares(0) },
  { at: 2 * hour, shares: shares(10) },
  { at: 4 * hour, shares: shares(50) },
  { at: 5 * hour, shares: shares(100) },
];
const ramp = (gates: RampGates = {}): RampRule => ({ steps, gates, onEmpty: "spill" });

function observed(more: Partial<RampObservation> = {}): RampObservation {
  return { ghosts: 0, eligible: new Map<RegistryId, number>(), problems: new Map<RegistryId, string>(), ...more };
}
const well = observed();
const anyText: unknown = expect.any(String);
const ghosts = observed({ ghosts: 0.5 });
const strict = ramp({ maxGhosts: 0.1 });

describe("a ramp that nothing is known of", () => {
  it.each([
    [0, 0],
    [hour, 0],
    [2 * hour - 1, 0],
    [2 * hour, 1],
    [4.5 * hour, 2],
    [100 * hour, 3],
  ])("is at %d ms at step %d", (now, step) => {
    expect(startRamp(ramp(), now)).toEqual({ step, enteredAt: steps[step]?.at });
    expect(rampAt(ramp(), undefined, now, well)).toMatchObject({ step, shares: steps[step]?.shares });
  });

  it("is at the step of its times also where a gate fails, and goes no further", () => {
    expect(rampAt(strict, undefined, 4.5 * hour, ghosts)).toMatchObject({ step: 2, holding: anyText });
  });

  it("has at least one step", () => {
    const none = { ...ramp(), steps: [] };
    expect(() => startRamp(none, 0)).toThrow(TypeError);
    expect(() => rampAt(none, { step: 0, enteredAt: 0 }, 0, well)).toThrow(TypeError);
  });
});

describe("a ramp that is read in time", () => {
  it("takes each step at its time, and says when the next one is", () => {
    let state = startRamp(ramp(), 0);
    const taken = [0, 1, 2, 3, 4, 5, 6].map((at) => {
      const reading = rampAt(ramp(), state, at * hour, well);
      state = reading.state;
      return [reading.step, reading.nextAt === undefined ? undefined : reading.nextAt / hour, reading.holding];
    });
    expect(taken).toEqual([
      [0, 2, undefined],
      [0, 2, undefined],
      [1, 4, undefined],
      [1, 4, undefined],
      [2, 5, undefined],
      [3, undefined, undefined],
      [3, undefined, undefined],
    ]);
  });

  it("keeps its state as it is between steps", () => {
    const state = startRamp(ramp(), hour);
    expect(rampAt(ramp(), state, 1.5 * hour, well).state).toBe(state);
  });

  it("keeps its state in JSON", () => {
    const state = rollback(rampAt(strict, { step: 1, enteredAt: 2 * hour }, 4 * hour, ghosts).state, 4 * hour);
    expect(JSON.parse(JSON.stringify(state))).toEqual(state);
  });
});

describe("a ramp that was not read for long", () => {
  it("takes its steps one by one, at once, and is as far as the others", () => {
    const first = rampAt(ramp(), { step: 0, enteredAt: hour }, 4.5 * hour, well);
    expect(first).toMatchObject({ step: 1, nextAt: 4 * hour });
    const second = rampAt(ramp(), first.state, 4.5 * hour, well);
    expect(second).toMatchObject({ step: 2, nextAt: 5 * hour });
    expect(second.state).toEqual(startRamp(ramp(), 4.5 * hour));
  });
});

describe("gates", () => {
  const eligible = new Map([
    [two, 3],
    [three, 2],
  ]);
  it.each<{ name: string; gates: RampGates; seen: Partial<RampObservation>; holding: unknown }>([
    {
      name: "no gates hold nothing",
      gates: {},
      seen: { ghosts: 1, problems: new Map([[one, "x"]]) },
      holding: undefined,
    },
    { name: "as many ghosts as allowed", gates: { maxGhosts: 0.5 }, seen: { ghosts: 0.5 }, holding: undefined },
    {
      name: "more ghosts than allowed",
      gates: { maxGhosts: 0.05 },
      seen: { ghosts: 0.125 },
      holding: "12.5% of the target's endpoints are ghosts, more than 5%",
    },
    {
      name: "ghosts that nobody could count",
      gates: { maxGhosts: 1 },
      seen: { ghosts: Number.NaN },
      holding: anyText,
    },
    { name: "enough eligible ones", gates: { minEligible: { "fake/two": 3 } }, seen: { eligible }, holding: undefined },
    {
      name: "enough of several registries",
      gates: { minEligible: { "fake/t*": 5 } },
      seen: { eligible },
      holding: undefined,
    },
    {
      name: "too few eligible ones",
      gates: { minEligible: { "fake/two": 4, "fake/one": 1 } },
      seen: { eligible },
      holding: "fake/one has 0 eligible endpoints, fewer than 1; fake/two has 3 eligible endpoints, fewer than 4",
    },
    {
      name: "a registry in trouble",
      gates: { noErrorStates: true },
      seen: {
        problems: new Map([
          [two, "STALE"],
          [one, "UNREACHABLE"],
        ]),
      },
      holding: "fake/one: UNREACHABLE; fake/two: STALE",
    },
    {
      name: "a registry in trouble that has no share",
      gates: { noErrorStates: true },
      seen: { problems: new Map([[registryId("other", "one"), "STALE"]]) },
      holding: undefined,
    },
  ])("decide: $name", ({ gates, holding, seen }) => {
    const reading = rampAt(ramp(gates), { step: 0, enteredAt: hour }, 2 * hour, observed(seen));
    expect(reading.holding).toEqual(holding);
    expect(reading.step).toBe(holding === undefined ? 1 : 0);
  });

  it("hold a step that is due until they are well again, which moves the rest of the ramp", () => {
    const held = rampAt(strict, { step: 0, enteredAt: hour }, 2 * hour, ghosts);
    expect(held).toMatchObject({ step: 0, shares: shares(0), holding: anyText });
    expect(held).not.toHaveProperty("nextAt");
    expect(held.state).toEqual({ step: 0, enteredAt: hour, heldSince: 2 * hour });
    const still = rampAt(strict, held.state, 2.5 * hour, ghosts);
    expect(still.state).toBe(held.state);
    const entered = rampAt(strict, still.state, 3 * hour, well);
    expect(entered).toMatchObject({ step: 1, state: { step: 1, enteredAt: 3 * hour }, nextAt: 5 * hour });
    expect(rampAt(strict, entered.state, 4.9 * hour, well)).toMatchObject({ step: 1 });
    expect(rampAt(strict, entered.state, 5 * hour, well)).toMatchObject({ step: 2, nextAt: 6 * hour });
  });

  it("that fail between two steps hold, and move nothing if they are well in time", () => {
    const held = rampAt(strict, { step: 1, enteredAt: 2 * hour }, 3 * hour, ghosts);
    expect(held).toMatchObject({
      step: 1,
      holding: anyText,
      nextAt: 4 * hour,
      state: { heldSince: 3 * hour },
    });
    const free = rampAt(strict, held.state, 3.5 * hour, well);
    expect(free).toMatchObject({ step: 1, nextAt: 4 * hour, state: { step: 1, enteredAt: 2 * hour } });
    expect(free).not.toHaveProperty("holding");
    expect(free.state).not.toHaveProperty("heldSince");
  });

  it("have nothing to hold after the last step", () => {
    const reading = rampAt(strict, { step: 3, enteredAt: 5 * hour }, 9 * hour, ghosts);
    expect(reading).toEqual({ step: 3, shares: shares(100), state: { step: 3, enteredAt: 5 * hour } });
  });
});

describe("a rollback", () => {
  const state: RampState = { step: 2, enteredAt: 4 * hour };

  it("has the previous shares at once, and keeps them until it is resumed", () => {
    const back = rollback(state, 4.2 * hour);
    for (const now of [4.2, 5, 50])
      expect(rampAt(ramp(), back, now * hour, well)).toEqual({
        step: 1,
        shares: shares(10),
        holding: "step 3 was rolled back",
        state: back,
      });
  });

  it("can be followed by another, down to the first step", () => {
    const [once, twice] = [rollback(state, 1), rollback(rollback(state, 1), 2)];
    expect(once).toEqual({ step: 1, enteredAt: 1, rolledBack: { from: 2, at: 1 } });
    expect(twice).toEqual({ step: 0, enteredAt: 2, rolledBack: { from: 2, at: 2 } });
    expect(rollback(twice, 3)).toMatchObject({ step: 0, rolledBack: { from: 2 } });
  });

  it("is resumed with the whole time of the step before the next one", () => {
    const resumed = resume(rollback(state, 4.2 * hour), 10 * hour);
    expect(resumed).toEqual({ step: 1, enteredAt: 10 * hour });
    expect(rampAt(ramp(), resumed, 10 * hour, well)).toMatchObject({ step: 1, nextAt: 12 * hour });
    expect(rampAt(ramp(), resumed, 12 * hour, well)).toMatchObject({ step: 2, nextAt: 13 * hour });
  });

  it("that is resumed before the ramp began does not begin it early", () => {
    const resumed = resume(rollback(startRamp(ramp(), 0), 1), 2);
    expect(rampAt(ramp(), resumed, 2, well)).toMatchObject({ step: 0, nextAt: 2 * hour });
  });

  it("is not there to be resumed where there was none", () => {
    expect(resume(state, 9 * hour)).toBe(state);
  });
});

describe("a changed rule", () => {
  it("leaves the ramp at its step, with the new time of the next", () => {
    const later = { ...ramp(), steps: steps.map((step, at) => (at === 2 ? { ...step, at: 4.5 * hour } : step)) };
    expect(rampAt(later, { step: 1, enteredAt: 2 * hour }, 4 * hour, well)).toMatchObject({
      step: 1,
      nextAt: 4.5 * hour,
    });
  });

  it("that has fewer steps leaves the ramp at its last", () => {
    const fewer = { ...ramp(), steps: steps.slice(0, 2) };
    expect(rampAt(fewer, { step: 3, enteredAt: 5 * hour }, 6 * hour, well)).toMatchObject({
      step: 1,
      shares: shares(10),
    });
  });
});

describe("what a ramp observes", () => {
  const port = (
    registry: RegistryId,
    ip: string,
    servicePort: string,
    healthStatus: "HEALTHY" | "DRAINING" = "HEALTHY",
  ) => candidate(registry, ip, { id: `${servicePort} ${ip}`, servicePort, healthStatus });

  it("counts eligible endpoints by registry, of the port that has the fewest", () => {
    const { eligible } = observeRamp(
      shares(10),
      [
        record(one, [candidate(one, "192.0.2.1"), exclude(candidate(one, "192.0.2.2"), "guard", "X", "")]),
        record(two, [
          port(two, "192.0.2.1", "http"),
          port(two, "192.0.2.2", "http"),
          port(two, "192.0.2.1", "tcp"),
          port(two, "192.0.2.2", "tcp", "DRAINING"),
        ]),
        record(three, []),
      ],
      new Map(),
    );
    expect(eligible).toEqual(
      new Map([
        [one, 1],
        [two, 1],
        [three, 0],
      ]),
    );
  });

  it("counts ghosts of the target only, those that were taken out and those that were only noted", () => {
    const noted = withFinding(candidate(two, "192.0.2.1"), "drift", "GHOST", 1);
    const out = exclude(candidate(two, "192.0.2.2"), "drift", "GHOST", "no pod has it");
    const other = withFinding(candidate(two, "192.0.2.3"), "drift", "NOT_READY", 1);
    const source = withFinding(candidate(one, "192.0.2.4"), "drift", "GHOST", 1);
    const see = (all: (typeof noted)[]) =>
      observeRamp(shares(10), [record(one, [source]), record(two, all)], new Map()).ghosts;
    expect(see([noted, out, other, candidate(two, "192.0.2.5")])).toBe(0.5);
    expect(see([other])).toBe(0);
    expect(see([])).toBe(0);
  });
});
