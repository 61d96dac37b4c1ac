import fc from "fast-check";
import type { CatalogDelta } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { decodeEvent, encodeEvent } from "./codec.ts";
import { comparable, deltaOf } from "./conformance/content.ts";
import type { Statement } from "./conformance/content.ts";
import { isEmptyDelta, mergeDeltas } from "./delta.ts";
import type { ChangeEvent } from "./event.ts";
import { CatalogFold, foldEvent, GapError } from "./fold.ts";

const statements: fc.Arbitrary<Statement[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("entries", "workloads", "objects"),
    name: fc.oneof(fc.constantFrom("a", "b", "c", "__proto__", "ключ"), fc.string({ maxLength: 5 })),
    generation: fc.oneof(fc.nat(5), fc.constant("gone" as const)),
  }),
  { maxLength: 8 },
);
const delta: fc.Arbitrary<CatalogDelta> = statements.map(deltaOf);
const revision = fc.record({ epoch: fc.string(), sequence: fc.maxSafeNat() });
const snapshotEvent: fc.Arbitrary<ChangeEvent> = fc.tuple(delta, revision).map(([content, at]) => {
  const fold = new CatalogFold();
  fold.apply(content);
  return { v: 1, type: "snapshot", catalog: fold.catalog(at) };
});
const deltaEvent: fc.Arbitrary<ChangeEvent> = fc.record({
  v: fc.constant(1 as const),
  type: fc.constant("delta" as const),
  previous: revision,
  revision,
  delta,
});
const event = fc.oneof(snapshotEvent, deltaEvent);

describe("the event codec", () => {
  it("gives back what was written", () => {
    fc.assert(
      fc.property(event, (original) => {
        const decoded = decodeEvent(encodeEvent(original));
        if (original.type === "snapshot" && decoded.type === "snapshot") {
          expect(decoded.catalog.revision).toEqual(original.catalog.revision);
          expect(comparable(decoded.catalog)).toEqual(comparable(original.catalog));
        } else {
          expect(normal(decoded)).toEqual(normal(original));
        }
        expect(encodeEvent(decoded)).toBe(encodeEvent(original));
      }),
      { numRuns: 200 },
    );
  });

  it("refuses an entry whose part of failing traffic is no number", () => {
    const text = encodeEvent({
      v: 1,
      type: "delta",
      previous: { epoch: "", sequence: 0 },
      revision: { epoch: "", sequence: 1 },
      delta: deltaOf([{ kind: "entries", name: "a", generation: 1 }]),
    });
    expect(() => decodeEvent(text.replace('"unserved":{"http":1001}', '"unserved":{"http":"1001"}'))).toThrow(
      "delta.entries.upserted[0].unserved.http is not a number",
    );
    expect(() => decodeEvent(text.replace('"unserved":{"http":1001}', '"unserved":[]'))).toThrow(
      "delta.entries.upserted[0].unserved is not an object",
    );
  });

  it("writes equal events as equal texts, whatever the order of their parts", () => {
    fc.assert(
      fc.property(statements, revision, (said, at) => {
        const last = [...new Map(said.map((one) => [`${one.kind} ${one.name}`, one])).values()];
        const write = (list: readonly Statement[]) =>
          encodeEvent({ v: 1, type: "delta", previous: at, revision: at, delta: deltaOf(list) });
        expect(write([...last].reverse())).toBe(write(last));
      }),
      { numRuns: 100 },
    );
  });

  it("ignores fields it does not know", () => {
    fc.assert(
      fc.property(event, (original) => {
        const text = JSON.stringify({ ...(JSON.parse(encodeEvent(original)) as object), later: { added: [1] } });
        expect(encodeEvent(decodeEvent(text))).toBe(encodeEvent(original));
      }),
      { numRuns: 100 },
    );
  });

  it("throws coded errors only, whatever the text", () => {
    fc.assert(
      fc.property(fc.oneof(fc.string(), fc.json(), junkEvent()), (text) => {
        try {
          decodeEvent(text);
        } catch (error) {
          expect(error).toMatchObject({ code: expect.stringMatching(/^SBX_EVENT_(FORMAT|VERSION)$/) as unknown });
        }
      }),
      { numRuns: 200 },
    );
  });
});

