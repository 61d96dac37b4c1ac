import assert from "node:assert/strict";
import { assertAnswers, service } from "./point.ts";
import type { ContractPoint } from "./point.ts";
import { Stage } from "./stage.ts";
import type { Run } from "./stage.ts";

/** Points 9 to 12: what happens when the source fails. */
export const failurePoints: readonly ContractPoint[] = [
  {
    number: 9,
    name: "calls degraded for a failed read and keeps the state",
    run: async (subject) => {
      for (const problem of subject.supports.problems) {
        await Stage.play(subject, async (stage) => {
          const web = await stage.world.set(service("web", 2));
          const run = await stage.synced();
          await stage.world.break(problem);
          await degraded(run, problem);
          assert.equal(run.raw.length, 1, `updates while the source was ${problem}`);
          await stage.world.mend();
          await stage.world.set(service("web", 3));
          await run.has(web, 3);
        });
        await Stage.play(subject, async (stage) => {
          const web = await stage.world.set(service("web", 1));
          await stage.world.break(problem);
          const run = stage.start();
          await degraded(run, problem);
          assert.equal(run.raw.length, 0, `updates before the first good read, ${problem}`);
          await stage.world.mend();
          await run.has(web, 1);
          assert.equal(run.raw[0]?.type, "snapshot", "the first update after a failed start");
        });
      }
    },
  },
  {
    number: 10,
    name: "takes a truncated or half-parsed read for a failed one",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        assertAnswers(subject.supports, "truncation", stage.world);
        if (!subject.supports.truncation) return;
        const keys = [];
        for (const name of ["a", "b", "c", "d"]) keys.push(await stage.world.set(service(name, 3)));
        const run = await stage.synced();
        await stage.world.truncate?.();
        await degraded(run);
        assert.equal(run.raw.length, 1, "updates from truncated reads");
        await stage.world.mend();
        const added = await stage.world.set(service("e", 1));
        await run.has(added, 1);
        for (const key of keys) assert.equal(run.sink.records.get(key)?.instances.length, 3, `instances of ${key}`);
      }),
  },
  {
    number: 11,
    name: "drops and counts one malformed object and passes the others",
    run: async (subject) => {
      for (const kind of subject.supports.malformed) {
        await Stage.play(subject, async (stage) => {
          const web = await stage.world.set(service("web", 2));
          const run = await stage.synced();
          await stage.world.malform(kind);
          const db = await stage.world.set(service("db", 1));
          await run.has(db, 1);
          assert.equal(run.sink.records.get(web)?.instances.length, 2, `instances beside a malformed ${kind}`);
          assert.ok(stage.complaints > 0, `a malformed ${kind} was neither counted nor warned of`);
          await run.stop();
          const next = await stage.synced();
          assert.equal(next.sink.records.get(web)?.instances.length, 2, `first snapshot with a malformed ${kind}`);
        });
      }
    },
  },
  {
    number: 12,
    name: "recovers by itself, with backoff from the clock",
    run: (subject) =>
      Stage.play(subject, async (stage) => {
        const web = await stage.world.set(service("web", 1));
        const run = await stage.synced();
        await stage.world.break(subject.supports.problems[0]);
        await degraded(run);
        if (subject.supports.backoff) await backsOff(stage, run);
        await stage.world.mend();
        await stage.world.set(service("web", 2));
        // What is told by events needs no time to recover; what tries again by the clock does.
        await run.has(web, 2, { advance: subject.supports.backoff });
      }),
  },
];

async function degraded(run: Run, problem?: string): Promise<void> {
  const before = run.sink.degradations.length;
  await run.until("a call of degraded", () => run.sink.degradations.length > 0);
  const last = run.sink.degradations.at(-1);
  assert.ok(last?.error instanceof Error, "degraded without an Error");
  if (problem !== undefined && before === 0) assert.equal(run.sink.degradations[0]?.problem, problem, "the problem");
}

/** Each further attempt must cost a wait on the clock, and there must be further attempts. */
async function backsOff(stage: Stage, run: Run): Promise<void> {
  await quiet(stage, run);
  const attempts = run.sink.degradations.length;
  assert.ok(stage.clock.pending.length > 0, "nobody waits on the clock while the source is broken");
  await quiet(stage, run);
  assert.equal(run.sink.degradations.length, attempts, "attempts while the clock stood still");
  const asked = stage.clock.asked.length;
  await run.until("two more attempts", () => run.sink.degradations.length >= attempts + 2);
  assert.ok(stage.clock.asked.length - asked >= 2, "fewer waits on the clock than attempts");
  assert.ok(
    stage.clock.asked.slice(asked).some((ms) => ms > 0),
    "all waits between attempts were 0",
  );
}

/** Waits, with the clock standing still, until nothing is heard any more. A source that never falls silent fails. */
async function quiet(stage: Stage, run: Run): Promise<void> {
  const end = performance.now() + stage.deadlineMs;
  while (await run.sink.changed(stage.quietMs * 2)) {
    assert.ok(performance.now() < end, "the adapter tries again and again without waiting on the clock");
  }
}
