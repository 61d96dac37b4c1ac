import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { hash } from "node:crypto";
import { describe, expect, it } from "vitest";
import { atOnce } from "@signalbox/slices";
import { DiscoveryRequestSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { NameOverlay, NameTable, type NameRun } from "./names.ts";
import { keyOfRun, type PreparedRun } from "./prepared-run.ts";

const limits = { maxNames: 1000, maxNameBytes: 100 };
const runOf = (resourceNames: string[]): Uint8Array =>
  toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { resourceNames }));

describe("NameTable", () => {
  it("gives equal lists one set, however they are ordered, and forgets it with its last user", () => {
    const table = new NameTable();
    const first = table.acquireRun(runOf(["a", "b"]), limits);
    const again = table.acquireRun(runOf(["a", "b"]), limits);
    const turned = table.acquireRun(runOf(["b", "a"]), limits);
    const other = table.acquireRun(runOf(["a", "c"]), limits);
    expect(again).toBe(first);
    expect(turned.names).toBe(first.names);
    expect(other.names).not.toBe(first.names);
    expect(table.size).toBe(4);
    for (const run of [first, again, other]) table.releaseRun(run);
    expect(table.size).toBe(2);
    table.releaseRun(turned);
    expect(table.size).toBe(0);
  });

  it("never takes one set for another", () => {
    fc.assert(
      fc.property(
        fc.array(fc.uniqueArray(fc.string({ maxLength: 3 }), { maxLength: 4 }), { maxLength: 20 }),
        (lists) => {
          const table = new NameTable();
          for (const list of lists) expect([...table.acquire(new Set(list)).names].sort()).toEqual([...list].sort());
        },
      ),
      { numRuns: 150 },
    );
  });
});

