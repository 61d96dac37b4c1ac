import { describe, expect, it } from "vitest";
import { atOnce } from "@signalbox/slices";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { EDS, encodeContent } from "../testing/fake-stream.ts";
import { ViewStates } from "./view-states.ts";

describe("what equal subscriptions are owed", () => {
  it.each([0, 1, 2, 3, 4])("is never half old and half new when it changes after %d steps", (steps) => {
    const names = Array.from({ length: 400 }, (_, at) => `service-${at}`);
    const cache = new SnapshotCache();
    const set = (content: string): void => {
      const upserted = names.map((name) => resourceOf(name, encodeContent(name, content)));
      cache.update("n", new Map([[EDS, { upserted, removed: [] }]]));
    };
    set("1");
    const view = cache.view("n");
    if (view === undefined) throw new Error("no view");
    const state = new ViewStates().acquire(view, EDS);
    const making = state.whole({ names: new Set([...names, "nobody"]) });
    for (let step = 0; step < steps; step++) expect(making.next().done).not.toBe(true);
    set("2");
    state.sync();
    const { resources, missing } = atOnce(making);
    const contents = resources.map(({ name, bytes }) =>
      Buffer.from(bytes)
        .toString()
        .slice(name.length + 1),
    );
    expect([new Set(contents).size, resources.length, missing]).toEqual([1, 400, ["nobody"]]);
  });
});
