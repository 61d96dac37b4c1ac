import { registryId, serviceKey } from "@signalbox/model";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { JournalFold } from "./fold.ts";
import type { JournalState } from "./fold.ts";
import type { JournalEntry, JournalRecord } from "./records.ts";
import { entries, readAll, recordOf, snapshotOf, updateOf, write } from "./testing/entries.ts";
import { FaultyFiles } from "./testing/faulty-files.ts";
import { inTemporaryFolder } from "./testing/temporary-folder.ts";

const registry = registryId("memory", "one");

function fold(records: readonly JournalRecord[]): JournalState {
  const state = new JournalFold();
  for (const record of records) state.apply(record);
  return state.current();
}

async function stateOf(appended: readonly JournalEntry[]): Promise<JournalState> {
  return await inTemporaryFolder(async (dir) => {
    await write(appended, { dir, files: new FaultyFiles() });
    return fold(await readAll(dir));
  });
}

describe("the state at a place of the journal", () => {
  it("is what the updates up to there left, sorted", async () => {
    const state = await stateOf([
      { type: "config", at: 1, config: "c1" },
      updateOf(2, "b"),
      updateOf(3, "a"),
      updateOf(4, "gone"),
      {
        type: "update",
        at: 5,
        registry,
        update: {
          type: "delta",
          records: { upserted: [], removed: [serviceKey({ namespace: "shop", hostname: "gone" })] },
        },
      },
    ]);
    expect(state).toEqual({
      seq: 5,
      at: 5,
      config: "c1",
      isComplete: true,
      registries: [{ registry, records: [recordOf("a"), recordOf("b")], workloads: [], objects: [] }],
    });
  });

  it("is what a snapshot says, whatever was before", async () => {
    const state = await stateOf([
      updateOf(1, "b"),
      { ...snapshotOf(2, "a"), config: "c2", state: { guards: [1] } } as JournalEntry,
    ]);
    expect(state).toMatchObject({ registries: [{ records: [recordOf("a")] }], config: "c2", state: { guards: [1] } });
  });

  it("is not complete after a gap, and is again after a snapshot", async () => {
    const broken = { type: "tick", at: 2, extra: NaN } as unknown as JournalEntry;
    expect(await stateOf([updateOf(1, "a"), broken])).toMatchObject({ isComplete: false });
    expect(await stateOf([updateOf(1, "a"), broken, snapshotOf(3)])).toMatchObject({ isComplete: true });
  });

  it("is the same from the newest snapshot as from the beginning, at every place", async () => {
    await fc.assert(
      fc.asyncProperty(entries(10), fc.nat(12), async (appended, seq) => {
        await inTemporaryFolder(async (dir) => {
          await write(appended, { dir, files: new FaultyFiles(), limits: { maxSegmentBytes: 1500 } });
          const place = { seq };
          const { config: _, ...near } = fold(await readAll(dir, { from: place, to: place }));
          const { config: __, ...far } = fold(await readAll(dir, { to: place }));
          expect(near).toEqual(far);
        });
      }),
      { numRuns: 50 },
    );
  });
});
