import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { consulEntry } from "../testing/entries.ts";
import { FakeConsul } from "../testing/fake-consul.ts";
import { Running } from "../testing/running.ts";

vi.setConfig({ testTimeout: 60_000 });

let fake: FakeConsul;
beforeEach(async () => {
  fake = await FakeConsul.start();
});
afterEach(() => fake.close());

function entries(service: string, count: number, Service: Readonly<Record<string, unknown>> = {}) {
  const names = Array.from({ length: count }, (_, index) => `${service}-${index + 1}`);
  return names.map((name, index) => consulEntry(service, { node: name, id: name, ip: `10.1.0.${index + 1}`, Service }));
}

describe("a cluster that lost its data", () => {
  it("keeps only what was not registered again: a deregistration in the grace counts at once", async () => {
    fake.set("web", entries("web", 2));
    for (let count = 0; count < 90; count++) fake.bump();
    await using running = new Running({ url: fake.url, waitSeconds: 60, restartGraceSeconds: 3600 });
    await running.has("web", 2);
    await vi.waitUntil(() => fake.waiting.length === 2, 10_000);
    fake.forget({ index: 5n });
    fake.set("web", entries("web", 1));
    fake.answerAll();
    await running.fails("PROTOCOL_ERROR");
    expect(running.count("web")).toBe(2);
    fake.set("web", entries("web", 3));
    await running.has("web", 3);
    fake.set("web", entries("web", 1));
    await running.has("web", 1);
    fake.set("web", []);
    await running.has("web", undefined);
    expect(running.clock.now() - Date.UTC(2026, 0, 1)).toBeLessThan(3_600_000);
  });
});

describe("namespaces and partitions", () => {
  const tenancies = [
    { Namespace: "default", Partition: "default", hostname: "web.service.consul", namespace: "default", count: 1 },
    { Namespace: "shop", Partition: "default", hostname: "web.service.shop.ns.consul", namespace: "shop", count: 2 },
    { Namespace: "shop", Partition: "eu", hostname: "web.service.shop.ns.eu.ap.consul", namespace: "shop", count: 3 },
  ];

  it("are read in every combination, and a name in each is a service of its own", async () => {
    const all = tenancies.flatMap(({ Namespace, Partition, count }) => entries("web", count, { Namespace, Partition }));
    fake.set("web", all);
    const scopes = { namespaces: ["default", "shop"], partitions: ["default", "eu"] };
    await using running = new Running({ url: fake.url, ...scopes });
    await running.sink.waitFor(({ updates }) => updates.length === 1, 10_000);
    const services = [...running.sink.records.values()].map(({ service: { hostname, namespace }, instances }) => {
      return { hostname, namespace, count: instances.length };
    });
    const expected = tenancies.map(({ hostname, namespace, count }) => ({ hostname, namespace, count }));
    expect(services.sort((a, b) => a.count - b.count)).toEqual(expected);
    // The one namespace that has nothing at all is asked as well.
    const lists = fake.requests.filter(({ path }) => path === "/v1/catalog/services");
    const asked = lists.map(({ query }) => `${String(query.get("ns"))}/${String(query.get("partition"))}`);
    expect(new Set(asked)).toEqual(new Set(["default/default", "shop/default", "default/eu", "shop/eu"]));
    // A change in one of them.
    fake.set("web", all.slice(0, -1));
    const key = "shop/web.service.shop.ns.eu.ap.consul";
    await running.sink.waitFor(({ records }) => records.get(key as never)?.instances.length === 2, 10_000);
    expect(running.count("web")).toBe(1);
  });
});
