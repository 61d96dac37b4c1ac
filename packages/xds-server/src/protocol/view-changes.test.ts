import { setImmediate as nextTurn } from "node:timers/promises";
import { beforeEach, describe, expect, it } from "vitest";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { deltaAds, EDS, encodeContent, FakeStream, sotwAds } from "../testing/fake-stream.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { Turns } from "../turns.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

const names = ["a", "b", "c"];
let cache: SnapshotCache;
let source: SwitchingSource;
let turns: Turns;
let open: () => FakeStream;

function set(group: string, content: string, changed = names): void {
  const upserted = changed.map((name) => resourceOf(name, encodeContent(name, content)));
  cache.update(group, new Map([[EDS, { upserted, removed: [] }]]));
}

describe.each(["sotw", "delta"] as const)("a %s stream that comes back to a view before its turn", (variant) => {
  beforeEach(() => {
    cache = new SnapshotCache();
    source = new SwitchingSource(cache, "one");
    // With a clock that stands still nothing but a view that is another one waits for a later turn.
    turns = new Turns(() => 0);
    set("one", "1");
    set("two", "2");
    const protocol = createXdsProtocol({ source, clock: new FakeXdsClock(), turns, monotonic: () => 0 });
    open = () => {
      const stream = new FakeStream(variant === "sotw" ? sotwAds : deltaAds);
      stream.open(protocol.accept);
      if (variant === "sotw") stream.sotw({ node: { id: "n" }, typeUrl: EDS, resourceNames: names });
      else stream.delta({ node: { id: "n" }, typeUrl: EDS, resourceNamesSubscribe: names });
      const [first] = stream.take();
      if (variant === "sotw") {
        const { nonce = "", version = "" } = first ?? {};
        stream.sotw({ typeUrl: EDS, resourceNames: names, versionInfo: version, responseNonce: nonce });
      } else stream.delta({ typeUrl: EDS, responseNonce: first?.nonce ?? "" });
      return stream;
    };
  });

  const heard = async (stream: FakeStream): Promise<Map<string, string>> => {
    do await nextTurn();
    while (turns.waiting > 0);
    return new Map(stream.take().flatMap(({ resources }) => [...resources]));
  };

  it("hears of what changed in it meanwhile", async () => {
    const stream = open();
    source.switchTo("two");
    set("one", "changed", ["b"]);
    source.switchTo("one");
    expect(await heard(stream)).toEqual(new Map([["b", "changed"]]));
  });

  it("hears of it also when it is the last of several that do", async () => {
    const streams = [open(), open(), open()];
    source.switchTo("two");
    set("one", "changed", ["b"]);
    source.switchTo("one");
    set("one", "changed again", ["c"]);
    for (const stream of streams) {
      const all = await heard(stream);
      expect([all.get("b"), all.get("c")]).toEqual(["changed", "changed again"]);
    }
  });

  it("hears nothing when nothing changed in it", async () => {
    const stream = open();
    source.switchTo("two");
    source.switchTo("one");
    expect(await heard(stream)).toEqual(new Map());
  });
});
