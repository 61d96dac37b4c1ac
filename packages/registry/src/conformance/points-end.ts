import assert from "node:assert/strict";
import { setImmediate as tick } from "node:timers/promises";
import { service } from "./point.ts";
import type { ContractPoint } from "./point.ts";
import { assertNothingLeft, restingResources } from "./resources.ts";
import { Stage } from "./stage.ts";
import type { Run } from "./stage.ts";
import type { RegistryUnderTest, SourceWorld } from "./world.ts";

/** Points 13 and 14: how a run ends, and what comes after. */
export const endPoints: readonly ContractPoint[] = [
  {
    number: 13,
    name: "resolves when aborted before connect, during a request, during backoff, during push; leaves no timer, socket or listener",
    run: async (subject) => {
      await abort(subject, "before it began", (stage) => Promise.resolve(stage.start({ aborted: true })));
      for (const ticks of [0, 1, 2, 4, 8]) {
        await abort(subject, `${ticks} ticks after it began`, async (stage) => {
          const run = stage.start();
          for (let count = 0; count < ticks; count++) await tick();
          return run;
        });
      }
      await abort(subject, "when all was quiet", (stage) => stage.synced());
      await abort(subject, "during push", async (stage) => {
        const run = stage.start({ onCall: (self) => self.abort() });
        await stage.settle(() => run.raw.length > 0);
        return run;
      });
      await abort(subject, "during degraded", async (stage) => {
        await stage.world.break(subject.supports.problems[0]);
        let called = false;
        const run = stage.start({
          onCall: (self) => {
            called = true;
            self.abort();
          },
        });
        await stage.settle(() => called);
        return run;
      });
      await abort(subject, "during backoff", async (stage) => {
        const run = await stage.synced();
        await stage.world.break(subject.supports.problems[0]);
        await run.until("a call of degraded", () => run.sink.degradations.length > 0);
        return run;
      });
      await abort(subject, "during a request that hangs", async (stage) => {
        await stage.world.stall?.();
        const run = stage.start();
        await run.sink.changed(stage.quietMs);
        return run;
      });
    },
  },
  {
    number: 14,
    name: "can be run again after it ended, and ends what its baseline has and the source has not",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 2));
        const first = await stage.synced();
        await first.stop();
        const again = await stage.synced({ registry: first.registry });
        assert.equal(again.raw[0]?.type, "snapshot", "the first update of the second run");
        assert.equal(again.sink.records.get(web)?.instances.length, 2, "instances in the second run");
        await again.stop();
        await stage.world.set(service("web", 3));
        const third = await stage.synced({ registry: first.registry });
        assert.equal(third.sink.records.get(web)?.instances.length, 3, "a change between two runs");
        const updates = first.raw.length;
        await stage.world.set(service("web", 4));
        await third.has(web, 4);
        assert.equal(first.raw.length, updates, "updates to the sink of a run that ended");
        await third.stop();
        const gone = await stage.world.set(service("gone", 2));
        const fourth = await stage.synced();
        await fourth.stop();
        await stage.world.remove("gone");
        await stage.world.set(service("web", 2));
        const fifth = await stage.synced({ after: fourth });
        assert.equal(fifth.raw[0]?.type, "snapshot", "the first update of a run with a baseline");
        await fifth.has(web, 2);
        await fifth.until("the end of what is only in the baseline", () => !fifth.sink.records.has(gone));
      }),
  },
];

/** Brings a run to a state, aborts it there, and checks what is left. */
async function abort<W extends SourceWorld>(
  subject: RegistryUnderTest<W>,
  when: string,
  begin: (stage: Stage<W>) => Promise<Run>,
): Promise<void> {
  await Stage.play(subject, async (stage) => {
    await stage.world.set(service("web", 2));
    const before = await restingResources(stage);
    const run = await begin(stage);
    await run.stop();
    const told = run.raw.length + run.sink.aliveCount + run.sink.degradations.length;
    await stage.world.mend();
    await assertNothingLeft(stage, run, before, when);
    assert.equal(
      run.raw.length + run.sink.aliveCount + run.sink.degradations.length,
      told,
      `calls after an abort ${when}`,
    );
  });
}
