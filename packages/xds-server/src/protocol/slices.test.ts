import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { deltaAds, EDS, encodeContent, FakeStream, sotwAds } from "../testing/fake-stream.ts";
import { Turns } from "../turns.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

const names = Array.from({ length: 400 }, (_, at) => `service-${at}`);
let cache: SnapshotCache;
let turns: Turns;
let stream: FakeStream;

function set(content: string): void {
  const upserted = names.map((name) => resourceOf(name, encodeContent(name, content)));
  cache.update("n", new Map([[EDS, { upserted, removed: [] }]]));
}

/** A stream on a clock of which each look takes longer than a slice: every step is one. */
function open(path: string): void {
  let now = 0;
  const monotonic = (): number => (now += 9);
  cache = new SnapshotCache();
  turns = new Turns(monotonic);
  set("1");
  const protocol = createXdsProtocol({ source: cache, clock: new FakeXdsClock(), turns, monotonic });
  stream = new FakeStream(path);
  stream.open(protocol.accept);
}

/** Names and contents that came, once nothing waits. */
async function received(): Promise<Map<string, string>[]> {
  do await nextTurn();
  while (turns.waiting > 0);
  return stream.take().map(({ resources }) => new Map(resources));
}

const all = (content: string, count = names.length) =>
  new Map(
    names
      .slice(0, count)
      .map((name): [string, string] => [name, content])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );

describe.each(["sotw", "delta"] as const)("a %s response that is made in slices", (variant) => {
  const ask = (count: number, from = 0): void => {
    const asked = names.slice(from, count);
    if (variant === "sotw") stream.sotw({ node: { id: "n" }, typeUrl: EDS, resourceNames: names.slice(0, count) });
    else stream.delta({ node: { id: "n" }, typeUrl: EDS, resourceNamesSubscribe: asked });
  };
  beforeEach(() => open(variant === "sotw" ? sotwAds : deltaAds));

  it("is not there at once, and is one response with everything", async () => {
    ask(400);
    expect(stream.received).toEqual([]);
    expect(await received()).toEqual([all("1")]);
  });

  it("has what the client asks for meanwhile", async () => {
    ask(200);
    await nextTurn();
    ask(400, 200);
    expect(await received()).toEqual([all("1")]);
  });

  it("has what changed meanwhile, once", async () => {
    ask(400);
    await nextTurn();
    set("2");
    expect(await received()).toEqual([all("2")]);
  });

  it("is made at once when changes never pause", async () => {
    ask(400);
    for (let round = 2; stream.received.length === 0 && round < 20; round++) {
      await nextTurn();
      set(String(round));
    }
    expect(stream.received.length).toBe(1);
  });

  it("is forgotten with its stream", async () => {
    ask(400);
    stream.close();
    expect(await received()).toEqual([]);
  });
});
