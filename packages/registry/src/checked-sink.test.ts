import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { deepFreeze, registryId, serviceKey } from "@signalbox/model";
import type { ConfigObject, ServiceRecord } from "@signalbox/model";
import { checkedSink, checkedSteps } from "./checked-sink.ts";
import type { CheckedSinkOptions } from "./checked-sink.ts";
import { noMetrics, silentLogger } from "./observability.ts";
import { configObject, RecordingSink, serviceRecord, workload } from "./conformance/index.ts";
import type { RegistrySink, RegistryUpdate } from "./registry.ts";

const id = registryId("test", "records");
const web = serviceRecord({ hostname: "web.example.com", instances: ["10.0.0.1"] });
const secondInstance = serviceRecord({ hostname: "web.example.com", instances: ["10.0.0.1", "10.0.0.2"] }).instances[1];
const bad = serviceRecord({ hostname: "bad.example.com", instances: [{ weight: -1 }] });

function setUp(inner: RegistrySink = new RecordingSink(), more: Partial<CheckedSinkOptions> = {}) {
  const logged: { event: string; fields: unknown }[] = [];
  const counted: unknown[] = [];
  const log = (event: string, fields?: object): void => {
    logged.push({ event, fields });
  };
  const sink = checkedSink(inner, {
    id,
    logger: { debug: log, info: log, warn: log, error: log },
    metrics: { counter: (name, labels) => counted.push([name, labels]), histogram: () => undefined },
    ...more,
  });
  return { sink, logged, counted };
}

