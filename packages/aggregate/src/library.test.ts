import { registryId } from "@signalbox/model";
import type { ServiceRecord } from "@signalbox/model";
import { afterEach, describe, expect, it } from "vitest";
import type { HandlerEvent } from "./handlers.ts";
import { FakeRegistry, instance, keyOf, record, service, World } from "./testing/world.ts";

const one = registryId("fake", "one");
const opened: World[] = [];
afterEach(async () => {
  for (const world of opened.splice(0)) await world.stop();
});

async function worldWith(...records: readonly ServiceRecord[]) {
  const registry = new FakeRegistry("one");
  const world = new World({ registries: [registry] });
  opened.push(world);
  await world.start();
  registry.snapshot(...records);
  await world.calm();
  return { registry, world, aggregate: world.aggregate };
}

describe("the library calls of an aggregate", () => {
  it("lists services by key and finds one by hostname in any case", async () => {
    const { aggregate } = await worldWith(record(one, "b"), record(one, "a"));
    expect(aggregate.services().map((each) => each.hostname)).toEqual(["a.test", "b.test"]);
    expect(aggregate.serviceByHostname("A.Test")?.hostname).toBe("a.test");
    expect(aggregate.serviceByHostname("c.test")).toBeUndefined();
  });

  it("finds the oldest service of a hostname, or the one of a namespace", async () => {
    const of = (namespace: string, createdAt?: number) => ({
      service: service(one, "a", { namespace, ...(createdAt !== undefined && { createdAt }) }),
      instances: [],
    });
    const { registry, world, aggregate } = await worldWith(of("x"), of("y", 20), of("z", 10));
    expect(aggregate.serviceByHostname("a.test")?.namespace).toBe("z");
    expect(aggregate.serviceByHostname("a.test", "y")?.namespace).toBe("y");
    expect(aggregate.serviceByHostname("a.test", "q")).toBeUndefined();
    registry.snapshot(of("x"), of("w"));
    await world.calm();
    expect(aggregate.serviceByHostname("a.test")?.namespace).toBe("w");
  });

  it("finds instances by service, port and labels", async () => {
    const ports = [
      { name: "http", number: 80, protocol: "HTTP" },
      { name: "grpc", number: 90, protocol: "GRPC" },
    ] as const;
    const { aggregate } = await worldWith({
      service: service(one, "a", { ports }),
      instances: [
        instance(one, "192.0.2.1", { labels: { version: "v1" } }),
        instance(one, "192.0.2.2", { labels: { version: "v2" } }),
        instance(one, "192.0.2.3", { servicePort: "grpc" }),
      ],
    });
    const ids = (found: ReturnType<typeof aggregate.instancesByPort>) => found.map((each) => each.instance.id);
    expect(ids(aggregate.instancesByPort("a.test", 80))).toEqual(["at 192.0.2.1", "at 192.0.2.2"]);
    expect(ids(aggregate.instancesByPort(keyOf("a"), "http", { version: "v2" }))).toEqual(["at 192.0.2.2"]);
    expect(ids(aggregate.instancesByPort("a.test", 90))).toEqual(["at 192.0.2.3"]);
    expect(ids(aggregate.instancesByPort("a.test", 80, { constructor: "v2" }))).toEqual([]);
    expect(ids(aggregate.instancesByPort("a.test", 81))).toEqual([]);
    expect(ids(aggregate.instancesByPort("b.test", 80))).toEqual([]);
  });

  it("finds the instances of a proxy by its addresses, through changes", async () => {
    const { registry, world, aggregate } = await worldWith(
      record(one, "a", "192.0.2.1", "192.0.2.2"),
      record(one, "b", "192.0.2.1", "2001:db8::1"),
    );
    const found = (...ips: string[]) =>
      aggregate.proxyInstances(ips).map(({ key, instance: { id } }) => `${key} ${id}`);
    expect(found("192.0.2.1")).toEqual(["test/a.test at 192.0.2.1", "test/b.test at 192.0.2.1"]);
    expect(found("192.0.2.1", "192.0.2.2")).toHaveLength(3);
    expect(found("2001:DB8:0:0::1")).toEqual(["test/b.test at 2001:db8::1"]);
    expect(found("not an address")).toEqual([]);
    registry.upsert(record(one, "a", "192.0.2.3"));
    registry.remove("b");
    await world.calm();
    expect(found("192.0.2.1", "192.0.2.2", "2001:db8::1")).toEqual([]);
    expect(found("192.0.2.3")).toEqual(["test/a.test at 192.0.2.3"]);
  });
});

describe("the handlers of an aggregate", () => {
  it("are told about services with what was and what is, when the catalog already has it", async () => {
    const { registry, world, aggregate } = await worldWith(record(one, "a", "192.0.2.1"));
    const told: unknown[] = [];
    const end = aggregate.appendServiceHandler((previous, current, event) => {
      const shown = aggregate.serviceByHostname((current ?? previous)?.hostname ?? "");
      told.push([event, previous?.labels, current?.labels, shown === current]);
    });
    registry.upsert(record(one, "a", "192.0.2.1", "192.0.2.2"));
    await world.calm();
    expect(told).toEqual([]);
    registry.upsert({ service: service(one, "a", { labels: { v: "2" } }), instances: [] }, record(one, "b"));
    await world.calm();
    registry.remove("b");
    await world.calm();
    expect(told).toEqual([
      ["update", {}, { v: "2" }, true],
      ["add", undefined, {}, true],
      ["delete", {}, undefined, true],
    ]);
    end();
    registry.remove("a");
    await world.calm();
    expect(told).toHaveLength(3);
  });

  it("are told about each instance that came, changed or went, and about no other", async () => {
    const { registry, world, aggregate } = await worldWith(record(one, "a", "192.0.2.1", "192.0.2.2", "192.0.2.3"));
    const told: [HandlerEvent, string | undefined, string | undefined][] = [];
    aggregate.appendInstanceHandler((previous, current, event) => {
      told.push([event, previous?.instance.id, current?.instance.id]);
    });
    registry.upsert({
      service: service(one, "a", { labels: { also: "changed" } }),
      instances: [
        instance(one, "192.0.2.1"),
        instance(one, "192.0.2.2", { healthStatus: "DRAINING" }),
        instance(one, "192.0.2.4"),
      ],
    });
    await world.calm();
    expect(told).toEqual([
      ["update", "at 192.0.2.2", "at 192.0.2.2"],
      ["delete", "at 192.0.2.3", undefined],
      ["add", undefined, "at 192.0.2.4"],
    ]);
  });

  it("do not suffer from one that throws or rejects", async () => {
    const { registry, world, aggregate } = await worldWith();
    const told: string[] = [];
    aggregate.appendServiceHandler(() => {
      throw new Error("thrown");
    });
    aggregate.appendServiceHandler(() => Promise.reject(new Error("rejected")));
    aggregate.appendServiceHandler((_, current) => {
      told.push(current?.hostname ?? "");
    });
    registry.upsert(record(one, "a"));
    await world.calm();
    expect(told).toEqual(["a.test"]);
    expect(world.consumed.entries.size).toBe(1);
    const failures = world.log.filter((line) => line.event === "handler-failed");
    expect(failures).toMatchObject([
      { level: "error", fields: { error: { message: "thrown" } } },
      { level: "error", fields: { error: { message: "rejected" } } },
    ]);
  });
});
