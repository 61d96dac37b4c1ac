import { createInProcessBus } from "@signalbox/event-bus";
import { objectKey, registryId, type ConfigObject } from "@signalbox/model";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { CatalogView } from "./catalog-view.ts";
import { observedLead } from "./observed-lead.ts";
import { eventually } from "./testing/eventually.ts";

const object = (name: string, spec: ConfigObject["spec"] = {}): ConfigObject => ({
  kind: "VirtualService",
  namespace: "test",
  name,
  labels: {},
  annotations: {},
  spec,
  provenance: { registry: registryId("test", "bus"), object: name },
});
const contentOf = (...objects: readonly ConfigObject[]) => ({
  entries: new Map(),
  workloads: new Map(),
  objects: new Map(objects.map((one) => [objectKey(one), one])),
});
const nothing = { upserted: [], removed: [] };
const upsert = (one: ConfigObject) => ({
  entries: nothing,
  workloads: nothing,
  objects: { upserted: [one], removed: [] },
});
const empty = { entries: nothing, workloads: nothing, objects: nothing };

let bus: ReturnType<typeof createInProcessBus>;
let end: AbortController;
beforeEach(() => {
  bus = createInProcessBus();
  end = new AbortController();
});
afterEach(async () => {
  end.abort();
  await bus.close();
});

describe("the catalog as a process reads it", () => {
  it("is not known before the first snapshot, follows every change, and begins anew with another writer", async () => {
    const types: string[] = [];
    const view = new CatalogView(({ type }) => types.push(type));
    const running = view.run(bus, end.signal);
    expect(view.catalog()).toBeUndefined();
    const writer = await bus.lead(() => contentOf(object("a")), end.signal);
    await view.known(end.signal);
    expect(view.catalog()?.revision).toEqual({ epoch: writer.epoch, sequence: 0 });

    const revision = await writer.publish(upsert(object("b")));
    await eventually("the change", () => view.catalog()?.revision.sequence === 1);
    expect(view.catalog()).toMatchObject({ revision, objects: contentOf(object("a"), object("b")).objects });

    const next = await bus.lead(() => contentOf(object("c")), end.signal);
    await eventually("the other epoch", () => view.catalog()?.revision.epoch === next.epoch);
    expect(view.catalog()?.objects).toEqual(contentOf(object("c")).objects);
    expect(types).toEqual(["snapshot", "delta", "snapshot"]);
    end.abort();
    await running;
  });

  it("does not let anybody wait beyond his signal for a catalog that does not come", async () => {
    const view = new CatalogView(() => undefined);
    const waits = new AbortController();
    const known = view.known(waits.signal);
    waits.abort(new Error("enough"));
    await expect(known).rejects.toThrow("enough");
  });
});

describe("a lead that is observed", () => {
  it("tells exactly what consumers are told, in their order", async () => {
    const told: unknown[] = [];
    const heard: unknown[] = [];
    const consumer = (async () => {
      for await (const event of bus.subscribe("test", end.signal)) heard.push(event);
    })();
    const observed = observedLead(bus, (event) => told.push(event));
    const writer = await observed.lead(() => contentOf(object("a")), end.signal);
    await eventually("the snapshot", () => heard.length === 1);
    await writer.publish(upsert(object("b")));
    await eventually("a change", () => heard.length === 2);
    await writer.publish(upsert(object("b", { hosts: ["b"] })));
    await eventually("another change", () => heard.length === 3);
    expect(told).toEqual(heard);
    end.abort();
    await consumer;
  });

  it("tells nothing of a publication that changed nothing, or that was refused", async () => {
    const told: string[] = [];
    const observed = observedLead(bus, ({ type }) => told.push(type));
    const writer = await observed.lead(() => contentOf(), end.signal);
    expect(await writer.publish(empty)).toEqual({ epoch: writer.epoch, sequence: 0 });
    await bus.lead(() => contentOf(), end.signal);
    expect(writer.over.aborted).toBe(true);
    await expect(writer.publish(upsert(object("a")))).rejects.toMatchObject({ code: "SBX_BUS_FENCED" });
    expect(told).toEqual(["snapshot"]);
  });

  it("tells nothing where the lead was not won", async () => {
    const told: string[] = [];
    await bus.close();
    const leading = observedLead(bus, ({ type }) => told.push(type)).lead(() => contentOf(), end.signal);
    await expect(leading).rejects.toMatchObject({ code: "SBX_BUS_CLOSED" });
    expect(told).toEqual([]);
  });
});
