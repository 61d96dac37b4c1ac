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
          reader.push(bytes.subarray(at, next), (message) => read.push(message));
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
      const budget = { held: 0, max: 100 };
      const reader = new MessageReader(80, budget);
      try {
        for (const chunk of chunks) {
          reader.push(chunk, () => {});
          expect(budget.held).toBeLessThanOrEqual(100);
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