describe("checkedSink", () => {
  it("freezes what it hands on, all the way down", () => {
    const recording = new RecordingSink();
    const record = serviceRecord({ hostname: "web.example.com", instances: ["10.0.0.1"], labels: { a: "b" } });
    setUp(recording).sink.push({ type: "snapshot", records: [record] });
    const [update] = recording.updates;
    expect(
      [update, record, record.instances, record.instances[0]?.locality].every((part) => Object.isFrozen(part)),
    ).toBe(true);
    expect(() => Object.assign(record.service.labels, { a: "c" })).toThrow(TypeError);
  });

  it("leaves out a malformed record, logs it with its key and faults, and counts it", () => {
    const recording = new RecordingSink();
    const { sink, logged, counted } = setUp(recording);
    sink.push({ type: "snapshot", records: [bad, web] });
    expect([...recording.records.keys()]).toEqual([serviceKey(web.service)]);
    expect(logged).toEqual([
      {
        event: "record-rejected",
        fields: {
          registry: id,
          kind: "service",
          key: "default/bad.example.com",
          faults: [{ path: "instances[0].weight", message: "must be an integer from 0 to 4294967295, not -1" }],
        },
      },
    ]);
    expect(counted).toEqual([["registry_records_rejected_total", { kind: "service" }]]);
  });

  it("keeps what was known of a service whose record in a delta is malformed", () => {
    const recording = new RecordingSink();
    const { sink } = setUp(recording);
    sink.push({ type: "snapshot", records: [web] });
    sink.push({ type: "delta", records: { upserted: [{ ...web, instances: bad.instances }], removed: [] } });
    expect([...recording.records.values()]).toEqual([web]);
  });

  it("keeps what was known of a key that is malformed in a snapshot, whatever its kind", () => {
    const recording = new RecordingSink();
    const counts: number[] = [];
    const { sink } = setUp(recording, {
      lastGood: {
        record: (key) => recording.records.get(key),
        workload: (key) => recording.workloads.get(key),
        object: (key) => recording.objects.get(key),
      },
      onRejected: (count) => counts.push(count),
    });
    const other = serviceRecord({ hostname: "other.example.com", instances: ["10.0.0.3"] });
    sink.push({ type: "snapshot", records: [web, other], workloads: [workload()], objects: [configObject()] });
    sink.push({
      type: "snapshot",
      records: [{ ...web, instances: bad.instances }],
      workloads: [workload({ ports: [0] })],
      objects: [configObject({ spec: new Map() })],
    });
    expect([...recording.records.values()]).toEqual([web]);
    expect([recording.workloads.size, recording.objects.size]).toEqual([1, 1]);
    sink.push({ type: "delta", records: { upserted: [], removed: [serviceKey(web.service)] } });
    expect(recording.records.size).toBe(0);
    expect(counts).toEqual([0, 3, 2]);
  });

  it.each(["snapshot", "delta"] as const)(
    "leaves out only the malformed instances of a sound service in a %s",
    (type) => {
      const recording = new RecordingSink();
      const counts: number[] = [];
      const { sink, counted } = setUp(recording, { onRejected: (count) => counts.push(count) });
      sink.push({ type: "snapshot", records: [web] });
      const instances = [...web.instances, ...bad.instances, ...web.instances, secondInstance] as typeof web.instances;
      const mixed = { ...web, instances };
      sink.push(
        type === "snapshot" ? { type, records: [mixed] } : { type, records: { upserted: [mixed], removed: [] } },
      );
      expect(recording.records.get(serviceKey(web.service))?.instances).toEqual([...web.instances, secondInstance]);
      expect(counted).toHaveLength(1);
      sink.push({ type: "snapshot", records: [web] });
      expect(counts).toEqual([0, 1, 0]);
    },
  );

  it("checks workloads and objects as well", () => {
    const recording = new RecordingSink();
    const { sink, counted } = setUp(recording);
    sink.push({
      type: "snapshot",
      records: [],
      workloads: [workload(), workload({ name: "web-2", ports: [0] })],
      objects: [configObject(), configObject({ name: "other", spec: new Map() })],
    });
    expect([recording.workloads.size, recording.objects.size]).toEqual([1, 1]);
    expect(counted).toEqual([
      ["registry_records_rejected_total", { kind: "workload" }],
      ["registry_records_rejected_total", { kind: "object" }],
    ]);
  });

  it("tells members that are absent from members that are empty", () => {
    const recording = new RecordingSink();
    const { sink } = setUp(recording);
    sink.push({ type: "snapshot", records: [], workloads: [] });
    sink.push({ type: "delta" });
    expect(recording.updates).toEqual([{ type: "snapshot", records: [], workloads: [] }, { type: "delta" }]);
  });

  it("hands on the version that a read had, if it is a text of sensible length", () => {
    const recording = new RecordingSink();
    const { sink } = setUp(recording);
    const versions: readonly unknown[] = ["7", undefined, 7, "x".repeat(1001)];
    for (const version of versions) sink.push({ type: "snapshot", records: [web], version } as RegistryUpdate);
    sink.push({ type: "delta", version: "8" });
    expect(recording.updates.map(({ version }) => version)).toEqual(["7", undefined, undefined, undefined, "8"]);
    expect(recording.updates[1]).not.toHaveProperty("version");
  });

  it("lets a key through once, the first time", () => {
    const recording = new RecordingSink();
    const { sink, counted } = setUp(recording);
    const again = serviceRecord({ hostname: "WEB.example.com", instances: ["10.0.0.2"] });
    sink.push({ type: "snapshot", records: [web, again] });
    expect([...recording.records.values()]).toEqual([web]);
    expect(counted).toHaveLength(1);
  });

  it("upserts a key that is both upserted and removed, and removes others once", () => {
    const recording = new RecordingSink();
    const { sink } = setUp(recording);
    const key = serviceKey(web.service);
    const gone = serviceKey(bad.service);
    sink.push({ type: "snapshot", records: [] });
    sink.push({ type: "delta", records: { upserted: [web], removed: [key, gone, gone] } });
    expect(recording.updates[1]).toEqual({ type: "delta", records: { upserted: [web], removed: [gone] } });
  });

  it("refuses records that name another registry", () => {
    const recording = new RecordingSink();
    const foreign = serviceRecord({ registry: registryId("consul", "dc1"), instances: ["10.0.0.1"] });
    setUp(recording).sink.push({ type: "snapshot", records: [foreign] });
    expect(recording.records.size).toBe(0);
  });

  it("drops a delta before the first snapshot and says so, and takes deltas afterwards", () => {
    const recording = new RecordingSink();
    const { sink, logged } = setUp(recording);
    const delta: RegistryUpdate = { type: "delta", records: { upserted: [web], removed: [] } };
    sink.push(delta);
    expect(recording.updates).toEqual([]);
    expect(recording.degradations.map(({ problem }) => problem)).toEqual(["PROTOCOL_ERROR"]);
    expect(logged.map(({ event }) => event)).toEqual(["update-rejected"]);
    sink.push({ type: "snapshot", records: [] });
    sink.push(delta);
    expect(recording.records.size).toBe(1);
  });

  it("takes a record again that passed before, but not as something else", () => {
    const recording = new RecordingSink();
    const { sink, counted } = setUp(recording);
    sink.push({ type: "snapshot", records: [web] });
    sink.push({ type: "snapshot", records: [web], objects: [web as unknown as ConfigObject] });
    expect([recording.records.size, recording.objects.size, counted.length]).toEqual([1, 0, 1]);
  });

  it("passes alive and degraded on", () => {
    const recording = new RecordingSink();
    const { sink } = setUp(recording);
    const error = new Error("down");
    sink.alive();
    sink.degraded("UNREACHABLE", error);
    expect([recording.aliveCount, recording.degradations]).toEqual([1, [{ problem: "UNREACHABLE", error }]]);
  });

  it("never throws to the registry when the sink behind it does", () => {
    const fail = (): never => {
      throw new Error("full");
    };
    const { sink, logged } = setUp({ push: fail, alive: fail, degraded: fail });
    sink.push({ type: "snapshot", records: [web] });
    sink.alive();
    sink.degraded("UNREACHABLE", new Error("down"));
    expect(logged.map(({ event }) => event)).toEqual(["sink-failed", "sink-failed", "sink-failed"]);
  });

  it("logs the first ten of many malformed records and counts all", () => {
    const { sink, logged, counted } = setUp();
    const records = Array.from({ length: 25 }, (_, index) => serviceRecord({ hostname: `w${index}.x`, namespace: "" }));
    sink.push({ type: "snapshot", records });
    expect(logged).toHaveLength(11);
    expect(logged.at(-1)).toEqual({ event: "records-rejected", fields: { registry: id, count: 25 } });
    expect(counted).toHaveLength(25);
  });

  it("survives records that throw when they are read", () => {
    const recording = new RecordingSink();
    const trap = Object.defineProperty({}, "service", {
      enumerable: true,
      get: () => {
        throw new Error("trap");
      },
    });
    setUp(recording).sink.push({ type: "snapshot", records: [trap as ServiceRecord, web] });
    expect([...recording.records.values()]).toEqual([web]);
  });

  it("never throws on junk, and hands on only what is whole", () => {
    const frozen = deepFreeze(structuredClone(web));
    const element = fc.oneof(fc.anything(), fc.constant(frozen));
    const list = fc.oneof(fc.array(element, { maxLength: 4 }), fc.anything());
    const delta = fc.record({ upserted: list, removed: list });
    const update = fc.oneof(
      fc.anything(),
      fc.record({ type: fc.constant("snapshot"), records: list, workloads: list, objects: list }),
      fc.record({ type: fc.constant("delta"), records: fc.oneof(delta, fc.anything()), workloads: delta }),
    );
    fc.assert(
      fc.property(fc.array(update, { maxLength: 4 }), (updates) => {
        const recording = new RecordingSink();
        const { sink } = setUp(recording);
        for (const junk of updates) sink.push(junk as RegistryUpdate);
        expect([...recording.records.values()].every((record) => record === frozen)).toBe(true);
      }),
      { numRuns: 200 },
    );
  });
});

