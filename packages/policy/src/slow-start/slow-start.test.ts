import { describe, expect, it } from "vitest";
import { exclude } from "../candidate.ts";
import type { CandidateRecord } from "../candidate.ts";
import { withHealth } from "../health/health.ts";
import { candidates, eureka, instance, keyOf, kubernetes, record } from "../testing/world.ts";
import { SlowStart, type SlowStartRule } from "./slow-start.ts";

const orders = keyOf("orders");
const rule: SlowStartRule = { overMs: 60_000, steps: 4, flapMs: 30_000 };
/** A whole multiple of a step, so that the first one begins at once. */
const begin = 1_800_000_000_000;

const at = (...ips: readonly string[]) => [candidates(record(eureka, ...ips.map((ip) => instance(eureka, ip))))];
const weightsOf = (records: readonly CandidateRecord[]) =>
  Object.fromEntries(
    records.flatMap((one) =>
      one.candidates.map(({ instance: { addresses, weight } }) => [
        addresses[0].type === "ip" ? addresses[0].ip : "",
        weight,
      ]),
    ),
  );

/** A service that was at one address for long, with a clock. */
function known(given: SlowStartRule = rule) {
  const slowStart = new SlowStart();
  slowStart.take(orders, given, at("192.0.2.1"), begin - 3_600_000);
  const take = (records: readonly CandidateRecord[], now: number) => slowStart.take(orders, given, records, now);
  return {
    slowStart,
    take,
    weights: (records: readonly CandidateRecord[], now: number) => weightsOf(take(records, now).records),
  };
}

