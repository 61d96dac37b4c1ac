import { describe, expect, it } from "vitest";
import { Churn } from "./churn.ts";

const movers = (...names: readonly string[]) => names.map((id) => ({ id, kind: "http" }));
const gone = (churn: Churn, since = Number.NEGATIVE_INFINITY) => churn.goneSince(since).get("http") ?? 0;

/** Applies changes as the guard does: arrivals left over make up for earlier losses. */
function change(churn: Churn, lost: readonly string[], got: readonly string[], now: number): readonly string[] {
  const { missing, spare } = churn.change(movers(...lost), movers(...got), now);
  for (const mover of spare) churn.came(mover, now);
  return missing.map(({ id }) => id);
}

describe("the churn of a set", () => {
  it.each<[string, readonly [lost: readonly string[], got: readonly string[]][], number]>([
    ["counts what left", [[["a", "b"], []]], 2],
    [
      "does not count what was replaced by the same change",
      [
        [
          ["a", "b"],
          ["c", "d"],
        ],
      ],
      0,
    ],
    ["counts what more left than came", [[["a", "b", "c"], ["d"]]], 2],
    [
      "does not count what was replaced before it left",
      [
        [[], ["c"]],
        [["a"], []],
      ],
      0,
    ],
    [
      "does not count what was replaced after it left",
      [
        [["a"], []],
        [[], ["c"]],
      ],
      0,
    ],
    [
      "does not count what is back",
      [
        [["a"], []],
        [[], ["a"]],
      ],
      0,
    ],
    [
      "uses one arrival for one loss",
      [
        [[], ["c"]],
        [["a"], []],
        [["b"], []],
      ],
      1,
    ],
    [
      "counts what came just now and is lost again, whatever else came",
      [
        [[], ["c", "d", "e", "f"]],
        [["c", "d"], []],
      ],
      2,
    ],
    [
      "has what leaves with the others make up for nothing",
      [
        [[], ["y", "z"]],
        [["a", "b", "y", "z"], []],
      ],
      4,
    ],
    [
      "nets two restarts of all to nothing",
      [
        [
          ["a", "b"],
          ["c", "d"],
        ],
        [
          ["c", "d"],
          ["e", "f"],
        ],
      ],
      0,
    ],
    [
      "nets an endpoint that keeps coming under a new id to nothing",
      [
        [["a"], []],
        [[], ["b"]],
        [["b"], []],
        [[], ["c"]],
        [["c"], []],
        [[], ["d"]],
      ],
      0,
    ],
  ])("%s", (_name, changes, expected) => {
    const churn = new Churn();
    for (const [lost, got] of changes) change(churn, lost, got, 1);
    expect(gone(churn)).toBe(expected);
    expect(gone(Churn.restore(churn.save()))).toBe(expected);
  });

  it("names what nothing makes up for, the last in order", () => {
    expect(change(new Churn(), ["a", "b", "c"], ["x"], 1)).toEqual(["b", "c"]);
  });

  it("has one kind make up for no other", () => {
    const churn = new Churn();
    churn.change([{ id: "a", kind: "http" }], [{ id: "b", kind: "grpc" }], 1);
    expect(churn.goneSince(0)).toEqual(new Map([["http", 1]]));
  });

  it("counts only what left later than a time", () => {
    const churn = new Churn();
    change(churn, ["a"], [], 10);
    change(churn, ["b"], [], 20);
    expect([gone(churn, 9), gone(churn, 10), gone(churn, 20)]).toEqual([2, 1, 0]);
  });

  it("forgets arrivals as well as losses", () => {
    const churn = new Churn();
    change(churn, [], ["x"], 10);
    churn.forget(10);
    expect(change(churn, ["a"], [], 20)).toEqual(["a"]);
    churn.forget(20);
    expect(churn.save()).toEqual([]);
  });
});