describe("folding", () => {
  it("gives the same for merged deltas as for one after the other", () => {
    fc.assert(
      fc.property(delta, delta, delta, (start, a, b) => {
        const merged = new CatalogFold();
        merged.apply(start);
        const stepwise = new CatalogFold(merged);
        merged.apply(mergeDeltas(a, b));
        stepwise.apply(a);
        stepwise.apply(b);
        expect(comparable(merged)).toEqual(comparable(stepwise));
      }),
      { numRuns: 100 },
    );
  });

  it("merges in groups of any size to the same delta", () => {
    fc.assert(
      fc.property(delta, delta, delta, (a, b, c) => {
        expect(mergeDeltas(mergeDeltas(a, b), c)).toEqual(mergeDeltas(a, mergeDeltas(b, c)));
      }),
      { numRuns: 100 },
    );
  });

  it("leaves the given catalog as it was", () => {
    fc.assert(
      fc.property(delta, delta, (start, next) => {
        const fold = new CatalogFold();
        fold.apply(start);
        const previous = { epoch: "e", sequence: 1 };
        const catalog = fold.catalog(previous);
        const before = comparable(catalog);
        foldEvent(catalog, { v: 1, type: "delta", previous, revision: { epoch: "e", sequence: 2 }, delta: next });
        expect(comparable(catalog)).toEqual(before);
      }),
      { numRuns: 50 },
    );
  });

  it("refuses a delta that does not follow", () => {
    const revision = { epoch: "e", sequence: 2 };
    const next = { v: 1, type: "delta", previous: revision, revision, delta: deltaOf([]) } as const;
    expect(() => foldEvent(undefined, next)).toThrow(GapError);
    const catalog = new CatalogFold().catalog({ epoch: "e", sequence: 1 });
    expect(() => foldEvent(catalog, next)).toThrow(expect.objectContaining({ code: "SBX_BUS_GAP" }) as Error);
    const other = new CatalogFold().catalog({ epoch: "f", sequence: 2 });
    expect(() => foldEvent(other, next)).toThrow(GapError);
  });

  it("knows an empty delta", () => {
    expect(isEmptyDelta(deltaOf([]))).toBe(true);
    expect(isEmptyDelta(deltaOf([{ kind: "objects", name: "x", generation: "gone" }]))).toBe(false);
  });
});

describe("the versions of the event format", () => {
  const text = (v: unknown) =>
    JSON.stringify({ v, type: "snapshot", catalog: { revision: { epoch: "e", sequence: 0 } } });

  it("reads a snapshot without the keyed sets as an empty one", () => {
    expect(decodeEvent(text(1))).toMatchObject({ type: "snapshot", catalog: { revision: { sequence: 0 } } });
  });

  it.each([
    { v: 2, code: "SBX_EVENT_VERSION" },
    { v: 0, code: "SBX_EVENT_FORMAT" },
    { v: "1", code: "SBX_EVENT_FORMAT" },
    { v: undefined, code: "SBX_EVENT_FORMAT" },
  ])("answers $code to version $v", ({ v, code }) => {
    expect(() => decodeEvent(text(v))).toThrow(expect.objectContaining({ code }) as Error);
  });

  it("names the place of a fault", () => {
    const broken = JSON.stringify({ v: 1, type: "delta", previous: { epoch: "e", sequence: -1 } });
    expect(() => decodeEvent(broken)).toThrow("previous.sequence is not a whole number");
  });
});

function normal(event: ChangeEvent): unknown {
  if (event.type === "snapshot") return event;
  return { ...event, delta: mergeDeltas(event.delta, deltaOf([])) };
}

function junkEvent(): fc.Arbitrary<string> {
  return fc
    .record({
      v: fc.constantFrom(1, 2),
      type: fc.constantFrom("snapshot", "delta", "other"),
      catalog: fc.jsonValue(),
      previous: fc.jsonValue(),
      revision: fc.record({ epoch: fc.string(), sequence: fc.nat() }),
      delta: fc.jsonValue(),
    })
    .map((junk) => JSON.stringify(junk));
}
