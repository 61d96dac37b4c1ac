import { create, toBinary } from "@bufbuild/protobuf";
import { setImmediate as nextTurn } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import {
  DeltaDiscoveryRequestSchema,
  DiscoveryRequestSchema,
} from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { atOnce } from "@signalbox/slices";
import type { Node } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { XdsEvent } from "../events.ts";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, deltaAds, EDS, encodeContent, FakeStream, LDS, sotwAds } from "../testing/fake-stream.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { grpcStatus } from "../transport.ts";
import { Turns } from "../turns.ts";
import { largeRequest } from "./receiving.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

type Variant = "sotw" | "delta";

const tail = "x".repeat(200);
const names = Array.from({ length: 400 }, (_, at) => `service-${at}.${tail}`);

function encode(variant: Variant, asked: readonly string[], node = true, typeUrl: string = EDS): Uint8Array {
  const head = { typeUrl, ...(node ? { node: { id: "n" } } : {}) };
  return variant === "sotw"
    ? toBinary(DiscoveryRequestSchema, create(DiscoveryRequestSchema, { ...head, resourceNames: [...asked] }))
    : toBinary(
        DeltaDiscoveryRequestSchema,
        create(DeltaDiscoveryRequestSchema, { ...head, resourceNamesSubscribe: [...asked] }),
      );
}

/** A server of two groups whose clock moves by `stepMs` with each look: by 9, every step has a turn of its own. */
class World {
  readonly cache = new SnapshotCache();
  readonly source = new SwitchingSource(this.cache, "one");
  readonly events: XdsEvent[] = [];
  readonly turns: Turns;
  readonly protocol;
  readonly #path: string;

  constructor(variant: Variant, stepMs: number, authorize: (node: Node) => string | undefined = () => undefined) {
    let now = 0;
    const monotonic = (): number => (now += stepMs);
    this.#path = variant === "sotw" ? sotwAds : deltaAds;
    this.turns = new Turns(monotonic);
    for (const group of ["one", "two"]) this.set(group, group);
    this.protocol = createXdsProtocol({
      source: this.source,
      clock: new FakeXdsClock(),
      turns: this.turns,
      monotonic,
      authorize,
      limits: { maxNames: 500, maxNameBytes: 400 },
      onEvent: (event) => this.events.push(event),
    });
  }

  set(group: string, content: string): void {
    const upserted = names.map((name) => resourceOf(name, encodeContent(name, content)));
    this.cache.update(group, new Map([EDS, CDS].map((type) => [type, { upserted, removed: [] }])));
  }

