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

  it("remembers the services that went last only", () => {
    const departures = new Departures();
    const services = Array.from({ length: 1_001 }, (_, index) => keyOf(`orders-${index}`));
    for (const service of services) departures.see(service, [record(eureka, a)], 0);
    for (const service of services) departures.see(service, [], 1);
    // That a service is gone may be said again.
    for (const service of services) departures.see(service, [], 2);
    departures.see(keyOf("last"), [record(eureka, a)], 3);
    departures.see(keyOf("last"), [], 4);
    expect(services.filter((service) => departures.of(service).length === 0)).toEqual(services.slice(0, 2));
  });

  it("does not forget a service that came back", () => {
    const departures = new Departures();
    departures.see(orders, [record(eureka, a)], 0);
    departures.see(orders, [], 1);
    departures.see(orders, [record(eureka, b)], 2);
    for (let index = 0; index < 1_001; index++) {
      departures.see(keyOf(`other-${index}`), [record(eureka, a)], 3);
      departures.see(keyOf(`other-${index}`), [], 4);
    }
    expect(departures.of(orders).map(({ address }) => address)).toEqual(["10.0.0.1:8080"]);
  });

  it("lets go of instances that are drained, also where the next drain would be longer", () => {
    const departures = new Departures();
    departures.see(orders, [record(eureka, a, b, c)], 0);
    departures.see(orders, [record(eureka, b, c)], 100);
    departures.see(orders, [record(eureka, c)], 140);
    const now = candidates(record(eureka, c));
    expect(departures.drain(orders, [now], 50, 160)[0]?.candidates).toHaveLength(2);
    expect(departures.drain(orders, [now], 1000, 160)[0]?.candidates).toHaveLength(2);
    expect(departures.of(orders)).toHaveLength(2);
  });
});
