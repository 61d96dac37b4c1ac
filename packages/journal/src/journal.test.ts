import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { hostname } from "node:os";
import { join } from "node:path";
import { registryId } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { headerLine, noHash } from "./format.ts";
import { createJournal } from "./journal.ts";
import { readBytes } from "./lines.ts";
import type { JournalProblem } from "./problems.ts";
import { readJournal } from "./read.ts";
import type { JournalEntry } from "./records.ts";
import { segmentName } from "./segments.ts";
import { entryOf, readAll, recordOf, snapshotOf, updateOf, write } from "./testing/entries.ts";
import { FaultyFiles } from "./testing/faulty-files.ts";
import { HandTimers } from "./testing/hand-timers.ts";
import { inTemporaryFolder } from "./testing/temporary-folder.ts";
import { describeJournal, verifyJournal } from "./verify.ts";

const tick = (at: number): JournalEntry => ({ type: "tick", at });

describe("the lock", () => {
  it("refuses a second journal of the same process until the first is closed", async () => {
    await inTemporaryFolder(async (dir) => {
      const journal = await createJournal({ dir });
      await expect(createJournal({ dir })).rejects.toMatchObject({
        code: "SBX_JOURNAL_LOCKED",
        pid: process.pid,
        host: hostname(),
      });
      journal.append(tick(1));
      await journal.close();
      await write([tick(2)], { dir });
      expect(await readAll(dir)).toHaveLength(2);
      expect(await readdir(dir)).toEqual([segmentName(1)]);
    });
  });

  it("never lets two journals in that come at once", async () => {
    await inTemporaryFolder(async (dir) => {
      const results = await Promise.allSettled([1, 2, 3, 4].map(() => createJournal({ dir })));
      const opened = results.filter((result) => result.status === "fulfilled");
      expect(opened.length).toBeLessThanOrEqual(1);
      for (const result of opened) await result.value.close();
      await write([tick(1)], { dir });
      expect(await readAll(dir)).toHaveLength(1);
    });
  });

  const host = encodeURIComponent(hostname()).replaceAll("_", "%5F");

  it("of a process that is gone is taken over, and that is reported", async () => {
    await inTemporaryFolder(async (dir) => {
      const { pid } = spawnSync(process.execPath, ["-e", ""]);
      const name = `writer_${host}_${pid}__00.lock`;
      await writeFile(join(dir, name), "");
      const problems: JournalProblem[] = [];
      await write([tick(1)], { dir, onProblem: (problem) => problems.push(problem) });
      expect(problems).toMatchObject([{ code: "LOCK_TAKEN_OVER", file: name }]);
      expect(await readdir(dir)).toEqual([segmentName(1)]);
    });
  });

  it.runIf(process.platform === "linux")("of an earlier process with this one's id is taken over", async () => {
    await inTemporaryFolder(async (dir) => {
      await writeFile(join(dir, `writer_${host}_${process.pid}_1_00.lock`), "");
      await write([tick(1)], { dir });
      expect(await readAll(dir)).toHaveLength(1);
    });
  });

  it("of another process that runs is respected", async () => {
    await inTemporaryFolder(async (dir) => {
      const child = spawn(process.execPath, ["-e", "process.stdin.resume()"], { stdio: ["pipe", "ignore", "ignore"] });
      try {
        await writeFile(join(dir, `writer_${host}_${child.pid}__00.lock`), "");
        await expect(createJournal({ dir })).rejects.toMatchObject({ code: "SBX_JOURNAL_LOCKED", pid: child.pid });
      } finally {
        child.stdin.end();
        await once(child, "exit");
      }
      await write([tick(1)], { dir });
    });
  });

  it("of another host is respected, and named as the file to delete", async () => {
    await inTemporaryFolder(async (dir) => {
      const file = join(dir, "writer_else%5Fwhere_7_123_00.lock");
      await writeFile(file, "");
      await expect(createJournal({ dir })).rejects.toMatchObject({ host: "else_where", pid: 7, file });
      expect(await readdir(dir)).toHaveLength(1);
    });
  });
});