  open(): FakeStream {
    const stream = new FakeStream(this.#path, undefined, undefined, this.turns);
    stream.open(this.protocol.accept);
    return stream;
  }

  /** Lets the loop turn until nothing waits. Returns how often. */
  async quiet(): Promise<number> {
    for (let turns = 1; ; turns++) {
      await nextTurn();
      if (this.turns.waiting === 0) return turns;
    }
  }
}

const contentOf = (stream: FakeStream): unknown =>
  stream.take().map(({ type, resources, removed }) => ({ type, resources: [...resources].sort(), removed }));

describe.each(["sotw", "delta"] as const)("a large %s request", (variant) => {
  it.each([
    { what: "names that exist", asked: names },
    { what: "some names and the wildcard", asked: [...names, "*"] },
    { what: "names of which some do not exist, some twice", asked: [...names, ...names.slice(0, 9), `no.${tail}`] },
  ])("for $what is answered as if it were read at once, over many turns", async ({ asked }) => {
    const [sliced, whole] = [new World(variant, 9), new World(variant, 0)];
    const outcomes: unknown[] = [];
    for (const world of [sliced, whole]) {
      const stream = world.open();
      const request = encode(variant, asked);
      expect(request.length).toBeGreaterThan(largeRequest);
      stream.sendBytes(request);
      if (world === sliced) expect([stream.received, world.protocol.watchedNames(1).size]).toEqual([[], 0]);
      const turns = await world.quiet();
      if (world === sliced) expect(turns).toBeGreaterThan(10);
      outcomes.push([contentOf(stream), world.protocol.watchedNames(1), world.protocol.status()]);
    }
    expect(outcomes[0]).toEqual(outcomes[1]);
  });

  it("that repeats names is answered as if it were read at once, also when others have asked for them", async () => {
    const [sliced, whole] = [new World(variant, 9), new World(variant, 0)];
    const outcomes: unknown[] = [];
    for (const world of [sliced, whole]) {
      const streams = [world.open(), world.open()];
      for (const [node, list] of [
        [true, names],
        [false, names],
        [false, names.slice(0, 390)],
      ] as const) {
        for (const stream of streams) stream.sendBytes(encode(variant, list, node));
        await world.quiet();
        outcomes.push([streams.map(contentOf), world.protocol.watchedNames(1), world.protocol.watchedNames(2)]);
      }
    }
    expect(outcomes.slice(0, 3)).toEqual(outcomes.slice(3));
  });

  it("is taken in before those that the client sends behind it", async () => {
    const world = new World(variant, 9);
    const stream = world.open();
    stream.sendBytes(encode(variant, names));
    stream.sendBytes(encode(variant, [], false, LDS));
    stream.sendBytes(encode(variant, names.slice(0, 350), false, CDS));
    await world.quiet();
    // The second one carries no node: had it come first, the stream would have ended.
    expect([stream.ended, [...world.protocol.watchedNames(1).keys()].sort()]).toEqual([
      undefined,
      [CDS, EDS, LDS].sort(),
    ]);
  });

  it.each([
    {
      what: "is cut off",
      code: grpcStatus.invalidArgument,
      change: (bytes: Uint8Array) => bytes.subarray(0, -1),
    },
    {
      what: "has a last name that is too long",
      code: grpcStatus.resourceExhausted,
      change: () => encode(variant, [...names, "y".repeat(401)]),
    },
    {
      what: "has too many names",
      code: grpcStatus.resourceExhausted,
      change: () => encode(variant, [...names, ...names]),
    },
    {
      what: "is the first and has no node",
      code: grpcStatus.invalidArgument,
      change: () => encode(variant, names, false),
    },
  ])("that $what ends the stream with its reason, and no other stream", async ({ code, change }) => {
    const world = new World(variant, 9);
    const [stream, other] = [world.open(), world.open()];
    other.sendBytes(encode(variant, names));
    stream.sendBytes(change(encode(variant, names)));
    stream.sendBytes(encode(variant, names));
    await world.quiet();
    expect([stream.ended?.code, stream.received.length, world.protocol.status().length]).toEqual([code, 0, 1]);
    expect(other.take().map(({ resources }) => resources.size)).toEqual([names.length]);
    expect(world.events.filter(({ type }) => type === "refused").length).toBe(1);
  });

  it("of a client that is refused ends the stream, and what it names is not prepared", async () => {
    const [world, allowed] = [new World(variant, 9, () => "not you"), new World(variant, 9)];
    const turns: number[] = [];
    for (const each of [world, allowed]) {
      const stream = each.open();
      stream.sendBytes(encode(variant, names));
      turns.push(await each.quiet());
      if (each === world) expect(stream.ended).toEqual({ code: grpcStatus.permissionDenied, message: "not you" });
    }
    expect(turns[0]).toBeLessThan((turns[1] ?? 0) / 2);
  });

  it.each([1, 4, 8, 12])("is forgotten when the stream goes %d turns later", async (after) => {
    const world = new World(variant, 9);
    const stream = world.open();
    stream.sendBytes(encode(variant, names));
    for (let turn = 0; turn < after; turn++) await nextTurn();
    stream.close();
    await world.quiet();
    expect([stream.received, world.protocol.status()]).toEqual([[], []]);
    expect(world.events.map(({ type }) => type)).not.toContain("refused");
  });

  it("asks the source for nothing when its stream has gone, though somebody goes on with its steps", () => {
    let acquired = 0;
    const source = { acquire: () => (acquired++, { current: () => undefined, release: () => {} }) };
    const { accept } = createXdsProtocol({ source, clock: new FakeXdsClock(), monotonic: () => 0 });
    const path = variant === "sotw" ? sotwAds : deltaAds;
    const call = { path, peer: { address: "127.0.0.1:1", identities: [] }, write: () => {}, end: () => {} };
    const [gone, here] = [accept(call), accept(call)];
    const steps = [gone, here].map((stream) => stream?.message(encode(variant, names)));
    for (const one of steps) one?.next();
    gone?.closed();
    for (const one of steps) if (one !== undefined) atOnce(one);
    expect(acquired).toBe(1);
  });

  it.each([1, 4, 8, 12, 16])(
    "has what changes, and the view that the client moves to, %d turns later",
    async (after) => {
      const world = new World(variant, 9);
      const stream = world.open();
      stream.sendBytes(encode(variant, names));
      for (let turn = 0; turn < after; turn++) await nextTurn();
      world.set("one", "changed");
      await nextTurn();
      world.source.switchTo("two");
      world.set("two", "two, changed");
      await world.quiet();
      const last = stream.take().at(-1);
      expect(new Set(last?.resources.values())).toEqual(new Set(["two, changed"]));
      expect(last?.resources.size).toBe(names.length);
    },
  );

  it("holds no state of its type longer than its stream", async () => {
    const resources = new Map(names.map((name) => [name, resourceOf(name, encodeContent(name, "1"))]));
    let reads = 0;
    const view = { version: () => "1", resources: (type: string) => (type === EDS ? (reads++, resources) : new Map()) };
    let now = 0;
    const monotonic = (): number => (now += 9);
    const turns = new Turns(monotonic);
    const source = { acquire: () => ({ current: () => view, release: () => {} }) };
    const { accept } = createXdsProtocol({ source, clock: new FakeXdsClock(), turns, monotonic });
    const read: number[] = [];
    for (let visit = 0; visit < 2; visit++) {
      const stream = new FakeStream(variant === "sotw" ? sotwAds : deltaAds, undefined, undefined, turns);
      stream.open(accept);
      stream.sendBytes(encode(variant, names));
      do await nextTurn();
      while (turns.waiting > 0);
      expect(stream.received.length).toBe(1);
      stream.close();
      read.push(reads);
      reads = 0;
    }
    // A state that stayed would know that nothing has changed.
    expect(read[0]).toBeGreaterThan(0);
    expect(read[1]).toBe(read[0]);
  });
});
