import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DiscoveryRequestSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { NameOverlay, NameTable } from "./names.ts";

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
});
