import { appendFile, mkdir, readdir, readFile, rename, truncate, unlink, writeFile } from "node:fs/promises";
import { basename, join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { registryId } from "@signalbox/model";
import { createJournal } from "./journal.ts";
import type { JournalProblem } from "./problems.ts";
import type { JournalEntry } from "./records.ts";
import { redactor } from "./redact.ts";
import { segmentName } from "./segments.ts";
import { entries, entryOf, readAll, recordOf, snapshotOf, updateOf, write } from "./testing/entries.ts";
import { FaultyFiles } from "./testing/faulty-files.ts";
import { HandTimers } from "./testing/hand-timers.ts";
import { inTemporaryFolder } from "./testing/temporary-folder.ts";
import { describeJournal, verifyJournal } from "./verify.ts";

const limits = fc.record({
  maxSegmentBytes: fc.integer({ min: 200, max: 5000 }),
  maxSegmentAgeMs: fc.integer({ min: 1, max: 5000 }),
});

const few = [
  snapshotOf(1000),
  updateOf(1001, "b", { app: "shop" }),
  { type: "tick", at: 1002 },
  { type: "config", at: 1003, config: "ключ" },
] as const;

async function contentOf(dir: string): Promise<Map<string, string>> {
  const names = (await readdir(dir)).sort();
  return new Map(
    await Promise.all(names.map(async (name) => [name, await readFile(join(dir, name), "latin1")] as const)),
  );
}

describe("what is read", () => {
  it("is what was appended, redacted, in order and without holes, whatever the segments", async () => {
    await fc.assert(
      fc.asyncProperty(entries(12), limits, async (appended, bounds) => {
        await inTemporaryFolder(async (dir) => {
          await write(appended, { dir, limits: bounds });
          const records = await readAll(dir);
          expect(records.map(entryOf)).toEqual(appended.map(redactor()));
          expect(records.map((record) => record.seq)).toEqual(appended.map((_, index) => index + 1));
          expect(await verifyJournal(dir)).toMatchObject({ ok: true, records: appended.length });
        });
      }),
      { numRuns: 60 },
    );
  });

  it("is the same byte by byte where entries are encoded in slices, with others coming in between", async () => {
    const large = fc
      .tuple(fc.constantFrom("update", "snapshot"), fc.integer({ min: 1, max: 150 }))
      .map(([type, count]): JournalEntry => {
        const records = Array.from({ length: count }, (_, index) =>
          recordOf(`s${index}`, { 10: "ten", 9: "nine", token: "x" }),
        );
        if (type === "update")
          return { type, at: 0, registry: registryId("memory", "one"), update: { type: "snapshot", records } };
        const registries = [{ registry: registryId("memory", "one"), records, workloads: [], objects: [] }];
        return { type: "snapshot", at: 0, registries, state: { ramps: [1, { b: undefined, a: [[]] }], 2: {}, 1: "" } };
      });
    const mixed = fc.array(
      fc.oneof(
        large,
        entries(1).map(([one]): JournalEntry => one ?? { type: "tick", at: 0 }),
      ),
      { maxLength: 6 },
    );
    await fc.assert(
      fc.asyncProperty(mixed, limits, async (appended, bounds) => {
        await inTemporaryFolder(async (root) => {
          const folders = [0, 100].map((lookMs) => ({ dir: join(root, String(lookMs)), lookMs }));
          for (const { dir, lookMs } of folders) {
            let now = 0;
            const journal = await createJournal({ dir, limits: bounds, now: () => (now += lookMs) });
            let at = 1000;
            for (const entry of appended) {
              const given = { ...entry, at: at++ };
              journal.append(given);
              // What is small is encoded before the call returns.
              if (given.type === "decision") Object.assign(given, { code: "CHANGED" });
            }
            expect(journal.status().seq).toBe(appended.length);
            await journal.close();
          }
          const [once, sliced] = await Promise.all(folders.map(({ dir }) => contentOf(dir)));
          expect(sliced).toEqual(once);
        });
      }),
      { numRuns: 40 },
    );
  });

  it("begins at the newest snapshot that is not after the place asked for, and ends where asked", async () => {
    await fc.assert(
      fc.asyncProperty(
        entries(14),
        limits,
        fc.nat(30_000),
        fc.nat(30_000),
        fc.boolean(),
        fc.boolean(),
        async (appended, bounds, a, b, bySeq, exact) => {
          await inTemporaryFolder(async (dir) => {
            await write(appended, { dir, limits: bounds });
            const all = await readAll(dir);
            const position = (value: number) => (bySeq ? { seq: value % 16 } : { at: value });
            const [from, to] = [Math.min(a, b), Math.max(a, b)].map(position);
            if (!from || !to) return;
            const valueOf = (record: { seq: number; at: number }) => (bySeq ? record.seq : record.at);
            const limit = (place: object) => Object.values(place)[0] as number;
            const start = exact
              ? limit(from)
              : Math.max(
                  0,
                  ...all
                    .filter((record) => record.type === "snapshot" && valueOf(record) <= limit(from))
                    .map((record) => record.seq),
                );
            const expected = all.filter(
              (record) => valueOf(record) <= limit(to) && (exact ? valueOf(record) >= start : record.seq >= start),
            );
            const read = await readAll(dir, { from, to, begin: exact ? "exact" : "snapshot" });
            expect(read).toEqual(expected);
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("the bytes on the disk", () => {
  it("are the same for the same entries, however they are flushed, reopened and written in parts", async () => {
    const cuts = fc.array(fc.constantFrom("none", "flush", "reopen"), { minLength: 12, maxLength: 12 });
    await fc.assert(
      fc.asyncProperty(
        entries(12),
        limits,
        cuts,
        fc.integer({ min: 1, max: 300 }),
        async (appended, bounds, how, most) => {
          await inTemporaryFolder(async (root) => {
            const options = { limits: { ...bounds, maxTotalBytes: 6000 } };
            await write(appended, { dir: join(root, "a"), ...options });
            const files = new FaultyFiles();
            files.mostPerWrite = most;
            const other = { dir: join(root, "b"), files, ...options };
            let journal = await createJournal(other);
            for (const [index, entry] of appended.entries()) {
              journal.append(entry);
              if (how[index] === "flush") await journal.flush();
              if (how[index] === "reopen") {
                await journal.close();
                journal = await createJournal(other);
              }
            }
            await journal.close();
            expect(await contentOf(join(root, "b"))).toEqual(await contentOf(join(root, "a")));
            expect(files.openFiles).toBe(0);
          });
        },
      ),
      { numRuns: 40 },
    );
  });

  it("give a prefix after a cut at any byte, reported, and the journal goes on and verifies", async () => {
    await inTemporaryFolder(async (root) => {
      const original = join(root, "original");
      // Two segments: the cut goes through the whole of the second, header and all.
      await write(few, { dir: original, limits: { maxSegmentBytes: 1900 } });
      const [first, last, ...rest] = await describeJournal(original);
      expect(rest).toEqual([]);
      if (!first || !last) throw new Error("there are not two segments");
      const records = await readAll(original);
      for (const torn of [first, last]) {
        const bytes = await readFile(torn.file);
        const ends = [...bytes.keys()].filter((index) => bytes[index] === 0x0a).map((index) => index + 1);
        for (let length = 0; length < bytes.length; length++) {
          const dir = join(root, `${basename(torn.file)}-${length}`);
          await mkdir(dir);
          if (torn === last) await writeFile(join(dir, basename(first.file)), await readFile(first.file));
          await writeFile(join(dir, basename(torn.file)), bytes.subarray(0, length));
          const before = torn === last ? first.records : 0;
          const whole = Math.max(0, ends.filter((end) => end <= length).length - 1);
          const expected = records.slice(0, before + whole);
          expect(await readAll(dir)).toEqual(expected);

          const problems: JournalProblem[] = [];
          const onProblem = (problem: JournalProblem) => problems.push(problem);
          await write([{ type: "tick", at: 2000 }], { dir, files: new FaultyFiles(), onProblem });
          const isTorn = length > 0 && !ends.includes(length);
          expect(problems.map(({ code }) => code)).toEqual(isTorn ? ["TORN_TAIL"] : []);
          const after = await readAll(dir);
          expect(after.slice(0, -1)).toEqual(expected);
          expect(after.at(-1)).toMatchObject({ type: "tick", at: 2000, seq: expected.length + 1 });
          expect(await verifyJournal(dir)).toMatchObject({ ok: true, records: expected.length + 1 });
        }
      }
    });
  }, 60_000);

  it("show every flipped byte, by file and line", async () => {
    await inTemporaryFolder(async (dir) => {
      await write(few, { dir, limits: { maxSegmentBytes: 1900 } });
      for (const { file } of await describeJournal(dir)) {
        const bytes = await readFile(file);
        for (let index = 0; index < bytes.length; index++) {
          const line = bytes.subarray(0, index).filter((byte) => byte === 0x0a).length + 1;
          const damaged = Buffer.from(bytes);
          damaged[index] = (damaged[index] ?? 0) ^ (1 + (index % 255));
          await writeFile(file, damaged);
          expect(await verifyJournal(dir), `byte ${index}`).toMatchObject({ ok: false, file, line });
        }
        await writeFile(file, bytes);
      }
      expect(await verifyJournal(dir)).toMatchObject({ ok: true });
    });
  }, 60_000);

  it("verify from the oldest segment kept, within the limits, after any rotation and retention", async () => {
    await fc.assert(
      fc.asyncProperty(
        entries(25),
        limits,
        fc.integer({ min: 1000, max: 8000 }),
        fc.integer({ min: 500, max: 20_000 }),
        async (appended, bounds, maxTotalBytes, maxAgeMs) => {
          await inTemporaryFolder(async (dir) => {
            await write(appended, { dir, limits: { ...bounds, maxTotalBytes, maxAgeMs } });
            expect(await verifyJournal(dir)).toMatchObject({ ok: true });
            const records = await readAll(dir);
            expect(records.map(entryOf)).toEqual(appended.map(redactor()).slice(appended.length - records.length));
            const segments = await describeJournal(dir);
            const bytes = segments.reduce((sum, segment) => sum + segment.bytes, 0);
            if (segments.length > 1) expect(bytes).toBeLessThanOrEqual(maxTotalBytes);
            const now = appended.at(-1)?.at ?? 0;
            for (const segment of segments.slice(1))
              expect(now - (segment.at?.first ?? 0)).toBeLessThanOrEqual(maxAgeMs);
          });
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe("a disk that is full at times", () => {
  const steps = fc.array(
    fc.oneof(
      { weight: 4, arbitrary: fc.constant("append" as const) },
      fc.constantFrom("flush" as const, "timers" as const, "full" as const, "free" as const),
      fc.integer({ min: 1, max: 3000 }),
    ),
    { maxLength: 40 },
  );

  it("leaves a journal that verifies, in which each entry is written or stands in a gap", async () => {
    await fc.assert(
      fc.asyncProperty(
        entries(30),
        limits,
        steps,
        fc.integer({ min: 1, max: 5000 }),
        async (given, bounds, what, most) => {
          await inTemporaryFolder(async (dir) => {
            const files = new FaultyFiles();
            const timers = new HandTimers();
            const journal = await createJournal({
              dir,
              files,
              after: timers.after,
              limits: { ...bounds, maxPendingBytes: most },
            });
            let appended = 0;
            for (const step of what) {
              if (step === "append") {
                const entry = given[appended];
                if (entry) expect(journal.append(entry)).toBe(++appended);
              } else if (step === "flush") await journal.flush().catch(() => {});
              else if (step === "timers") timers.fire();
              else files.room = step === "full" ? 0 : step === "free" ? Infinity : step;
              const { pending } = journal.status();
              if (pending.records > 1) expect(pending.bytes).toBeLessThanOrEqual(most + 400);
            }
            files.room = Infinity;
            await journal.flush();
            const { lost, degraded } = journal.status();
            expect(degraded).toBeUndefined();
            await journal.close();
            expect(files.openFiles).toBe(0);
            expect(await verifyJournal(dir)).toMatchObject({ ok: true });
            let next = 1;
            let missing = 0;
            for (const record of await readAll(dir)) {
              if (record.type === "gap") {
                expect(record.from).toBe(next);
                missing += record.seq - record.from + 1;
              } else {
                expect(record.seq).toBe(next);
                expect(entryOf(record)).toEqual(redactor()(given[record.seq - 1]));
              }
              next = record.seq + 1;
            }
            expect({ next, missing }).toEqual({ next: appended + 1, missing: lost });
          });
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe("damage in the middle", () => {
  it("is reported on opening, left as it is, and the journal goes on behind it", async () => {
    await inTemporaryFolder(async (dir) => {
      await write(few, { dir });
      const [segment] = await describeJournal(dir);
      if (!segment) throw new Error("there is no segment");
      const damaged = (await readFile(segment.file, "utf8")).replace('"app":"shop"', '"app":"shoq"');
      await writeFile(segment.file, damaged);
      const problems: JournalProblem[] = [];
      await write([snapshotOf(3000, "z"), { type: "tick", at: 3001 }], { dir, onProblem: (one) => problems.push(one) });
      expect(problems).toMatchObject([{ code: "BROKEN", file: segment.file, line: 3 }]);
      expect(await readFile(segment.file, "utf8")).toBe(damaged);
      await expect(readAll(dir)).rejects.toMatchObject({ code: "SBX_JOURNAL_BROKEN", file: segment.file, line: 3 });
      expect((await readAll(dir, { from: { at: 3001 } })).map((record) => record.seq)).toEqual([5, 6]);
    });
  });

  it("is a segment under another name, behind which the journal goes on", async () => {
    await inTemporaryFolder(async (dir) => {
      await write(few, { dir });
      const file = join(dir, segmentName(9));
      await rename(join(dir, segmentName(1)), file);
      const problems: JournalProblem[] = [];
      await write([snapshotOf(3000, "z")], { dir, onProblem: (one) => problems.push(one) });
      expect(problems).toMatchObject([{ code: "BROKEN", file, line: 1 }]);
      expect(await verifyJournal(dir)).toMatchObject({ ok: false, file, line: 1 });
      expect(await readAll(dir, { from: { at: 3000 } })).toMatchObject([{ type: "snapshot", seq: 10 }]);
    });
  });

  it.each([
    ["a segment", 2],
    ["two segments", 3],
  ])("is found where %s in the middle are missing", async (_, count) => {
    await inTemporaryFolder(async (dir) => {
      await write(
        [1, 2, 3, 4, 5].map((at) => ({ type: "tick", at })),
        { dir, limits: { maxSegmentBytes: 1 } },
      );
      const segments = await describeJournal(dir);
      for (const segment of segments.slice(1, count)) await unlink(segment.file);
      expect(await verifyJournal(dir)).toMatchObject({ ok: false, file: segments[count]?.file, line: 1 });
    });
  });

  it("is not what a line is that is still being written", async () => {
    await inTemporaryFolder(async (dir) => {
      await write(few, { dir });
      const [segment] = await describeJournal(dir);
      await appendFile(segment?.file ?? "", '{"seq":5,"at":');
      expect(await readAll(dir)).toHaveLength(4);
      expect(await verifyJournal(dir)).toMatchObject({ ok: false, line: 6, reason: "the line is cut off" });
      await truncate(segment?.file ?? "", segment?.bytes);
      expect(await verifyJournal(dir)).toMatchObject({ ok: true });
    });
  });
});

describe("redaction", () => {
  it("done twice is done once, and leaves the given data as it was", () => {
    fc.assert(
      fc.property(entries(6), (given) => {
        const redact = redactor();
        const before = structuredClone(given);
        const once = given.map((entry) => redact(entry));
        expect(once.map((entry) => redact(entry))).toEqual(once);
        expect(given).toEqual(before);
        for (const entry of once) {
          for (const text of JSON.stringify(entry).matchAll(/"(?:password|api-key|monkey)":"([^"]*)"/g)) {
            expect(text[1]).toBe("[redacted]");
          }
        }
      }),
    );
  });

  it("of a record shares what has no secret", () => {
    const record = recordOf("a", { app: "x" });
    expect(redactor()(record)).toBe(record);
  });
});
