import { serviceKey } from "@signalbox/model";
import type { Delta, ServiceRecord } from "@signalbox/model";
import { recordsOf } from "../conformance/point.ts";
import type { RegistryUpdate } from "../registry.ts";
import { around, poll, records, told, updates } from "./spoil.ts";
import type { Mutant } from "./spoil.ts";

let runs = 0;

/** Mutants for the points 1 to 8. */
export const mutantsOfState: readonly Mutant[] = [
  {
    point: 1,
    fault: "says the first snapshot as a delta",
    finding: "a delta came before the first snapshot",
    create: updates((update) =>
      update.type === "delta" ? update : { type: "delta", records: { upserted: update.records, removed: [] } },
    ),
  },
  {
    point: 1,
    fault: "says half of the source first",
    finding: "in the first snapshot",
    create: updates((update) =>
      update.type === "delta" ? update : { ...update, records: update.records.slice(0, 1) },
    ),
  },
  {
    point: 2,
    fault: "does not say that the source is empty",
    finding: "the first snapshot; heard: 0 updates",
    create: updates((update) => (update.type === "snapshot" && update.records.length === 0 ? undefined : update)),
  },
  {
    point: 3,
    fault: "says the same again",
    finding: "updates while nothing changed",
    create: told(({ sink }) => {
      let last: RegistryUpdate | undefined;
      return {
        push: (update) => sink.push((last = update)),
        alive: () => last && sink.push(last),
      };
    }, poll),
  },
  {
    point: 3,
    fault: "never says that the source is alive",
    finding: "a call of alive",
    create: told(() => ({ alive: () => undefined })),
  },
  {
    point: 4,
    fault: "says only the new instances of a record",
    finding: "with 4 instances",
    create: updates((update) =>
      update.type === "snapshot"
        ? update
        : records(update, (record) => ({ ...record, instances: record.instances.slice(-1) })),
    ),
  },
  {
    point: 4,
    fault: "says snapshots where deltas are promised",
    finding: "a change of one service is a delta",
    create: poll,
  },
  {
    point: 4,
    fault: "loses workloads",
    finding: "workload /default/vm-1",
    create: updates((update) =>
      update.type === "delta" ? { type: "delta", ...(update.records && { records: update.records }) } : update,
    ),
  },
  {
    point: 5,
    fault: "drops services without instances",
    finding: "with 0 instances",
    create: updates((update) => records(update, (record) => (record.instances.length === 0 ? undefined : record))),
  },
  {
    point: 6,
    fault: "forgets deletions",
    finding: "is gone",
    create: updates((update) => (update.type === "delta" ? { ...update, records: without(update.records) } : update)),
  },
  {
    point: 7,
    fault: "says a change as a deletion and a creation",
    finding: "updates for one deletion and one creation",
    create: told(({ sink }) => ({
      push: (update) => {
        if (update.type === "delta") {
          const removed = recordsOf(update).map((record) => serviceKey(record.service));
          sink.push({ type: "delta", records: { upserted: [], removed } });
        }
        sink.push(update);
      },
    })),
  },
  {
    point: 8,
    fault: "gives new ids with every run",
    finding: "after a restart of the adapter",
    create: around(({ registry, sink, signal }) => {
      const run = ++runs;
      const rename = (record: ServiceRecord): ServiceRecord => ({
        ...record,
        instances: record.instances.map((instance) => ({ ...instance, id: `${instance.id}-${run}` })),
      });
      const push = (update: RegistryUpdate): void => sink.push(records(update, rename));
      const alive = (): void => sink.alive();
      return registry.run({ push, alive, degraded: (problem, error) => sink.degraded(problem, error) }, signal);
    }),
  },
  {
    point: 8,
    fault: "says one key twice",
    finding: "keys are not unique",
    create: updates((update) =>
      update.type === "snapshot" ? { ...update, records: [...update.records, ...update.records] } : update,
    ),
  },
];

function without<K, V>(delta: Delta<K, V> | undefined): Delta<K, V> {
  return { upserted: delta?.upserted ?? [], removed: [] };
}
