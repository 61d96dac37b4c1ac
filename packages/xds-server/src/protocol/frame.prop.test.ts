import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { typeUrls } from "@signalbox/envoy-api";
import {
  DeltaDiscoveryResponseSchema,
  DiscoveryResponseSchema,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { deltaFrame, sotwFrame } from "./frame.ts";
import { finish } from "./joint-work.ts";

const text = fc.string({ unit: "grapheme", maxLength: 200 });
const bytes = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.uint8Array({ minLength: 100, maxLength: 20_000, size: "max" }),
);
const resource = fc.record({ name: text, version: text, bytes });
const content = fc.record({
  type: fc.constantFrom(...Object.values(typeUrls)),
  version: text,
  nonce: text,
  controlPlane: text,
  resources: fc.array(resource, { maxLength: 8 }),
  removed: fc.array(text, { maxLength: 8 }),
});

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
        expect(Buffer.compare(finish(sotwFrame(given)).bytes, framed(toBinary(DiscoveryResponseSchema, message)))).toBe(
          0,
        );
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
        expect(
          Buffer.compare(finish(deltaFrame(given)).bytes, framed(toBinary(DeltaDiscoveryResponseSchema, message))),
        ).toBe(0);
      }),
      { numRuns: 200 },
    );
  });
});
