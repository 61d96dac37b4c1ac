import type { HealthStatus } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { defaultRules } from "../rules.ts";
import { candidates, consul, eureka, instance, kubernetes, record } from "../testing/world.ts";
import { healthStage, worse } from "./health.ts";

const rule = defaultRules.health;

function composed(ignore: readonly string[], ...said: readonly (readonly [typeof eureka, HealthStatus])[]) {
  const records = said.map(([registry, healthStatus]) =>
    candidates(record(registry, instance(registry, "10.0.0.1", { healthStatus }))),
  );
  return healthStage(records, { ...rule, ignore }, new Set()).map((one) => one.candidates[0]?.instance.healthStatus);
}

describe("healthStage", () => {
  it.each<[string, readonly string[], readonly (readonly [typeof eureka, HealthStatus])[], HealthStatus]>([
    ["what the only registry says", [], [[eureka, "DEGRADED"]], "DEGRADED"],
    [
      "the worse word of two",
      [],
      [
        [eureka, "HEALTHY"],
        [kubernetes, "UNHEALTHY"],
      ],
      "UNHEALTHY",
    ],
    [
      "the worst word of three",
      [],
      [
        [eureka, "DEGRADED"],
        [consul, "DRAINING"],
        [kubernetes, "UNHEALTHY"],
      ],
      "DRAINING",
    ],
    [
      "no word of an ignored registry",
      ["eureka/*"],
      [
        [eureka, "UNHEALTHY"],
        [kubernetes, "HEALTHY"],
      ],
      "HEALTHY",
    ],
    ["unknown where only ignored registries speak", ["*"], [[eureka, "UNHEALTHY"]], "UNKNOWN"],
  ])("gives every registry's endpoint %s", (_case, ignore, said, expected) => {
    expect(new Set(composed(ignore, ...said))).toEqual(new Set([expected]));
  });

  it("hears an expired registry only where no other one speaks", () => {
    const records = [
      candidates(
        record(
          eureka,
          instance(eureka, "10.0.0.1", { healthStatus: "UNHEALTHY" }),
          instance(eureka, "10.0.0.2", { healthStatus: "UNHEALTHY" }),
        ),
      ),
      candidates(record(kubernetes, instance(kubernetes, "10.0.0.1"))),
    ];
    const staged = healthStage(records, rule, new Set([eureka]));
    expect(staged.map((one) => one.candidates.map(({ instance: { healthStatus } }) => healthStatus))).toEqual([
      ["HEALTHY", "UNHEALTHY"],
      ["HEALTHY"],
    ]);
  });

  it("leaves endpoints at other addresses alone, and records that do not change as they are", () => {
    const records = [
      candidates(record(eureka, instance(eureka, "10.0.0.1", { healthStatus: "UNHEALTHY" }))),
      candidates(record(kubernetes, instance(kubernetes, "10.0.0.2"))),
    ];
    const staged = healthStage(records, rule, new Set());
    expect(staged[0]).toBe(records[0]);
    expect(staged[1]).toBe(records[1]);
  });
});

describe("the order of health", () => {
  it("is total: drained, unhealthy, degraded, healthy", () => {
    const order: readonly HealthStatus[] = ["HEALTHY", "DEGRADED", "UNHEALTHY", "DRAINING"];
    order.forEach((better, index) => {
      for (const other of order.slice(index)) {
        expect(worse(better, other)).toBe(other);
        expect(worse(other, better)).toBe(other);
      }
    });
  });
});