describe("checkedSteps", () => {
  const many = Array.from({ length: 20 }, (_, index) =>
    serviceRecord({ hostname: `s${index}.example.com`, instances: ["10.0.0.1"] }),
  );
  function stepped() {
    const said: (RegistryUpdate | string)[] = [];
    const sink = checkedSteps(
      {
        *push(update) {
          said.push(update);
          yield;
          said.push("taken");
          return undefined;
        },
        alive: () => said.push("alive"),
        degraded: (problem) => said.push(problem),
      },
      { id, logger: silentLogger, metrics: noMetrics, onRejected: (count) => said.push(`rejected ${count}`) },
    );
    return { said, sink };
  }

  it("takes a step for each record, and hands nothing on before all are checked", () => {
    const { said, sink } = stepped();
    const steps = sink.push({ type: "snapshot", records: many });
    for (let step = 1; step < many.length; step++) {
      expect(steps.next().done).toBe(false);
      expect(said).toEqual([]);
    }
    expect(steps.next().done).toBe(false);
    expect(said).toEqual([{ type: "snapshot", records: many }]);
    expect(steps.next().done).toBe(true);
    expect(said.slice(1)).toEqual(["taken", "rejected 0"]);
  });

  it("does the same as the check in one piece", () => {
    const { said, sink } = stepped();
    const recording = new RecordingSink();
    const plain = setUp(recording).sink;
    const updates: readonly RegistryUpdate[] = [
      { type: "delta", records: { upserted: [web], removed: [] } },
      { type: "snapshot", records: [bad, web, ...many, web] },
      { type: "delta", records: { upserted: [bad], removed: [serviceKey(web.service)] } },
    ];
    for (const update of updates) {
      plain.push(update);
      for (const steps = sink.push(update); steps.next().done !== true;);
    }
    expect(said.filter((one) => typeof one === "object")).toEqual(recording.updates);
    expect(said[0]).toBe("PROTOCOL_ERROR");
    expect(said.at(-1)).toBe("rejected 1");
  });
});