describe("a slow start", () => {
  it("gives a new endpoint its weight in equal steps", () => {
    const { weights } = known();
    const both = at("192.0.2.1", "192.0.2.2");
    const seen = [0, 14_999, 15_000, 30_000, 45_000, 59_999, 60_000, 600_000].map((passed) => {
      const { "192.0.2.1": old = 0, "192.0.2.2": young = 0 } = weights(both, begin + passed);
      return young / old;
    });
    expect(seen).toEqual([0.2, 0.2, 0.4, 0.6, 0.8, 0.8, 1, 1]);
  });

  it("says when the next step is due, for all endpoints the same, and nothing once all are at their weight", () => {
    const { take } = known();
    take(at("192.0.2.1", "192.0.2.2"), begin + 1000);
    const all = at("192.0.2.1", "192.0.2.2", "192.0.2.3");
    expect(take(all, begin + 7000).dueAt).toBe(begin + 15_000);
    expect(take(all, begin + 15_000).dueAt).toBe(begin + 30_000);
    expect(take(all, begin + 75_000).dueAt).toBeUndefined();
  });

  it("tells of an endpoint that has less than its weight, since it began", () => {
    const { take } = known();
    const [first] = take(at("192.0.2.1", "192.0.2.2"), begin + 1000).records;
    expect(first?.candidates.map(({ findings }) => findings)).toEqual([
      [],
      [{ stage: "weights", code: "SLOW_START", since: begin + 1000 }],
    ]);
  });

  it("changes nothing where all endpoints begin together", () => {
    const slowStart = new SlowStart();
    const records = at("192.0.2.1", "192.0.2.2");
    expect(slowStart.take(orders, rule, records, begin).records).toBe(records);
    const { take } = known();
    const others = at("192.0.2.2", "192.0.2.3");
    expect(take(others, begin).records).toBe(others);
  });

  it("leaves a service without a rule alone, and remembers nothing of it", () => {
    const { slowStart } = known();
    const records = at("192.0.2.2");
    expect(slowStart.take(orders, undefined, records, begin).records).toBe(records);
    expect(slowStart.saved(begin)).toEqual([]);
  });

  it("begins when an endpoint can take traffic, not when it is listed", () => {
    const { take, weights } = known();
    const [plain] = at("192.0.2.1", "192.0.2.2");
    const unready = plain && {
      ...plain,
      candidates: plain.candidates.map((one, index) => (index === 1 ? withHealth(one, "UNHEALTHY") : one)),
    };
    const gone = plain && {
      ...plain,
      candidates: plain.candidates.map((one, index) => (index === 1 ? exclude(one, "drift", "GHOST", "") : one)),
    };
    if (plain === undefined || unready === undefined || gone === undefined) throw new Error("no record");
    take([unready], begin - 120_000);
    take([gone], begin - 60_000);
    expect(weights([plain], begin)).toEqual({ "192.0.2.1": 5, "192.0.2.2": 1 });
  });

  it.each([
    ["goes on after an absence that is short enough", 30_000, { "192.0.2.1": 5, "192.0.2.2": 4 }],
    ["begins anew after a longer one", 30_001, { "192.0.2.1": 5, "192.0.2.2": 1 }],
  ])("%s", (_name, away, expected) => {
    const { take, weights } = known();
    take(at("192.0.2.1", "192.0.2.2"), begin);
    take(at("192.0.2.1"), begin + 20_000);
    expect(weights(at("192.0.2.1", "192.0.2.2"), begin + 20_000 + away)).toEqual(expected);
  });

  it("is not begun anew by other attributes, but by another identity at the address", () => {
    const { take, weights } = known();
    take(at("192.0.2.1", "192.0.2.2"), begin);
    const relabelled = candidates(
      record(eureka, instance(eureka, "192.0.2.1"), instance(eureka, "192.0.2.2", { labels: { version: "2" } })),
    );
    expect(weights([relabelled], begin + 45_000)["192.0.2.2"]).toBe(4);
    const replaced = candidates(
      record(eureka, instance(eureka, "192.0.2.1"), instance(eureka, "192.0.2.2", { id: "another" })),
    );
    expect(weights([replaced], begin + 45_000)["192.0.2.2"]).toBe(1);
  });

  it("is one for an endpoint that several registries know", () => {
    const { take, weights } = known();
    take(at("192.0.2.1", "192.0.2.2"), begin);
    const second = candidates(record(kubernetes, instance(kubernetes, "192.0.2.2", { id: "pod" })));
    const [first] = at("192.0.2.1", "192.0.2.2");
    if (first === undefined) throw new Error("no record");
    expect(weights([first, second], begin + 30_000)["192.0.2.2"]).toBe(3);
    // The registry that knew it first forgets it.
    expect(weights([...at("192.0.2.1"), second], begin + 45_000)["192.0.2.2"]).toBe(4);
  });

  it("takes an endpoint that was there before anybody looked by the time at which it registered", () => {
    const slowStart = new SlowStart();
    const records = [
      candidates(
        record(
          eureka,
          instance(eureka, "192.0.2.1", { registeredAt: begin - 3_600_000 }),
          instance(eureka, "192.0.2.2", { registeredAt: begin - 30_000 }),
          instance(eureka, "192.0.2.3"),
        ),
      ),
    ];
    expect(weightsOf(slowStart.take(orders, rule, records, begin).records)).toEqual({
      "192.0.2.1": 5,
      "192.0.2.2": 3,
      "192.0.2.3": 5,
    });
  });

  it("goes on after a restart, also for one that was away just then", () => {
    const { slowStart, take } = known();
    take(at("192.0.2.1", "192.0.2.2", "192.0.2.3"), begin);
    take(at("192.0.2.1", "192.0.2.2"), begin + 16_000);
    const saved = JSON.parse(JSON.stringify(slowStart.saved(begin + 16_000))) as ReturnType<SlowStart["saved"]>;
    expect(saved.map(({ endpoints }) => endpoints.map(({ address }) => address))).toEqual([
      ["192.0.2.2:8080", "192.0.2.3:8080"],
    ]);
    const restored = new SlowStart(saved);
    const all = at("192.0.2.1", "192.0.2.2", "192.0.2.3");
    expect(weightsOf(restored.take(orders, rule, all, begin + 30_000).records)).toEqual({
      "192.0.2.1": 5,
      "192.0.2.2": 3,
      "192.0.2.3": 3,
    });
  });

  it("forgets after a day what was kept over a restart of a service that nobody tells of any more", () => {
    const kept = [
      {
        service: orders,
        endpoints: [
          { servicePort: "http", address: "192.0.2.1:8080", ids: ["x a"], since: begin - 60_000, leftAt: begin },
          { servicePort: "http", address: "192.0.2.2:8080", ids: ["x b"], since: begin - 30_000 },
        ],
      },
    ];
    const day = 86_400_000;
    const slowStart = new SlowStart(kept);
    expect(slowStart.saved(begin + day - 1)).toEqual(kept);
    expect(slowStart.saved(begin + day)).toEqual([]);
    // Also where the clock is set back: what is forgotten is forgotten.
    expect(slowStart.saved(begin)).toEqual([]);
  });

  it("forgets a service that is gone once its endpoints would be new", () => {
    const { slowStart, take } = known();
    const gone = take([], begin);
    expect(gone).toMatchObject({ changed: true, dueAt: begin + 30_001 });
    expect(take([], begin + 30_001)).toMatchObject({ changed: true, dueAt: undefined });
    expect(slowStart.saved(begin + 30_001)).toEqual([]);
  });

  it("keeps weights in the ratio that they have, within what clients can be told", () => {
    const { take } = known();
    const heavy = (ip: string) => instance(eureka, ip, { weight: 90_000 });
    const records = [candidates(record(eureka, heavy("192.0.2.1"), heavy("192.0.2.2")))];
    expect(weightsOf(take(records, begin).records)).toEqual({ "192.0.2.1": 90_000, "192.0.2.2": 18_000 });
  });
});
