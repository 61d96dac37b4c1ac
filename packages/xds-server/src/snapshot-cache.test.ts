import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { NodeSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { resourceOf, type Resource } from "./resource.ts";
import { SetVersion } from "./set-version.ts";
import { SnapshotCache } from "./snapshot-cache.ts";
import type { ChangedNames } from "./source.ts";
import { CDS, EDS } from "./testing/fake-stream.ts";

const resource = (name: string, content = "1"): Resource => resourceOf(name, Buffer.from(content));
const node = create(NodeSchema, { id: "n", cluster: "c" });

function watch(cache: SnapshotCache): { changes: (Record<string, string[]> | undefined)[]; release: () => void } {
  const changes: (Record<string, string[]> | undefined)[] = [];
  const plain = (changed: ChangedNames | undefined): Record<string, string[]> | undefined =>
    changed && Object.fromEntries([...changed].map(([type, names]) => [type, [...names].sort()]));
  const lease = cache.acquire(node, (changed) => changes.push(plain(changed)));
  return { changes, release: () => lease.release() };
}

describe("SnapshotCache", () => {
  it("announces the first snapshot as a new view, then the names that differ by version", () => {
    const cache = new SnapshotCache();
    const { changes } = watch(cache);
    cache.setSnapshot(
      "n",
      new Map([
        [CDS, [resource("a"), resource("b"), resource("c")]],
        [EDS, [resource("a")]],
      ]),
    );
    cache.setSnapshot("n", new Map([[CDS, [resource("a"), resource("b", "2"), resource("d")]]]));
    expect(changes).toEqual([undefined, { [CDS]: ["b", "c", "d"], [EDS]: ["a"] }]);
    expect([...(cache.view("n")?.resources(CDS).keys() ?? [])].sort()).toEqual(["a", "b", "d"]);
    expect(cache.view("n")?.resources(EDS).size).toBe(0);
  });

  it("is silent about what did not change", () => {
    const cache = new SnapshotCache();
    cache.setSnapshot("n", new Map([[CDS, [resource("a")]]]));
    const { changes } = watch(cache);
    cache.setSnapshot("n", new Map([[CDS, [resource("a")]]]));
    cache.update("n", new Map([[CDS, { upserted: [resource("a")], removed: ["never"] }]]));
    cache.update("n", new Map());
    expect(changes).toEqual([]);
  });

  it("changes all types of an update before anybody is told", () => {
    const cache = new SnapshotCache();
    cache.setSnapshot("n", new Map([[CDS, [resource("a")]]]));
    const seen: number[] = [];
    cache.acquire(node, () => {
      const view = cache.view("n");
      seen.push(view?.resources(CDS).size ?? -1, view?.resources(EDS).size ?? -1);
    });
    cache.update(
      "n",
      new Map([
        [CDS, { upserted: [], removed: ["a"] }],
        [EDS, { upserted: [resource("a"), resource("b")], removed: [] }],
      ]),
    );
    expect(seen).toEqual([0, 2]);
  });

  it("keeps the version that a fresh set of the same content has", () => {
    const cache = new SnapshotCache();
    cache.update("n", new Map([[CDS, { upserted: [resource("a"), resource("b")], removed: [] }]]));
    cache.update("n", new Map([[CDS, { upserted: [resource("b", "2")], removed: ["a"] }]]));
    expect(cache.view("n")?.version(CDS)).toBe(SetVersion.of([resource("b", "2")]).toString());
    expect(cache.view("n")?.version(EDS)).toBe(new SetVersion().toString());
  });

  it("upserts a name that one update both removes and upserts", () => {
    const cache = new SnapshotCache();
    cache.update("n", new Map([[CDS, { upserted: [resource("a")], removed: [] }]]));
    cache.update("n", new Map([[CDS, { upserted: [resource("a", "2")], removed: ["a"] }]]));
    expect(cache.view("n")?.resources(CDS).get("a")).toEqual(resource("a", "2"));
    expect(cache.view("n")?.version(CDS)).toBe(SetVersion.of([resource("a", "2")]).toString());
  });

  it("says that the view is gone when it is cleared, and gives a new one afterwards", () => {
    const cache = new SnapshotCache();
    cache.setSnapshot("n", new Map([[CDS, [resource("a")]]]));
    const before = cache.view("n");
    const { changes } = watch(cache);
    cache.clearSnapshot("n");
    expect(cache.view("n")).toBeUndefined();
    cache.clearSnapshot("n");
    cache.setSnapshot("n", new Map([[CDS, [resource("a")]]]));
    expect(changes).toEqual([undefined, undefined]);
    expect(cache.view("n")).not.toBe(before);
  });

  it("groups nodes as told and gives each group one view", () => {
    const cache = new SnapshotCache({ groupOf: ({ cluster }) => cluster });
    cache.setSnapshot("c", new Map([[CDS, [resource("a")]]]));
    const leases = ["x", "y"].map((id) => cache.acquire(create(NodeSchema, { id, cluster: "c" }), () => {}));
    expect(leases[0]?.current()).toBe(leases[1]?.current());
    expect(cache.acquire(create(NodeSchema, { id: "c" }), () => {}).current()).toBeUndefined();
  });

  it("forgets a watcher that was released, also by another one while it is told", () => {
    const cache = new SnapshotCache();
    const first = watch(cache);
    cache.setSnapshot("n", new Map([[CDS, [resource("a")]]]));
    first.release();
    cache.setSnapshot("n", new Map());
    expect(first.changes).toHaveLength(1);
    let told = 0;
    const leases: { release: () => void }[] = [];
    cache.acquire(node, () => leases[0]?.release());
    leases.push(cache.acquire(node, () => (told += 1)));
    cache.setSnapshot("n", new Map([[CDS, [resource("b")]]]));
    expect(told).toBe(0);
  });
});
