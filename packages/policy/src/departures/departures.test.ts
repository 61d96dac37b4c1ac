import { describe, expect, it } from "vitest";
import { candidates, eureka, instance, keyOf, kubernetes, record } from "../testing/world.ts";
import { Departures } from "./departures.ts";

const orders = keyOf("orders");
const [a, b, c] = ["10.0.0.1", "10.0.0.2", "10.0.0.3"].map((ip) => instance(eureka, ip)) as [
  ReturnType<typeof instance>,
  ReturnType<typeof instance>,
  ReturnType<typeof instance>,
];

describe("Departures", () => {
  it("says which endpoints left which registry, and when", () => {
    const departures = new Departures();
    departures.see(orders, [record(eureka, a, b), record(kubernetes, c)], 1);
    departures.see(orders, [record(eureka, b), record(kubernetes, c)], 2);
    departures.see(orders, [record(eureka, b)], 3);
    expect(departures.of(orders)).toEqual([
      { registry: eureka, address: "10.0.0.1:8080", servicePort: "http", at: 2 },
      { registry: kubernetes, address: "10.0.0.3:8080", servicePort: "http", at: 3 },
    ]);
  });

  it("drains who left for its time, and no longer", () => {
    const departures = new Departures();
    departures.see(orders, [record(eureka, a, b)], 0);
    departures.see(orders, [record(eureka, b)], 100);
    const now = candidates(record(eureka, b));
    const drained = departures.drain(orders, [now], 50, 149)[0]?.candidates ?? [];
    expect(drained.map(({ instance: { healthStatus } }) => healthStatus)).toEqual(["HEALTHY", "DRAINING"]);
    expect(drained[1]?.findings).toEqual([{ stage: "health", code: "DRAINING", since: 100 }]);
    expect(departures.dueAt(orders, 50, 149)).toBe(150);
    expect(departures.drain(orders, [now], 50, 150)).toEqual([now]);
    expect(departures.dueAt(orders, 50, 150)).toBeUndefined();
  });

  it("ends the drain of who comes back", () => {
    const departures = new Departures();
    departures.see(orders, [record(eureka, a, b)], 0);
    departures.see(orders, [record(eureka, b)], 100);
    departures.see(orders, [record(eureka, a, b)], 120);
    expect(departures.of(orders)).toEqual([]);
    expect(departures.dueAt(orders, 50, 121)).toBeUndefined();
  });

  it("remembers the last ones only", () => {
    const departures = new Departures();
    for (let at = 0; at < 100; at++) departures.see(orders, [record(eureka, instance(eureka, `10.0.0.${at}`))], at);
    const all = departures.of(orders);
    expect(all).toHaveLength(32);
    expect(all.at(-1)?.address).toBe("10.0.0.98:8080");
  });
});
