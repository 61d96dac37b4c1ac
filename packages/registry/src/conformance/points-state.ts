import assert from "node:assert/strict";
import { serviceKey } from "@signalbox/model";
import type { RegistryUpdate } from "../registry.ts";
import { assertAnswers, recordIn, recordsOf, service } from "./point.ts";
import type { ContractPoint } from "./point.ts";
import { Stage } from "./stage.ts";
import type { Run } from "./stage.ts";
import type { Supports } from "./world.ts";

/** Points 1 to 8: what is pushed, and when. */
export const statePoints: readonly ContractPoint[] = [
  {
    number: 1,
    name: "pushes a snapshot first",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        const db = await stage.world.set(service("db", 1));
        const run = await stage.synced();
        const [first] = run.raw;
        assert.equal(first?.type, "snapshot", "the first update");
        assert.equal(recordIn(first, web)?.instances.length, 2, `instances of ${web} in the first snapshot`);
        assert.equal(recordIn(first, db)?.instances.length, 1, `instances of ${db} in the first snapshot`);
      }),
  },
  {
    number: 2,
    name: "pushes an empty snapshot for an empty source",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const run = await stage.synced();
        const [first] = run.raw;
        assert.ok(first?.type === "snapshot", "the first update is no snapshot");
        assert.deepEqual(first.records, [], "records of an empty source");
        const web = await stage.world.set(service("web", 1));
        await run.has(web, 1);
      }),
  },
  {
    number: 3,
    name: "pushes nothing when the source did not change, and says that it is alive",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        const run = await stage.synced();
        for (let round = 0; round < 2; round++) {
          const before = run.sink.aliveCount;
          await stage.world.touch();
          await run.until("a call of alive", () => run.sink.aliveCount > before || run.raw.length > 1);
        }
        assert.equal(run.raw.length, 1, "updates while nothing changed");
        await stage.world.set(service("web", 3));
        await run.has(web, 3);
        assert.equal(run.raw.length, 2, "updates after one change");
      }),
  },
  {
    number: 4,
    name: "pushes whole records, and only of the kinds that it has",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 3));
        const db = await stage.world.set(service("db", 1));
        const run = await stage.synced();
        await stage.world.set(service("web", 4));
        await run.has(web, 4);
        assert.equal(run.sink.records.get(db)?.instances.length, 1, `${db} was not touched`);
        const last = run.raw.at(-1);
        assert.equal(recordIn(last, web)?.instances.length, 4, "instances in the record of the change");
        if (subject.supports.deltas) {
          assert.ok(last?.type === "delta", "a change of one service is a delta where deltas are supported");
          assert.deepEqual(
            recordsOf(last).map((record) => serviceKey(record.service)),
            [web],
            "upserted",
          );
          assert.deepEqual(last.records?.removed ?? [], [], "removed");
        } else assertSnapshots(run.raw);
        await otherKinds(stage, run, subject.supports);
      }),
  },
  {
    number: 5,
    name: "keeps a service whose last instance left, with no instances",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 1));
        const run = await stage.synced();
        await stage.world.set(service("web", 0));
        if (subject.supports.emptyServices) await run.has(web, 0);
        else await run.until("no instance is left", () => (run.sink.records.get(web)?.instances.length ?? 0) === 0);
        await stage.world.set(service("web", 2));
        await run.has(web, 2);
      }),
  },
  {
    number: 6,
    name: "removes a deleted service, and nothing else",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 1));
        const db = await stage.world.set(service("db", 1));
        const run = await stage.synced();
        await stage.world.remove("web");
        await run.until(`${web} is gone`, () => !run.sink.records.has(web));
        assert.deepEqual([...run.sink.records.keys()], [db], "what is left");
        if (!subject.supports.deltas) assertSnapshots(run.raw);
      }),
  },
  {
    number: 7,
    name: "tells a service that was deleted and recreated between two reads as one upsert",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        const run = await stage.synced();
        const recreate = async (): Promise<void> => {
          await stage.world.remove("web");
          await stage.world.set(service("web", 3));
        };
        if (stage.world.together === undefined) await recreate();
        else await stage.world.together(recreate);
        await run.has(web, 3);
        if (stage.world.together === undefined) return;
        const since = run.raw.slice(1);
        assert.equal(since.length, 1, "updates for one deletion and one creation that were seen together");
        assert.equal(recordIn(since[0], web)?.instances.length, 3, "instances in that update");
        const removed = since[0]?.type === "delta" ? (since[0].records?.removed ?? []) : [];
        assert.deepEqual(removed, [], "removed");
      }),
  },
  {
    number: 8,
    name: "has unique keys, and instance ids that are unique and stable over a restart of either side",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 3));
        const run = await stage.synced();
        const ids = run.ids(web);
        assert.equal(ids.length, 3);
        await stage.world.restart();
        // The new service shows that the source was read after its restart.
        const db = await stage.world.set(service("db", 2));
        await run.has(db, 2);
        assert.deepEqual(run.ids(web), ids, "instance ids after a restart of the source");
        await run.stop();
        const next = await stage.synced();
        assert.deepEqual(next.ids(web), ids, "instance ids after a restart of the adapter");
        for (const update of [...run.raw, ...next.raw]) assertUnique(update);
      }),
  },
];

function assertSnapshots(updates: readonly RegistryUpdate[]): void {
  assert.ok(
    updates.every((update) => update.type === "snapshot"),
    "a delta where deltas are not supported",
  );
}

function assertUnique(update: RegistryUpdate): void {
  const keys = recordsOf(update).map((record) => serviceKey(record.service));
  assert.equal(new Set(keys).size, keys.length, `keys are not unique: ${keys.join(", ")}`);
  for (const { service, instances } of recordsOf(update)) {
    const ids = instances.map((instance) => instance.id);
    assert.equal(
      new Set(ids).size,
      ids.length,
      `instance ids of ${service.hostname} are not unique: ${ids.join(", ")}`,
    );
  }
}

/** Workloads and objects come and go where they are supported, and are never spoken of where they are not. */
async function otherKinds(stage: Stage, run: Run, supports: Supports): Promise<void> {
  const { world } = stage;
  assertAnswers(supports, "workloads", world);
  assertAnswers(supports, "objects", world);
  if (supports.workloads) {
    const key = await world.setWorkload?.("vm-1", "10.2.0.1");
    assert.ok(key !== undefined);
    await run.until(`workload ${key}`, () => run.sink.workloads.get(key)?.addresses.includes("10.2.0.1") === true);
    await world.removeWorkload?.("vm-1");
    await run.until(`workload ${key} is gone`, () => !run.sink.workloads.has(key));
  } else
    assert.ok(
      run.raw.every((update) => update.workloads === undefined),
      "workloads that are not supported",
    );
  if (supports.objects) {
    const spec = { hosts: ["web"], http: [{ route: [{ destination: { host: "web" } }] }] };
    const key = await world.setObject?.({ kind: "VirtualService", name: "web", spec });
    assert.ok(key !== undefined);
    await run.until(`object ${key}`, () => run.sink.objects.has(key));
    assert.deepEqual(run.sink.objects.get(key)?.spec, spec, `spec of ${key}`);
    await world.removeObject?.(key);
    await run.until(`object ${key} is gone`, () => !run.sink.objects.has(key));
  } else
    assert.ok(
      run.raw.every((update) => update.objects === undefined),
      "objects that are not supported",
    );
}