describe("a large entry", () => {
  it("is encoded in later turns, waits as one record, and is in place when those behind it are flushed", async () => {
    await inTemporaryFolder(async (dir) => {
      let now = 0;
      const journal = await createJournal({ dir, now: () => (now += 10) });
      const records = Array.from({ length: 500 }, (_, index) => recordOf(`s${index}`));
      const registry = registryId("memory", "one");
      expect(journal.status().snapshotWanted).toBe(true);
      journal.append({ type: "snapshot", at: 1, registries: [{ registry, records, workloads: [], objects: [] }] });
      expect(journal.append(tick(2))).toBe(2);
      expect(journal.status()).toMatchObject({ seq: 2, pending: { records: 2, bytes: 0 }, snapshotWanted: false });
      await journal.flush();
      expect(journal.status()).toMatchObject({ pending: { records: 0 }, snapshotWanted: false });
      expect((await readAll(dir)).map(({ type }) => type)).toEqual(["snapshot", "tick"]);
      await journal.close();
    });
  });

  it("that is no plain data is lost by itself, with a gap in its place", async () => {
    await inTemporaryFolder(async (dir) => {
      let now = 0;
      const journal = await createJournal({ dir, now: () => (now += 10) });
      const records = Array.from({ length: 500 }, (_, index) => recordOf(`s${index}`));
      const odd = { ...recordOf("odd"), instances: [NaN as never] };
      const registry = registryId("memory", "one");
      journal.append({ type: "update", at: 1, registry, update: { type: "snapshot", records: [...records, odd] } });
      journal.append(tick(2));
      journal.append({ type: "update", at: 3, registry, update: { type: "snapshot", records } });
      await journal.close();
      expect(await readAll(dir)).toMatchObject([
        { type: "gap", from: 1, seq: 1, reason: "INVALID" },
        { type: "tick", seq: 2 },
        { type: "update", seq: 3 },
      ]);
    });
  });
});

