import { setImmediate as nextTurn } from "node:timers/promises";
import { LoopTurn } from "@signalbox/slices";
import { describe, expect, it } from "vitest";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, deltaAds, encodeContent, FakeStream } from "../testing/fake-stream.ts";
import { Turns } from "../turns.ts";
import { createXdsProtocol } from "./xds-protocol.ts";

/** A server whose time moves by 4 ms of the 8 of a turn with each response, and six clients that follow everything. */
function world(): { set: (content: string) => void; streams: FakeStream[]; told: () => string[] } {
  let now = 0;
  const cache = new SnapshotCache({ groupOf: () => "all" });
  const protocol = createXdsProtocol({
    source: cache,
    clock: new FakeXdsClock(),
    turns: new Turns(() => now, 8, new LoopTurn(() => 0)),
    onEvent: ({ type }) => {
      if (type === "sent") now += 4;
    },
  });
  const set = (content: string): void => {
    cache.update("all", new Map([[CDS, { upserted: [resourceOf("a", encodeContent("a", content))], removed: [] }]]));
  };
  set("0");
  const streams = Array.from({ length: 6 }, () => new FakeStream(deltaAds));
  for (const stream of streams) {
    stream.open(protocol.accept);
    stream.delta({ node: { id: "n" }, typeUrl: CDS, resourceNamesSubscribe: ["*"] });
    for (const { nonce } of stream.take()) stream.delta({ typeUrl: CDS, responseNonce: nonce });
  }
  const told = (): string[] =>
    streams.map((stream) =>
      stream
        .take()
        .map(({ resources }) => resources.get("a"))
        .join(),
    );
  return { set, streams, told };
}

describe("a change that goes to many streams", () => {
  it("is written to as many as fit into one turn of the loop, and to the others in the next ones", async () => {
    const { set, told } = world();
    await nextTurn();
    set("1");
    expect(told()).toEqual(["1", "1", "", "", "", ""]);
    await nextTurn();
    expect(told()).toEqual(["", "", "1", "1", "", ""]);
    await nextTurn();
    expect(told()).toEqual(["", "", "", "", "1", "1"]);
  });

  it("is merged with the next one where it still waits, and reaches nobody who left", async () => {
    const { set, streams, told } = world();
    await nextTurn();
    set("1");
    set("2");
    streams[3]?.close();
    for (let turn = 0; turn < 4; turn++) await nextTurn();
    expect(told()).toEqual(["1", "1", "2", "", "2", "2"]);
  });
});
