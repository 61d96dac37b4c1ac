import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { atOnce } from "@signalbox/slices";
import { resourceOf, type Resource } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { SetVersion } from "../set-version.ts";
import { EDS, encodeContent } from "../testing/fake-stream.ts";
import type { TypeState } from "./view-state.ts";
import { ViewStates } from "./view-states.ts";

const names = Array.from({ length: 400 }, (_, at) => `service-${at}`);

function world(): { change: (at: number, count: number, content: string | null) => void; view: () => ViewOf } {
  const cache = new SnapshotCache();
  const change = (at: number, count: number, content: string | null): void => {
    const some = names.slice(at, at + count);
    const upserted = content === null ? [] : some.map((name) => resourceOf(name, encodeContent(name, content)));
    cache.update("n", new Map([[EDS, { upserted, removed: content === null ? some : [] }]]));
  };
  change(0, names.length, "0");
  const view = (): ViewOf => {
    const found = cache.view("n");
    if (found === undefined) throw new Error("no view");
    return found;
  };
  return { change, view };
}
type ViewOf = NonNullable<ReturnType<SnapshotCache["view"]>>;

const sorted = (state: TypeState | ViewOf): unknown =>
  [...("known" in state ? state.known : state.resources(EDS))].map(([name, { version }]) => [name, version]).sort();

describe("a state that is made in steps", () => {
  it("has what the view has, whatever changes between the steps and whoever needs it before", () => {
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.constant({ do: "step" } as const) },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant("change" as const),
          at: fc.nat({ max: names.length - 1 }),
          count: fc.constantFrom(1, 400),
          content: fc.constantFrom("0", "1", null),
        }),
      },
      { weight: 1, arbitrary: fc.constant({ do: "other comes" } as const) },
      { weight: 1, arbitrary: fc.constant({ do: "other goes" } as const) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), (steps) => {
        const { change, view } = world();
        const states = new ViewStates();
        const others: TypeState[] = [];
        const making = states.prepare(view(), EDS);
        for (const one of steps) {
          if (one.do === "change") change(one.at, one.count, one.content);
          else if (one.do === "other comes") others.push(states.acquire(view(), EDS));
          else if (one.do === "other goes") {
            const other = others.pop();
            if (other !== undefined) states.release(view(), other);
          } else making.next();
          // Nothing is held.
          expect(states.has(view(), EDS)).toBe(others.length > 0);
        }
        atOnce(making);
        const made = states.acquire(view(), EDS);
        expect(sorted(made)).toEqual(sorted(view()));
        expect(made.version.toString()).toBe(SetVersion.of(view().resources(EDS).values()).toString());
        for (const state of others) expect(state).toBe(made);
        for (const state of [made, ...others]) states.release(view(), state);
        expect(states.has(view(), EDS)).toBe(false);
      }),
      { numRuns: 150 },
    );
  });

  it("is read once where nothing changes meanwhile, in several steps", () => {
    const inner = world().view();
    const resources = inner.resources(EDS);
    let walks = 0;
    const walked = {
      version: () => inner.version(EDS),
      resources: () => resources,
    };
    const walk = resources[Symbol.iterator].bind(resources);
    Object.defineProperty(resources, Symbol.iterator, { value: () => (walks++, walk()) });
    const states = new ViewStates();
    const making = states.prepare(walked, EDS);
    let steps = 0;
    while (making.next().done !== true) steps++;
    expect([steps, walks]).toEqual([12, 1]);
    expect([states.acquire(walked, EDS).known.size, walks]).toEqual([400, 1]);
  });

  it("reads nothing more of what the view had before it changed", () => {
    const all = world().view().resources(EDS);
    let [current, version] = [new Map(all), SetVersion.of(all.values()).toString()];
    let read = 0;
    const walk = function* (): Generator<[string, Resource], undefined> {
      for (const entry of all) {
        read++;
        yield entry;
      }
    };
    Object.defineProperty(current, Symbol.iterator, { value: walk });
    const states = new ViewStates();
    const both = { version: () => version, resources: () => current };
    const making = states.prepare(both, EDS);
    making.next();
    const before = read;
    current = new Map([...all].slice(0, 300));
    version = SetVersion.of(current.values()).toString();
    atOnce(making);
    expect([before, read, states.acquire(both, EDS).known.size]).toEqual([32, 32, 300]);
  });
});