describe("a disk that takes nothing", () => {
  it("makes the journal degraded, keeps what waits, and is tried again until it does", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const timers = new HandTimers();
      const problems: JournalProblem[] = [];
      const journal = await createJournal({
        dir,
        files,
        after: timers.after,
        onProblem: (problem) => problems.push(problem),
      });
      journal.append(snapshotOf(1));
      await journal.flush();
      files.room = 100;
      expect(journal.append(updateOf(2, "b"))).toBe(2);
      await expect(journal.flush()).rejects.toMatchObject({ code: "SBX_JOURNAL_WRITE" });
      expect(journal.append(tick(3))).toBe(3);
      expect(journal.status()).toMatchObject({
        degraded: { message: expect.stringContaining("no space left") as unknown },
        pending: { records: 2 },
        lost: 0,
      });
      // The part that was written is taken back: readers see whole records only.
      expect(await verifyJournal(dir)).toMatchObject({ ok: true, records: 1 });
      await expect(journal.flush()).rejects.toThrow("no space left");
      expect(problems.map(({ code }) => code)).toEqual(["WRITE_FAILED"]);

      files.room = Infinity;
      timers.fire();
      await journal.flush();
      expect(problems.map(({ code }) => code)).toEqual(["WRITE_FAILED", "RECOVERED"]);
      expect(journal.status()).toMatchObject({ pending: { records: 0, bytes: 0 }, lost: 0, snapshotWanted: false });
      expect(journal.status().degraded).toBeUndefined();
      await journal.close();
      expect((await readAll(dir)).map(({ type }) => type)).toEqual(["snapshot", "update", "tick"]);
    });
  });

  it("loses the newest entries once too much waits, and leaves a gap record in their place", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const problems: JournalProblem[] = [];
      const journal = await createJournal({
        dir,
        files,
        limits: { maxPendingBytes: 4000 },
        onProblem: (problem) => problems.push(problem),
      });
      journal.append(snapshotOf(1));
      await journal.flush();
      files.room = 0;
      for (let at = 2; at <= 100; at++) expect(journal.append(updateOf(at, "b"))).toBe(at);
      await expect(journal.flush()).rejects.toThrow();
      const { pending, lost, snapshotWanted } = journal.status();
      expect(pending.bytes).toBeLessThanOrEqual(4000);
      expect(pending.records + lost).toBe(99);
      expect(snapshotWanted).toBe(false);
      expect(problems.map(({ code }) => code)).toEqual(["RECORDS_LOST", "WRITE_FAILED"]);

      files.room = Infinity;
      await journal.flush();
      expect(journal.status().snapshotWanted).toBe(true);
      expect(journal.append(snapshotOf(101, "b"))).toBe(101);
      expect(journal.status()).toMatchObject({ lost, snapshotWanted: false });
      await journal.close();
      const records = await readAll(dir);
      expect(records.at(-2)).toMatchObject({
        type: "gap",
        from: 100 - lost + 1,
        fromAt: 100 - lost + 1,
        seq: 100,
        at: 100,
        reason: "FULL",
      });
      expect(records.at(-1)).toMatchObject({ type: "snapshot", seq: 101 });
      expect(await verifyJournal(dir)).toMatchObject({ ok: true });
      // Whoever asks for the state at a place that is lost must see that it is.
      for (const place of [{ seq: 99 }, { at: 99 }]) {
        expect(await readAll(dir, { to: place })).toEqual(records.slice(0, -1));
      }
    });
  });

  it("loses small entries, too, once a larger one found no room, so that there is one gap", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const journal = await createJournal({ dir, files, limits: { maxPendingBytes: 8000 } });
      files.room = 0;
      journal.append(updateOf(1, "a"));
      journal.append(updateOf(2, "a", { long: "x".repeat(8000) }));
      journal.append(tick(3));
      expect(journal.status()).toMatchObject({ pending: { records: 1 }, lost: 2 });
      files.room = Infinity;
      await journal.flush();
      journal.append(tick(4));
      await journal.close();
      expect(await readAll(dir)).toMatchObject([
        { seq: 1 },
        { type: "gap", from: 2, seq: 3 },
        { type: "tick", seq: 4 },
      ]);
    });
  });

  it("is left in peace between two attempts", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const timers = new HandTimers();
      const journal = await createJournal({ dir, files, after: timers.after, retryEveryMs: 700 });
      files.room = 0;
      journal.append(tick(1));
      await until(() => journal.status().degraded !== undefined);
      expect(timers.set).toEqual([700]);
      for (let at = 2; at < 10; at++) {
        journal.append(tick(at));
        await turns();
      }
      expect(files.writes).toBe(1);
      timers.fire();
      await turns();
      expect(files.writes).toBe(2);
      files.room = Infinity;
      await journal.close();
      expect(await readAll(dir)).toHaveLength(9);
    });
  });

  it("does not keep the journal from closing, which says what is lost", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const problems: JournalProblem[] = [];
      const journal = await createJournal({ dir, files, onProblem: (problem) => problems.push(problem) });
      files.room = 0;
      journal.append(tick(1));
      await journal.close();
      expect(problems.map(({ code }) => code)).toEqual(["WRITE_FAILED", "RECORDS_LOST"]);
      expect(files.openFiles).toBe(0);
      files.room = Infinity;
      await write([tick(2)], { dir, files });
      expect(await readAll(dir)).toMatchObject([{ seq: 1, at: 2 }]);
    });
  });

  it("is noticed when only syncing fails, too", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const journal = await createJournal({ dir, files });
      files.syncFails = true;
      journal.append(tick(1));
      await expect(journal.flush()).rejects.toThrow("input/output error");
      expect(journal.status()).toMatchObject({ unsynced: true, degraded: {} });
      files.syncFails = false;
      await journal.flush();
      expect(journal.status()).toMatchObject({ unsynced: false });
      expect(journal.status().degraded).toBeUndefined();
      await journal.close();
    });
  });
});

