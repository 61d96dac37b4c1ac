import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { FrameJoiner, textOf, toFrames, unpacked } from "./frames.ts";

const text = fc.oneof(
  fc.string({ unit: "binary", maxLength: 300 }),
  // From here on messages are compressed.
  fc
    .tuple(fc.string({ unit: "binary", minLength: 1 }), fc.integer({ min: 4000, max: 9000 }))
    .map(([a, n]) => a.repeat(n / a.length + 1)),
  fc.uint8Array({ minLength: 3000, maxLength: 6000 }).map((bytes) => Buffer.from(bytes).toString("latin1")),
);

async function join(frames: readonly Uint8Array[]): Promise<string[]> {
  const joiner = new FrameJoiner();
  const whole: string[] = [];
  for (const frame of frames) {
    const message = joiner.add(frame);
    if (message !== undefined) whole.push(textOf(await unpacked(message)));
  }
  return whole;
}

const gzipped = (bytes: Buffer) => ({ bytes, compressed: true });
const add = (...bytes: number[]) => new FrameJoiner().add(Uint8Array.from(bytes));

describe("frames", () => {
  it("give back any messages in their order, at any size of a frame", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(text, { maxLength: 4 }), fc.integer({ min: 3, max: 5000 }), async (messages, size) => {
        const frames = [];
        for (const message of messages) frames.push(...(await toFrames(message, size)));
        expect(frames.every(({ length }) => length <= size && length >= 2)).toBe(true);
        expect(await join(frames)).toEqual(messages);
      }),
      { numRuns: 150 },
    );
  });

  it("are one for a message that fits, also for an empty one", async () => {
    expect(await toFrames("", 3)).toHaveLength(1);
    expect(await toFrames("a".repeat(98), 100)).toHaveLength(1);
    expect(await toFrames("a".repeat(99), 100)).toHaveLength(2);
    expect(await toFrames("a".repeat(1_000_000), 10_000)).toHaveLength(1);
  });

  it("never give a message that was not written, whichever frame is missing", async () => {
    await fc.assert(
      fc.asyncProperty(text, fc.integer({ min: 20, max: 400 }), fc.nat(), async (message, size, which) => {
        const frames = await toFrames(message, size);
        const rest = frames.toSpliced(which % frames.length, 1);
        // A piece of a text that was not compressed looks like a text: positions tell that one is missing.
        if (message.length < 4096) return;
        const joined = await join(rest).catch(() => []);
        expect(joined).toEqual([]);
      }),
      { numRuns: 100 },
    );
  });

  it("have no room for anything below three bytes", async () => {
    await expect(toFrames("a", 2)).rejects.toThrow(RangeError);
  });

  it("of a newer layout are refused as such", () => {
    expect(() => add(2, 0, 1)).toThrow(expect.objectContaining({ code: "SBX_EVENT_VERSION", version: 2 }) as Error);
  });

  it.each([[[]], [[1]], [[0, 0]]])("are not %j", (bytes) => {
    expect(() => add(...bytes)).toThrow(expect.objectContaining({ code: "SBX_EVENT_FORMAT" }) as Error);
  });

  it("that are not compressed as they say are no message", async () => {
    await expect(unpacked(gzipped(Buffer.from([1, 2, 3])))).rejects.toMatchObject({ code: "SBX_EVENT_FORMAT" });
  });

  it("cannot become more than a reader has room for", async () => {
    const bomb = gzipSync(Buffer.alloc(10_000_000));
    expect(bomb.length).toBeLessThan(20_000);
    await expect(unpacked(gzipped(bomb), 9_999_999)).rejects.toMatchObject({ code: "SBX_EVENT_FORMAT" });
  });

  it("give the whole message, whatever its end says about its size", async () => {
    const message = "a message ".repeat(200_000);
    const whole = gzipSync(Buffer.from(message));
    // The size of the last of several members, as gzip allows them.
    const members = Buffer.concat([whole, gzipSync(Buffer.from("and more"))]);
    expect(textOf(await unpacked(gzipped(members)))).toBe(`${message}and more`);
    for (const size of [0, 1, 0xff_ff_ff_ff]) {
      const lying = Buffer.from(whole);
      lying.writeUInt32LE(size, lying.length - 4);
      await expect(unpacked(gzipped(lying))).rejects.toMatchObject({ code: "SBX_EVENT_FORMAT" });
    }
  });

  it("that never end are refused", () => {
    const joiner = new FrameJoiner(100);
    const piece = Uint8Array.from([1, 2, ...Buffer.alloc(30)]);
    for (let frame = 0; frame < 3; frame++) expect(joiner.add(piece)).toBeUndefined();
    expect(() => joiner.add(piece)).toThrow(expect.objectContaining({ code: "SBX_EVENT_FORMAT" }) as Error);
  });
});