describe("a run that was prepared", () => {
  it("is acquired as if it were worked out then, whoever comes and goes in between", () => {
    const few = Array.from({ length: 12 }, (_, at) => `n${at}`);
    const lists = [few, [...few].reverse(), few.slice(1), [...few, ...few], [], ["n1", ""]].map(runOf);
    const step = fc.record({ do: fc.constantFrom("prepare", "use", "acquire", "release"), list: fc.nat({ max: 5 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const [table, model] = [new NameTable(), new NameTable()];
        const prepared = new Map<number, PreparedRun | undefined>();
        const held: (readonly [run: NameRun, modelled: NameRun])[] = [];
        for (const { do: what, list } of steps) {
          const run = lists[list] ?? new Uint8Array(0);
          if (what === "prepare") {
            const before = table.size;
            prepared.set(list, atOnce(table.prepare(run, limits)));
            expect(table.size).toBe(before);
          } else if (what === "release") {
            const [mine, modelled] = held.splice(list, 1)[0] ?? [];
            if (mine !== undefined && modelled !== undefined) {
              table.releaseRun(mine);
              model.releaseRun(modelled);
            }
          } else {
            const ready = what === "use" ? prepared.get(list) : undefined;
            const mine = ready === undefined ? table.acquireRun(run, limits) : table.acquirePrepared(ready);
            held.push([mine, model.acquireRun(run, limits)]);
          }
          expect(table.size).toBe(model.size);
          for (const [mine, modelled] of held) {
            expect([mine.list, mine.run, [...mine.names]]).toEqual([modelled.list, modelled.run, [...modelled.names]]);
            // Whatever is shared in the one is shared in the other.
            for (const [other, modelledOther] of held) {
              expect([mine === other, mine.shared === other.shared]).toEqual([
                modelled === modelledOther,
                modelled.shared === modelledOther.shared,
              ]);
            }
          }
        }
        for (const [mine] of held) table.releaseRun(mine);
        expect(table.size).toBe(0);
      }),
      { numRuns: 150 },
    );
  });

  it("is not prepared while a live one is spelled the same way", () => {
    const table = new NameTable();
    const run = table.acquireRun(runOf(["a", "b"]), limits);
    expect(atOnce(table.prepare(runOf(["a", "b"]), limits))).toBeUndefined();
    table.releaseRun(run);
    expect(atOnce(table.prepare(runOf(["a", "b"]), limits))?.list).toEqual(["a", "b"]);
  });

  it("has the key that it would have if it were not hashed in steps", () => {
    const long = Buffer.alloc(700_000, 7);
    expect(atOnce(keyOfRun(long))).toBe(hash("sha256", long, "base64url"));
  });
});

describe("NameOverlay", () => {
  it("behaves as a set, over any number of changes", () => {
    const name = fc.nat({ max: 200 }).map((number) => `n${number}`);
    const step = fc.record({ add: fc.boolean(), name });
    fc.assert(
      fc.property(fc.array(name), fc.array(step, { maxLength: 400, size: "max" }), (start, steps) => {
        const table = new NameTable();
        const overlay = new NameOverlay(table, start);
        const model = new Set(start);
        for (const one of steps) {
          if (one.add) {
            overlay.add(one.name);
            model.add(one.name);
          } else expect(overlay.delete(one.name)).toBe(model.delete(one.name));
          expect(overlay.has(one.name)).toBe(one.add);
        }
        expect(overlay.size).toBe(model.size);
        expect([...overlay].sort()).toEqual([...model].sort());
        overlay.release();
        expect(table.size).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it("shares what a run names, and changes nothing for others who share it", () => {
    const start = Array.from({ length: 100 }, (_, at) => `n${at}`);
    const step = fc.record({ who: fc.nat({ max: 2 }), add: fc.boolean(), name: fc.nat({ max: 120 }) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const table = new NameTable();
        const some = [0, 1, 2].map(() => ({
          overlay: new NameOverlay(table, table.acquireRun(runOf(start), limits)),
          model: new Set(start),
        }));
        expect([table.size, new Set(some.map(({ overlay }) => overlay.shared)).size]).toEqual([100, 1]);
        for (const { who, add, name } of steps) {
          const one = some[who];
          one?.overlay[add ? "add" : "delete"](`n${name}`);
          one?.model[add ? "add" : "delete"](`n${name}`);
        }
        for (const { overlay, model } of some) {
          expect([...overlay].sort()).toEqual([...model].sort());
          if (overlay.shared !== undefined) expect([...overlay.shared.names].sort()).toEqual([...model].sort());
          overlay.release();
        }
        expect(table.size).toBe(0);
        expect(table.runAt(runOf(start), 0)).toBeUndefined();
      }),
      { numRuns: 50 },
    );
  });
});

describe("a run in a message", () => {
  it("is the longest live one that the message continues with", () => {
    const table = new NameTable();
    const short = table.acquireRun(runOf(["a", "b"]), limits);
    const long = table.acquireRun(runOf(["a", "b", "c"]), limits);
    table.acquireRun(runOf(["a", "x"]), limits);
    const at = (list: string[]): unknown => table.runAt(Buffer.concat([Buffer.from("??"), runOf(list)]), 2);
    expect(at(["a", "b", "c", "d"])).toBe(long);
    expect(at(["a", "b", "d"])).toBe(short);
    expect(at(["b", "a"])).toBeUndefined();
    table.releaseRun(long);
    expect(at(["a", "b", "c", "d"])).toBe(short);
  });

  it("is found among the last ones when many begin alike, and equal lists are shared all the same", () => {
    const table = new NameTable();
    const runs = Array.from({ length: 100 }, (_, at) => table.acquireRun(runOf(["same", `n${at}`]), limits));
    expect(table.runAt(runOf(["same", "n99"]), 0)).toBe(runs[99]);
    expect(table.runAt(runOf(["same", "n0"]), 0)).toBeUndefined();
    expect(table.acquireRun(runOf(["same", "n0"]), limits)).toBe(runs[0]);
  });
});
