import fc from "fast-check";
import { objectKey } from "@signalbox/model";
import type { CatalogDelta } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { comparable, deltaOf } from "../conformance/content.ts";
import type { Statement } from "../conformance/content.ts";
import { mergeDeltas } from "../delta.ts";
import { CatalogFold } from "../fold.ts";
import { changeMessages, decodeMessage, encodeMessage, snapshotParts } from "./messages.ts";
import type { LogMessage } from "./messages.ts";

const statements: fc.Arbitrary<Statement[]> = fc.array(
  fc.record({
    kind: fc.constantFrom("entries", "workloads", "objects"),
    name: fc.oneof(fc.constantFrom("a", "b", "__proto__", "constructor", "ключ"), fc.string({ maxLength: 5 })),
    generation: fc.oneof(fc.nat(5), fc.constant("gone" as const)),
  }),
  { maxLength: 12 },
);
const delta: fc.Arbitrary<CatalogDelta> = statements.map(deltaOf);
const none = deltaOf([]);
const message: fc.Arbitrary<LogMessage> = fc.oneof(
  fc.record({ type: fc.constant("begin" as const), sequence: fc.maxSafeNat() }),
  fc.record({ type: fc.constant("part" as const), delta }),
  fc.record({ type: fc.constant("end" as const), begin: fc.maxSafeNat(), keys: fc.maxSafeNat() }),
  fc.record({ type: fc.constant("change" as const), sequence: fc.maxSafeNat(), last: fc.boolean(), delta }),
);

/** Lists in the order in which they are written. */
function normal(message: LogMessage | undefined): unknown {
  return message !== undefined && "delta" in message
    ? { ...message, delta: mergeDeltas(message.delta, none) }
    : message;
}

describe("the messages of a log", () => {
  it("are read as they were written, also by a release that knows fewer fields", () => {
    fc.assert(
      fc.property(message, (original) => {
        const text = encodeMessage(original);
        expect(normal(decodeMessage(text))).toEqual(normal(original));
        const later = JSON.stringify({ ...(JSON.parse(text) as object), later: { added: [1] } });
        expect(normal(decodeMessage(later))).toEqual(normal(original));
      }),
      { numRuns: 300 },
    );
  });

  it("are skipped where their type is unknown", () => {
    expect(decodeMessage('{"v":1,"type":"mark","sequence":-1}')).toBeUndefined();
    expect(decodeMessage('{"v":1}')).toBeUndefined();
    expect(decodeMessage('{"v":1,"type":"__proto__"}')).toBeUndefined();
  });

  it.each([
    { text: '{"v":2,"type":"begin","sequence":1}', code: "SBX_EVENT_VERSION" },
    { text: '{"v":2,"type":"mark"}', code: "SBX_EVENT_VERSION" },
    { text: '{"v":0,"type":"begin","sequence":1}', code: "SBX_EVENT_FORMAT" },
    { text: '{"v":1,"type":"begin","sequence":-1}', code: "SBX_EVENT_FORMAT" },
    { text: '{"v":1,"type":"end","begin":1}', code: "SBX_EVENT_FORMAT" },
    { text: '{"v":1,"type":"change","sequence":1,"last":true}', code: "SBX_EVENT_FORMAT" },
    { text: '{"v":1,"type":"part","delta":{"entries":{"upserted":[{}]}}}', code: "SBX_EVENT_FORMAT" },
    { text: '{"type":"begin","sequence":1}', code: "SBX_EVENT_FORMAT" },
    { text: "[]", code: "SBX_EVENT_FORMAT" },
    { text: "null", code: "SBX_EVENT_FORMAT" },
    { text: "no JSON", code: "SBX_EVENT_FORMAT" },
  ])("answer $code to $text", ({ text, code }) => {
    expect(() => decodeMessage(text)).toThrow(expect.objectContaining({ code }) as Error);
  });

  it("say each changed key of a delta once, in one sequence that ends", () => {
    fc.assert(
      fc.property(delta, (original) => {
        const messages = changeMessages(7, original).map((one) => decodeMessage(encodeMessage(one)));
        let merged = none;
        for (const [index, one] of messages.entries()) {
          expect(one).toMatchObject({ type: "change", sequence: 7, last: index === messages.length - 1 });
          if (one?.type !== "change") return;
          expect(keysOf(one.delta)).toHaveLength(1);
          merged = mergeDeltas(merged, one.delta);
        }
        expect(merged).toEqual(mergeDeltas(original, none));
        expect(messages).toHaveLength(keysOf(original).length);
      }),
      { numRuns: 200 },
    );
  });

  it("of a snapshot have every key once, whatever the size of a part", () => {
    fc.assert(
      fc.property(delta, fc.integer({ min: 0, max: 5000 }), (content, characters) => {
        const before = new CatalogFold();
        before.apply(content);
        const after = new CatalogFold();
        const keys: string[] = [];
        for (const text of snapshotParts(before, characters)) {
          const part = decodeMessage(text);
          if (part?.type !== "part") throw new Error("no part");
          expect(keysOf(part.delta).length).toBeGreaterThan(0);
          // What frames a part, and one key that is longer than it may be.
          if (keysOf(part.delta).length > 1) expect(text.length).toBeLessThan(characters + 200);
          keys.push(...keysOf(part.delta));
          after.apply(part.delta);
        }
        expect(new Set(keys).size).toBe(keys.length);
        expect(comparable(after)).toEqual(comparable(before));
      }),
      { numRuns: 200 },
    );
  });
});

function keysOf({ entries, objects, workloads }: CatalogDelta): readonly string[] {
  return [
    ...[...entries.removed, ...entries.upserted.map(({ key }) => key)].map((key) => `entry ${key}`),
    ...[...workloads.removed, ...workloads.upserted.map(({ key }) => key)].map((key) => `workload ${key}`),
    ...[...objects.removed, ...objects.upserted.map(objectKey)].map((key) => `object ${key}`),
  ];
}
