import fc from "fast-check";
import { expect, it } from "vitest";
import { MessageReader } from "./message-reader.ts";

function frame(message: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(5 + message.length);
  new DataView(bytes.buffer).setUint32(1, message.length);
  bytes.set(message, 5);
  return bytes;
}

it("gives back all messages, however the bytes are cut, and holds nothing afterwards", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 10 }),
      fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }),
      (messages, cuts) => {
        const budget = { held: 0, max: 1000 };
        const reader = new MessageReader(50, budget);
        const bytes = Buffer.concat(messages.map(frame));
        const read: Uint8Array[] = [];
        for (let at = 0, cut = 0; at < bytes.length; cut += 1) {
          const next = at + (cuts[cut % cuts.length] ?? 1);
          reader.push(bytes.subarray(at, next), (message) => read.push(Uint8Array.from(message.bytes)));
          at = next;
        }
        expect(read).toEqual(messages);
        expect(budget.held).toBe(0);
        expect(reader.partial).toBe(false);
      },
    ),
    { numRuns: 200 },
  );
});

it("never throws anything but its own error, and never holds more than the budget", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 64 }), { maxLength: 20 }), (chunks) => {
      const budget = { held: 0, max: 60 };
      const reader = new MessageReader(80, budget);
      try {
        for (const chunk of chunks) {
          reader.push(chunk, () => {});
          expect(budget.held).toBeLessThanOrEqual(60);
        }
      } catch (error) {
        expect(error).toMatchObject({ code: "SBX_XDS_MESSAGE" });
      }
      reader.clear();
      expect(budget.held).toBe(0);
    }),
    { numRuns: 200 },
  );
});

it("gives a message that is whole in one chunk as a window on the chunk, and holds nothing for it", () => {
  const budget = { held: 0, max: 0 };
  const reader = new MessageReader(50, budget);
  const chunk = Buffer.concat([frame(Uint8Array.of(1, 2)), frame(Uint8Array.of(3)), frame(new Uint8Array())]);
  const read: Uint8Array[] = [];
  reader.push(chunk, (message) => read.push(message.bytes));
  expect(read.map(({ length }) => length)).toEqual([2, 1, 0]);
  expect(new Set(read.map(({ buffer }) => buffer))).toEqual(new Set([chunk.buffer]));
});

it.each([
  { cuts: [16_384, 16_384, 1_232], sizes: [34_000] },
  { cuts: [16_384, 16_384, 16_384, 50_848], sizes: [100_000] },
  { cuts: [16_384, 49_152, 16_384, 418_080], sizes: [65_536, 500_000] },
  { cuts: [16_384, 49_152, 900_000], sizes: [65_536, 965_536] },
  { cuts: [10, 10, 10, 70], sizes: [40, 100] },
])("of a message in pieces of $cuts bytes holds $sizes bytes", ({ cuts, sizes }) => {
  const budget = { held: 0, max: 1_000_000 };
  const reader = new MessageReader(1_000_000, budget);
  const length = cuts.reduce((sum, cut) => sum + cut, 0);
  const bytes = frame(new Uint8Array(length).map((_, at) => at % 251));
  const held = new Set<number>();
  let read: Uint8Array | undefined;
  reader.push(bytes.subarray(0, 5), () => {});
  for (let at = 5, cut = 0; at < bytes.length; at += cuts[cut++] ?? 0) {
    reader.push(bytes.subarray(at, at + (cuts[cut] ?? 0)), (message) => (read = message.bytes));
    if (budget.held > 0) held.add(budget.held);
  }
  expect(Uint8Array.from(read ?? [])).toEqual(bytes.subarray(5));
  expect([...held.add(length)]).toEqual(sizes);
});
