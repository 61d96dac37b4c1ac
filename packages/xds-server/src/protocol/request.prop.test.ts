import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { NameTable } from "./names.ts";
import { readDeltaRequest, readNames, readNode, readSotwRequest } from "./request.ts";
import { MalformedRequestError } from "./wire.ts";

const limits = { maxNames: 100, maxNameBytes: 1000 };
const text = fc.string({ unit: "grapheme", maxLength: 40 });
const name = fc.string({ unit: "grapheme", minLength: 1, maxLength: 40 });
const error = fc.option(fc.record({ code: fc.nat(), message: text }), { nil: undefined });
const errorText = (given: { code: number; message: string } | undefined): string | undefined =>
  given === undefined ? undefined : given.message === "" ? `code ${given.code}` : given.message;

describe("the request readers", () => {
  it("read a DiscoveryRequest as protobuf-es wrote it", () => {
    fc.assert(
      fc.property(
        text,
        text,
        text,
        text,
        fc.array(name, { maxLength: 20 }),
        error,
        (id, versionInfo, typeUrl, responseNonce, resourceNames, errorDetail) => {
          const message = create(DiscoveryRequestSchema, {
            node: { id, metadata: { labels: { app: "web" } } },
            versionInfo,
            typeUrl,
            responseNonce,
            resourceNames,
            ...(errorDetail === undefined ? {} : { errorDetail }),
          });
          const request = readSotwRequest(toBinary(DiscoveryRequestSchema, message));
          expect(request).toMatchObject({ versionInfo, typeUrl, nonce: responseNonce, error: errorText(errorDetail) });
          expect(readNames(request.names, limits)).toEqual(resourceNames);
          // What the client sent before, whole or in part, changes nothing but the time it takes.
          const bytes = toBinary(DiscoveryRequestSchema, message);
          const some = toBinary(
            DiscoveryRequestSchema,
            create(DiscoveryRequestSchema, { resourceNames: resourceNames.slice(0, 2) }),
          );
          expect(readSotwRequest(bytes, [some])).toEqual(request);
          expect(readSotwRequest(bytes, [Uint8Array.from(request.names)])).toEqual(request);
          expect(readNode(request.node ?? new Uint8Array(0), 65_536)).toEqual(message.node);
        },
      ),
      { numRuns: 100 },
    );
  });

  it("read a DeltaDiscoveryRequest as protobuf-es wrote it", () => {
    const names = fc.array(name, { maxLength: 20 });
    const versions = fc.uniqueArray(fc.tuple(text, text), { maxLength: 10, selector: ([key]) => key });
    fc.assert(
      fc.property(text, names, names, versions, error, (typeUrl, subscribe, unsubscribe, initial, errorDetail) => {
        const message = create(DeltaDiscoveryRequestSchema, {
          typeUrl,
          responseNonce: "n",
          resourceNamesSubscribe: subscribe,
          resourceNamesUnsubscribe: unsubscribe,
          initialResourceVersions: Object.fromEntries(initial),
          ...(errorDetail === undefined ? {} : { errorDetail }),
        });
        const bytes = toBinary(DeltaDiscoveryRequestSchema, message);
        const request = readDeltaRequest(bytes, limits);
        expect(request).toMatchObject({ typeUrl, nonce: "n", subscribe, unsubscribe, error: errorText(errorDetail) });
        expect(request.initialVersions).toEqual(new Map(initial));
      }),
      { numRuns: 100 },
    );
  });

  it("read names that somebody read before, in whole or in part, as if nobody had", () => {
    const long = { maxNames: 1000, maxNameBytes: 1000 };
    const manyNames = fc.array(name, { minLength: 30, maxLength: 200 });
    fc.assert(
      fc.property(manyNames, fc.nat({ max: 200 }), fc.boolean(), (list, known, apart) => {
        const encode = (resourceNamesSubscribe: string[]): Uint8Array =>
          toBinary(
            DeltaDiscoveryRequestSchema,
            create(DeltaDiscoveryRequestSchema, { typeUrl: "t", resourceNamesSubscribe }),
          );
        // Messages joined are one message, in which the names do not stand together.
        const bytes = apart ? Buffer.concat([encode(list), encode(list.slice(0, 3))]) : encode(list);
        const table = new NameTable();
        const whole = readDeltaRequest(encode(list.slice(0, known)), long).subscribeRun;
        if (whole !== undefined) table.acquireRun(whole, long);
        const asSotw = (message: Uint8Array, runs?: NameTable): string[] =>
          readNames(readSotwRequest(message.subarray(3), [], runs).names, long);
        expect(readDeltaRequest(bytes, long, table)).toEqual(readDeltaRequest(bytes, long));
        expect(asSotw(bytes, table)).toEqual(asSotw(bytes));
      }),
      { numRuns: 100 },
    );
  });

  it("find names that other fields separate", () => {
    const part = (init: Parameters<typeof create<typeof DiscoveryRequestSchema>>[1]): Uint8Array =>
      toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, init));
    const bytes = Buffer.concat([
      part({ resourceNames: ["a"] }),
      part({ typeUrl: "t" }),
      part({ resourceNames: ["b", "c"] }),
    ]);
    const request = readSotwRequest(bytes);
    expect(request.typeUrl).toBe("t");
    expect(readNames(request.names, limits)).toEqual(["a", "b", "c"]);
  });

  it("answer junk with a reason, never with another error", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
        for (const read of [
          readSotwRequest,
          (junk: Uint8Array) => readDeltaRequest(junk, limits),
          (junk: Uint8Array) => readNode(junk, 65_536),
        ]) {
          try {
            read(bytes);
          } catch (thrown) {
            expect(thrown).toBeInstanceOf(MalformedRequestError);
          }
        }
      }),
      { numRuns: 200 },
    );
  });
});