describe("appending", () => {
  it("syncs once for all that was written in the interval", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const timers = new HandTimers();
      const journal = await createJournal({ dir, files, after: timers.after, syncEveryMs: 250 });
      for (let at = 1; at <= 50; at++) journal.append(tick(at));
      await until(() => timers.set.length > 0);
      expect(timers.set).toEqual([250]);
      expect(files.events).toEqual([]);
      timers.fire();
      await until(() => !journal.status().unsynced);
      expect(files.events).toEqual(["sync"]);
      await journal.close();
    });
  });

  it.each([
    ["a number that JSON cannot say", { type: "operator", at: 5, author: "a", action: "x", detail: NaN }],
    ["a time that is no number", { type: "tick", at: NaN }],
    ["a member that the journal uses itself", { type: "tick", at: 5, hash: "x" }],
    ["a type that does not exist", { type: "segment", at: 5 }],
    ["a map", { type: "decision", at: 5, stage: "guard", code: "X", detail: new Map() }],
  ])("loses an entry with %s, without stopping", async (_, entry) => {
    await inTemporaryFolder(async (dir) => {
      const problems: JournalProblem[] = [];
      const journal = await createJournal({ dir, onProblem: (problem) => problems.push(problem) });
      journal.append(tick(1));
      expect(journal.append(entry as JournalEntry)).toBe(2);
      expect(journal.append(tick(6))).toBe(3);
      await journal.close();
      expect(problems).toMatchObject([{ code: "RECORDS_LOST", cause: expect.any(TypeError) as unknown }]);
      expect(await readAll(dir)).toMatchObject([
        { type: "tick" },
        { type: "gap", from: 2, seq: 2, reason: "INVALID" },
        { type: "tick", seq: 3 },
      ]);
    });
  });

  it("loses an entry that is over the limit for one record", async () => {
    await inTemporaryFolder(async (dir) => {
      await write([updateOf(1, "a", { long: "x".repeat(5000) }), tick(2)], { dir, limits: { maxRecordBytes: 3000 } });
      expect(await readAll(dir)).toMatchObject([{ type: "gap", from: 1, reason: "TOO_LARGE" }, { type: "tick" }]);
    });
  });

  it("takes a time that went back as the one before it, and says so once", async () => {
    await inTemporaryFolder(async (dir) => {
      const problems: JournalProblem[] = [];
      const onProblem = (problem: JournalProblem) => problems.push(problem);
      await write([10, 5, 6, 11, 3].map(tick), { dir, onProblem });
      await write([tick(4)], { dir, onProblem });
      expect((await readAll(dir)).map(({ at }) => at)).toEqual([10, 10, 10, 11, 11, 11]);
      expect(problems.map(({ code }) => code)).toEqual(Array(3).fill("TIME_WENT_BACK"));
    });
  });

  it("keeps no secret on the disk", async () => {
    await inTemporaryFolder(async (dir) => {
      await write([updateOf(1, "a", { password: "hunter2", app: "shop" })], { dir });
      const [segment] = await describeJournal(dir);
      const text = await readFile(segment?.file ?? "", "utf8");
      expect(text).not.toContain("hunter2");
      expect(text).toContain('"app":"shop"');
    });
  });

  it("is refused once the journal is closed, and so is flushing; closing again is not", async () => {
    await inTemporaryFolder(async (dir) => {
      const journal = await createJournal({ dir });
      await journal.close();
      expect(() => journal.append(tick(1))).toThrow(expect.objectContaining({ code: "SBX_JOURNAL_CLOSED" }) as Error);
      await expect(journal.flush()).rejects.toMatchObject({ code: "SBX_JOURNAL_CLOSED" });
      await journal.close();
    });
  });

  it("asks for a snapshot after opening and in each new segment", async () => {
    await inTemporaryFolder(async (dir) => {
      const options = { dir, limits: { maxSegmentAgeMs: 100 } };
      let journal = await createJournal(options);
      expect(journal.status().snapshotWanted).toBe(true);
      journal.append(snapshotOf(1));
      expect(journal.status().snapshotWanted).toBe(false);
      journal.append(tick(100));
      expect(journal.status().snapshotWanted).toBe(false);
      journal.append(tick(101));
      expect(journal.status().snapshotWanted).toBe(true);
      journal.append(snapshotOf(102));
      expect(journal.status().snapshotWanted).toBe(false);
      await journal.close();
      journal = await createJournal(options);
      expect(journal.status()).toMatchObject({ snapshotWanted: true, seq: 4, at: 102, segments: 2 });
      await journal.close();
    });
  });
});

