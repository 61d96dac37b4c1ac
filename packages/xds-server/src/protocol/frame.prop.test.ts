import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { typeUrls } from "@signalbox/envoy-api";
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { deltaFrame, sotwFrame, type Frame } from "./frame.ts";
import { atOnce, type Steps } from "@signalbox/slices";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
/** Of any size, also larger than a block of a frame, with bytes that differ from place to place. */
const bytes = fc
  .tuple(fc.oneof(fc.nat(40), fc.nat(20_000), fc.integer({ min: 30_000, max: 400_000 })), fc.nat(255))
  .map(([length, first]) => Uint8Array.from({ length }, (_, at) => (first + at + (at >> 8)) & 0xff));
const cuts = fc.array(fc.nat(400_000), { maxLength: 4 });
/** Some are put together of chunks when they are sent. */
const resource = fc
  .record({ name: text, version: text, bytes, cuts: fc.option(cuts) })
  .map(({ cuts, ...whole }) => (cuts === null ? whole : { ...whole, chunks: () => inChunks(whole.bytes, cuts) }));
const content = fc.record({
  type: fc.constantFrom(...Object.values(typeUrls)),
  version: text,
  nonce: text,
  controlPlane: text,
  resources: fc.array(resource, { maxLength: 8 }),
  removed: fc.array(text, { maxLength: 8 }),
});

function* inChunks(bytes: Uint8Array, cuts: readonly number[]): Steps<readonly Uint8Array[]> {
  const chunks: Uint8Array[] = [];
  let from = 0;
  for (const cut of [...cuts.filter((cut) => cut < bytes.length).sort((a, b) => a - b), bytes.length]) {
    yield;
    chunks.push(bytes.subarray(from, cut));
    from = cut;
  }
  return chunks;
}

function whole({ chunks, length }: Frame): Buffer {
  const bytes = Buffer.concat(chunks);
  expect(bytes.length).toBe(length);
  return bytes;
}

function framed(message: Uint8Array): Buffer {
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}
const controlPlane = (identifier: string): object => (identifier === "" ? {} : { controlPlane: { identifier } });

describe("hand-assembled responses are the bytes that protobuf-es gives", () => {
  it("DiscoveryResponse", () => {
    fc.assert(
      fc.property(content, (given) => {
        const message = create(DiscoveryResponseSchema, {
          versionInfo: given.version,
          typeUrl: given.type,
          nonce: given.nonce,
          ...controlPlane(given.controlPlane),
          resources: given.resources.map((one) => ({ typeUrl: given.type, value: one.bytes })),
        });
        const frame = whole(atOnce(sotwFrame(given)));
        expect(Buffer.compare(frame, framed(toBinary(DiscoveryResponseSchema, message)))).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("DeltaDiscoveryResponse", () => {
    fc.assert(
      fc.property(content, (given) => {
        const message = create(DeltaDiscoveryResponseSchema, {
          systemVersionInfo: given.version,
          typeUrl: given.type,
          nonce: given.nonce,
          ...controlPlane(given.controlPlane),
          removedResources: given.removed,
          resources: given.resources.map((one) => ({
            name: one.name,
            version: one.version,
            resource: { typeUrl: given.type, value: one.bytes },
          })),
        });
        const frame = whole(atOnce(deltaFrame(given)));
        expect(Buffer.compare(frame, framed(toBinary(DeltaDiscoveryResponseSchema, message)))).toBe(0);
      }),
      { numRuns: 200 },
    );
  });

  it("a small one in one chunk, and large resources without a copy of them", () => {
    const given = { type: typeUrls.cluster, version: "1", nonce: "2", controlPlane: "c", removed: [] };
    const small = { name: "a", version: "1", bytes: new Uint8Array(1_000) };
    const large = { name: "b", version: "1", bytes: new Uint8Array(1_100_000) };
    for (const encode of [sotwFrame, deltaFrame]) {
      expect(atOnce(encode({ ...given, resources: [small, small] })).chunks).toHaveLength(1);
      const { chunks } = atOnce(encode({ ...given, resources: [small, large, small] }));
      expect(chunks).toHaveLength(3);
      expect(chunks[1]).toBe(large.bytes);
    }
  });
});
