import assert from "node:assert/strict";
import { validateRecord } from "@signalbox/model";
import type { Provenance, ServiceRecord } from "@signalbox/model";
import { checkedSink } from "../checked-sink.ts";
import { assertAnswers, service } from "./point.ts";
import type { ContractPoint } from "./point.ts";
import { RecordingSink } from "./recording-sink.ts";
import { Stage } from "./stage.ts";
import type { Run } from "./stage.ts";

/** Points 15 to 20: what the data is like. */
export const dataPoints: readonly ContractPoint[] = [
  {
    number: 15,
    name: "never changes data after push, and bears that it is deeply frozen",
    run: async (subject) => {
      for (const checked of [false, true]) {
        await Stage.play(subject, async (stage) => {
          const web = await stage.world.set(service("web", 2));
          const run = await stage.synced({ checked });
          for (const instances of [3, 1, 2]) {
            await stage.world.set(service("web", instances));
            await run.has(web, instances);
          }
          await stage.world.remove("web");
          await run.until(`${web} is gone`, () => !run.sink.records.has(web));
          await run.stop();
          assert.deepEqual(run.sink.changedAfterPush(), [], "numbers of the updates that changed after their push");
          if (checked) for (const update of run.sink.updates) assertFrozen(update, "update");
        });
      }
    },
  },
  {
    number: 16,
    name: "gives every record and instance its provenance",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        // Past the seam nothing without provenance would be left to look at.
        const run = await stage.synced({ checked: false });
        await stage.world.set(service("web", 3));
        await run.has(web, 3);
        for (const { service, instances } of run.sink.records.values()) {
          assertProvenance(run, service.provenance, service.hostname);
          for (const instance of instances) assertProvenance(run, instance.provenance, instance.id);
        }
      }),
  },
  {
    number: 17,
    name: "takes labels named __proto__ or constructor for data",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const keys = subject.supports.labelKeys;
        const labels = Object.fromEntries(keys.map((key) => [key, `value-of-${key.replaceAll("_", "")}`]));
        const inherited = Object.getOwnPropertyNames(Object.prototype);
        const web = await stage.world.set(service("web", 1, { labels }));
        const run = await stage.synced();
        await run.has(web, 1);
        const told = run.sink.records.get(web)?.instances[0]?.labels ?? {};
        for (const key of keys) {
          assert.ok(Object.hasOwn(told, key), `the label ${key} is missing`);
          assert.equal(
            Object.getOwnPropertyDescriptor(told, key)?.value,
            Object.getOwnPropertyDescriptor(labels, key)?.value,
            key,
          );
        }
        const prototype: unknown = Object.getPrototypeOf(told);
        assert.ok(prototype === null || prototype === Object.prototype, "a label became the prototype");
        assert.deepEqual(Object.getOwnPropertyNames(Object.prototype), inherited, "Object.prototype was changed");
      }),
  },
  {
    number: 18,
    name: "has ports, weights and addresses out of range rejected at the seam",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        for (const kind of subject.supports.malformed) await stage.world.malform(kind);
        const run = await stage.synced();
        await run.has(web, 2);
        for (const record of run.sink.records.values())
          assert.deepEqual(validateRecord(record), [], "faults past the seam");
        const record = run.sink.records.get(web);
        assert.ok(record !== undefined);
        for (const bad of outOfRange(record)) assertRejected(stage, run, bad);
      }),
  },
  {
    number: 19,
    name: "shares nothing between two instances of the adapter",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        const left = await stage.synced({ name: "left" });
        const right = await stage.synced({ name: "right" });
        assert.notEqual(left.registry.id, right.registry.id, "ids of two registries with two names");
        await Promise.all([left.has(web, 2), right.has(web, 2)]);
        for (const run of [left, right]) assertOwn(run);
        assert.notEqual(left.sink.records.get(web), right.sink.records.get(web), "one record object told by both");
        await left.stop();
        await stage.world.set(service("web", 3));
        await right.has(web, 3);
        assert.equal(left.sink.records.get(web)?.instances.length, 2, "the run that ended heard of a later change");
        assertOwn(right);
      }),
  },
  {
    number: 20,
    name: "keeps secrets out of labels and logs",
    run: async (subject) => {
      for (const problem of subject.supports.problems) {
        await Stage.play(subject, async (stage) => {
          const { secret } = stage.world;
          assertAnswers(subject.supports, "secrets", stage.world);
          if (secret === undefined) return;
          assert.ok(secret.length >= 8, "a secret of fewer than 8 characters proves nothing");
          await stage.world.set(service("web", 2));
          const run = await stage.synced();
          await stage.world.break(problem);
          await run.until("a call of degraded", () => run.sink.degradations.length > 0);
          await run.stop();
          for (const text of [...stage.said, JSON.stringify(run.raw)])
            assert.ok(!text.includes(secret), `the secret is in: ${text.replaceAll(secret, "<secret>")}`);
        });
      }
    },
  },
];

function assertFrozen(value: unknown, path: string): void {
  if (typeof value !== "object" || value === null) return;
  assert.ok(Object.isFrozen(value), `${path} is not frozen`);
  for (const [key, member] of Object.entries(value)) assertFrozen(member, `${path}.${key}`);
}

function assertProvenance(run: Run, provenance: Provenance | undefined, what: string): void {
  assert.equal(provenance?.registry, run.registry.id, `registry in the provenance of ${what}`);
  assert.ok(typeof provenance.object === "string" && provenance.object !== "", `object in the provenance of ${what}`);
}

function assertOwn(run: Run): void {
  for (const { service } of run.sink.records.values()) assertProvenance(run, service.provenance, service.hostname);
}

/** The adapter's own record with one value out of range each. */
function outOfRange({ service, instances: [first, ...rest] }: ServiceRecord): readonly ServiceRecord[] {
  assert.ok(first !== undefined);
  const [port] = service.ports;
  assert.ok(port !== undefined);
  return [
    { service: { ...service, ports: [{ ...port, number: 65_536 }] }, instances: [] },
    { service, instances: [{ ...first, weight: -1 }, ...rest] },
    { service, instances: [{ ...first, addresses: [{ type: "ip", ip: "10.0.0.256", port: 80 }] }, ...rest] },
    { service, instances: [{ ...first, addresses: [{ type: "ip", ip: "10.0.0.1", port: 0 }] }, ...rest] },
  ];
}

function assertRejected({ logger, metrics }: Stage, run: Run, record: ServiceRecord): void {
  const sink = new RecordingSink();
  checkedSink(sink, { id: run.registry.id, logger, metrics }).push({ type: "snapshot", records: [record] });
  // Of a sound service only the instances that are not go missing.
  for (const passed of sink.records.values()) {
    assert.deepEqual(validateRecord(passed), [], `the seam let pass: ${JSON.stringify(record)}`);
    assert.ok(passed.instances.length < record.instances.length, `nothing was left out of: ${JSON.stringify(record)}`);
  }
}