describe("opening", () => {
  it.each([{ maxSegmentBytes: 0 }, { maxAgeMs: NaN }, { maxRecordBytes: 2 ** 40 }])(
    "refuses the limits %j and leaves no lock",
    async (limits) => {
      await inTemporaryFolder(async (dir) => {
        await expect(createJournal({ dir, limits })).rejects.toThrow(RangeError);
        expect(await readdir(dir)).toEqual([]);
      });
    },
  );

  it("refuses what a newer release wrote, changes nothing and leaves no lock", async () => {
    await inTemporaryFolder(async (dir) => {
      const bytes = Buffer.concat(headerLine({ format: 2, first: 1, at: 1, prev: noHash }).pieces);
      const file = join(dir, segmentName(1));
      await writeFile(file, Buffer.concat([bytes, Buffer.from("something new")]));
      await expect(createJournal({ dir })).rejects.toMatchObject({ code: "SBX_JOURNAL_VERSION", version: 2, file });
      await expect(readAll(dir)).rejects.toMatchObject({ code: "SBX_JOURNAL_VERSION" });
      await expect(verifyJournal(dir)).rejects.toMatchObject({ code: "SBX_JOURNAL_VERSION" });
      expect(await readdir(dir)).toEqual([segmentName(1)]);
      expect(await readFile(file, "utf8")).toContain("something new");
    });
  });

  it("leaves other files of the folder alone", async () => {
    await inTemporaryFolder(async (dir) => {
      await writeFile(join(dir, "notes.txt"), "mine");
      await write([1, 2, 3].map(tick), { dir, limits: { maxSegmentBytes: 1, maxTotalBytes: 1 } });
      expect((await readdir(dir)).sort()).toEqual([segmentName(3), "notes.txt"]);
    });
  });
});

describe("retention", () => {
  it("removes nothing before what follows it is on the disk for good", async () => {
    await inTemporaryFolder(async (dir) => {
      const files = new FaultyFiles();
      const journal = await createJournal({ dir, files, limits: { maxSegmentBytes: 1, maxTotalBytes: 1 } });
      journal.append(tick(1));
      journal.append(tick(2));
      await until(() => files.events.includes("remove"));
      expect(files.events.slice(0, files.events.indexOf("remove"))).toEqual(["sync", "sync"]);
      await journal.close();
    });
  });
});

describe("describing", () => {
  it("gives the segments with the ranges of their records", async () => {
    await inTemporaryFolder(async (dir) => {
      await write([snapshotOf(1), tick(2), tick(50), snapshotOf(60)], { dir, limits: { maxSegmentAgeMs: 30 } });
      expect(await describeJournal(dir)).toMatchObject([
        { records: 2, seq: { first: 1, last: 2 }, at: { first: 1, last: 2 }, snapshots: [1], gaps: 0, prev: noHash },
        { records: 2, seq: { first: 3, last: 4 }, at: { first: 50, last: 60 }, snapshots: [4], gaps: 0 },
      ]);
    });
  });
});

describe("reading 100 MB", () => {
  it("holds a few records at most, and reads no further than it is asked", async () => {
    await inTemporaryFolder(async (dir) => {
      const recordBytes = 250_000;
      const count = 400;
      const journal = await createJournal({ dir, files: new FaultyFiles(), limits: { maxSegmentBytes: 30_000_000 } });
      const detail = "x".repeat(recordBytes);
      for (let at = 1; at <= count; at++) {
        journal.append({ type: "operator", at, author: "a", action: "note", detail });
        if (at % 50 === 0) await journal.flush();
      }
      await journal.close();

      const files = new FaultyFiles();
      let consumed = 0;
      let records = 0;
      let mostAhead = 0;
      for await (const record of readJournal(dir, { files })) {
        mostAhead = Math.max(mostAhead, files.bytesRead - consumed);
        consumed += JSON.stringify(entryOf(record)).length;
        records++;
        expect(files.openFiles).toBe(1);
      }
      expect(records).toBe(count);
      expect(consumed).toBeGreaterThan(100_000_000 * 0.99);
      // The record at hand, the block that it ends in, and the frames that `consumed` leaves out.
      expect(mostAhead).toBeLessThan(recordBytes + readBytes + count * 250);
      expect(files.openFiles).toBe(0);

      const few = new FaultyFiles();
      for await (const _ of readJournal(dir, { files: few })) break;
      expect(few.bytesRead).toBeLessThan(recordBytes + 2 * readBytes);
      expect(few.openFiles).toBe(0);
    });
  }, 60_000);
});

/** Gives other work its turn until something holds. */
async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setImmediate(resolve));
}

/** Gives all other work its turn, many times. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve));
}
