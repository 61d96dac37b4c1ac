import { typeUrls } from "@signalbox/envoy-api";
import { createInProcessBus, type ChangeEvent } from "@signalbox/event-bus";
import type { CatalogEntry, ServiceKey } from "@signalbox/model";
import type { ChangedNames, ViewLease } from "@signalbox/xds-server";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { createXdsPublisher, type XdsPublisher } from "./publisher.ts";
import { catalogOf, entryOf, type ServiceSketch } from "./testing/catalog.ts";
import { createTranslator } from "./translator.ts";

const web: ServiceSketch = {
  hostname: "web.io",
  ports: [{ number: 80, protocol: "HTTP" }],
  instances: [{ address: "10.0.0.1:80" }],
};
const none = { upserted: [], removed: [] };

interface NodeChange {
  readonly vhds?: boolean;
  readonly metadata?: object;
  readonly userAgentName?: string;
}

describe("the publisher", () => {
  let stop: AbortController;
  let publisher: XdsPublisher;
  let running: Promise<void>;
  let now = 0;
  const entries = new Map<ServiceKey, CatalogEntry>();

  beforeEach(() => {
    stop = new AbortController();
    entries.clear();
    publisher = createXdsPublisher({ name: "xds", translator: createTranslator(), clock: { now: () => (now += 5) } });
  });

  afterEach(async () => {
    stop.abort();
    await running;
  });

  async function lead() {
    const bus = createInProcessBus();
    running = publisher.run(bus, stop.signal);
    const { revision: _, ...world } = catalogOf([]);
    const writer = await bus.lead(() => ({ ...world, entries: new Map(entries) }), stop.signal);
    return async (...sketches: readonly ServiceSketch[]) => {
      const upserted = sketches.map(entryOf);
      const revision = await writer.publish({ entries: { upserted, removed: [] }, workloads: none, objects: none });
      for (const entry of upserted) entries.set(entry.key, entry);
      await vi.waitFor(() => expect(publisher.status().revision).toEqual(revision));
    };
  }

  function client(id: string): { lease: ViewLease; changes: (ChangedNames | undefined)[] } {
    const changes: (ChangedNames | undefined)[] = [];
    return { lease: publisher.source.acquire({ id } as never, (changed) => changes.push(changed)), changes };
  }

  it("prepares the first view of a kind in later turns, for all who wait for it, and for nobody who left", async () => {
    const publish = await lead();
    for (let index = 0; index < 20; index++) await publish({ ...web, hostname: `web-${index}.io` });
    const [first, second, gone] = [client("a"), client("b"), client("c")];
    expect([first, second, gone].map(({ lease }) => lease.current())).toEqual([undefined, undefined, undefined]);
    gone.lease.release();
    await vi.waitFor(() => expect(second.changes).toEqual([undefined]));
    expect(first.changes).toEqual([undefined]);
    expect(first.lease.current()?.resources(typeUrls.endpoint).size).toBe(20);
    expect(second.lease.current()).toBe(first.lease.current());
    expect(gone.changes).toEqual([]);
    expect(client("d").lease.current()).toBe(first.lease.current());
  });

  it("gives clients their views also where these are ready while an event is taken in", async () => {
    const errors: string[] = [];
    const logger = { info: () => {}, warn: () => {}, error: (event: string) => void errors.push(event) };
    publisher = createXdsPublisher({
      name: "xds",
      translator: createTranslator(),
      clock: { now: () => (now += 5) },
      logger,
    });
    const publish = await lead();
    const services = (count: number) =>
      Array.from({ length: count }, (_, index) => ({ ...web, hostname: `web-${index}.${count}.io` }));
    await publish(...services(20));
    const early = client("a");
    const taken = publish(...services(300));
    await vi.waitFor(() => expect(early.lease.current()?.resources(typeUrls.endpoint).size).toBe(320));
    await taken;
    expect(early.changes).toEqual([undefined]);
    expect(errors).toEqual([]);
  });

  it("prepares one kind after the other, and stops when nobody waits any more", async () => {
    const translator = createTranslator();
    publisher = createXdsPublisher({ name: "xds", translator, clock: { now: () => (now += 5) } });
    const publish = await lead();
    for (let index = 0; index < 20; index++) await publish({ ...web, hostname: `web-${index}.io` });
    const gone = client("a");
    const other = client("sidecar~10.4.0.1~a.one~one.svc.cluster.local");
    gone.lease.release();
    await vi.waitFor(() => expect(other.lease.current()?.resources(typeUrls.endpoint).size).toBe(20));
    expect(other.changes).toEqual([undefined]);
    expect([...translator.resources().keys()]).toContain(typeUrls.listener);
    expect(publisher.status()).toMatchObject({ clients: 1, views: 1 });
  });

  it.each([
    ["one by one", "an Envoy asks for them on an aggregated delta stream", {}, {}, true],
    ["in tables", "the publisher gives nobody others", {}, { vhds: false }, false],
    ["in tables", "the stream is SotW", { protocol: "sotw" as const }, {}, false],
    ["in tables", "the stream is of one type", { aggregated: false }, {}, false],
    ["in tables", "there is no stream", undefined, {}, false],
    ["in tables", "the node does not ask", {}, { metadata: {} }, false],
    ["in tables", "the node is no Envoy", {}, { userAgentName: "gRPC Go" }, false],
  ])("gives virtual hosts %s where %s", async (_, __, stream, { vhds, ...fields }: NodeChange, apart) => {
    const translator = createTranslator();
    publisher = createXdsPublisher({ name: "xds", translator, ...(vhds === undefined ? {} : { vhds }) });
    const publish = await lead();
    await publish(web);
    const node = {
      id: "edge",
      metadata: { SIGNALBOX_VHDS: "true" },
      userAgentName: "envoy",
      userAgentVersion: "1.40.0",
    };
    const facts = stream && { protocol: "delta" as const, aggregated: true, ...stream };
    const lease = publisher.source.acquire({ ...node, ...fields } as never, () => {}, undefined, facts);
    expect([...(lease.current()?.resources(typeUrls.virtualHost).keys() ?? [])]).toEqual(
      apart ? ["80/web.io:80", "80/not_found"] : [],
    );
    expect([...(lease.current()?.resources(typeUrls.route).keys() ?? [])]).toEqual(["80"]);
  });

  it("has nothing for a client before the first snapshot, then a view, then the names that changed", async () => {
    const early = client("edge");
    expect(early.lease.current()).toBeUndefined();
    const publish = await lead();
    await publish(web);
    expect(early.lease.current()?.resources(typeUrls.cluster).has("outbound|80||web.io")).toBe(true);
    expect(early.changes[0]).toBeUndefined();
    const late = client("another edge");
    expect(late.lease.current()).toBe(early.lease.current());
    await publish({ ...web, instances: [{ address: "10.0.0.2:80" }] });
    const expected = new Map([[typeUrls.endpoint, new Set(["outbound|80||web.io"])]]);
    expect(early.changes.at(-1)).toEqual(expected);
    expect(late.changes).toEqual([expected]);
    expect(publisher.status()).toMatchObject({ name: "xds", services: 1, clients: 2, views: 1 });
    expect(publisher.status().lastTranslation).toBeGreaterThan(0);
  });

  it("says nothing to clients whose view did not change", async () => {
    const publish = await lead();
    await publish(web);
    const own = client("sidecar~10.4.0.1~a.one~one.svc.cluster.local");
    const other = client("sidecar~10.4.0.2~a.two~two.svc.cluster.local");
    for (const { lease } of [own, other]) await vi.waitFor(() => expect(lease.current()).toBeDefined());
    const before = [own.changes.length, other.changes.length] as const;
    await publish({ ...web, hostname: "secret.io", namespace: "one", exportTo: ["."] });
    expect(own.changes).toHaveLength(before[0] + 1);
    expect(other.changes).toHaveLength(before[1]);
  });

  it("moves a client to another view when its own ports change", async () => {
    const publish = await lead();
    await publish(web);
    const sidecar = client("sidecar~10.4.0.1~a.one~one.svc.cluster.local");
    const before = sidecar.lease.current();
    await publish({ ...web, instances: [{ address: "10.4.0.1:8080" }] });
    expect(sidecar.lease.current()).not.toBe(before);
    expect(sidecar.changes).toEqual([undefined]);
  });

  it("lets go of views that nobody holds, and a released client hears no more", async () => {
    const publish = await lead();
    await publish(web);
    const gone = client("edge");
    gone.lease.release();
    gone.lease.release();
    expect(publisher.status()).toMatchObject({ clients: 0, views: 0 });
    await publish({ ...web, hostname: "new.io" });
    expect(gone.changes).toEqual([]);
    expect(gone.lease.current()).toBeUndefined();
  });

  it("tells every client even when one of them throws", async () => {
    const publish = await lead();
    publisher.source.acquire({ id: "bad" } as never, () => {
      throw new Error("no");
    });
    const good = client("good");
    await publish(web);
    expect(good.lease.current()?.resources(typeUrls.cluster).has("outbound|80||web.io")).toBe(true);
  });

  it("reports a service that cannot be translated until it can", async () => {
    const publish = await lead();
    await publish({ ...web, instances: [{ address: "10.0.0.1:-5" }] });
    client("edge");
    expect([...publisher.status().faults.keys()]).toEqual(["default/web.io"]);
    await publish(web);
    expect(publisher.status().faults.size).toBe(0);
  });

  it("forgets the fault of a service that is removed", () => {
    const translator = createTranslator();
    const bad = entryOf({ ...web, instances: [{ address: "10.0.0.1:-5" }] });
    translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([]) });
    const step = (sequence: number, upserted: readonly CatalogEntry[], removed: readonly ServiceKey[]) =>
      translator.apply({
        v: 1,
        type: "delta",
        previous: { epoch: "1", sequence },
        revision: { epoch: "1", sequence: sequence + 1 },
        delta: { entries: { upserted, removed }, workloads: none, objects: none },
      }).faults;
    expect(step(1, [bad], []).map(({ subject }) => subject)).toEqual([bad.key]);
    expect(step(2, [entryOf({ ...web, hostname: "other.io" })], [])).toHaveLength(1);
    expect(step(3, [], [bad.key])).toEqual([]);
  });

  it("asks for a snapshot again when an event is missing", async () => {
    const entry = entryOf(web);
    const revision = { epoch: "1", sequence: 9 };
    const rounds: readonly (readonly ChangeEvent[])[] = [
      [
        { v: 1, type: "snapshot", catalog: catalogOf([], 1) },
        {
          v: 1,
          type: "delta",
          previous: { epoch: "1", sequence: 5 },
          revision,
          delta: { entries: none, workloads: none, objects: none },
        },
      ],
      [{ v: 1, type: "snapshot", catalog: catalogOf([entry], 10) }],
    ];
    let round = 0;
    running = publisher.run(
      {
        async *subscribe() {
          yield* rounds[round++] ?? [];
          await Promise.resolve();
        },
      },
      stop.signal,
    );
    await running;
    expect(round).toBe(2);
    expect(publisher.status()).toMatchObject({ revision: { epoch: "1", sequence: 10 }, services: 1 });
  });
});
