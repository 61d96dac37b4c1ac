import { describe, expect, it } from "vitest";
import type { Override } from "../override.ts";
import { candidates, eureka, instance, keyOf, record } from "../testing/world.ts";
import { manualStage } from "./manual.ts";
import { OverrideBook, UnknownOverrideError } from "./override-book.ts";

function override(action: Override["action"], more: Partial<Override> = {}): Override {
  return {
    id: "o1",
    service: keyOf("orders"),
    address: "10.0.0.1:8080",
    action,
    author: "ann",
    reason: "a test",
    since: 1000,
    until: 2000,
    ...more,
  };
}

describe("manualStage", () => {
  it.each<[Override["action"], object]>([
    [{ type: "hold" }, { healthStatus: "HEALTHY", weight: 1 }],
    [{ type: "drain" }, { healthStatus: "DRAINING", weight: 1 }],
    [
      { type: "weight", weight: 7 },
      { healthStatus: "UNHEALTHY", weight: 7 },
    ],
  ])("does %o to its endpoint alone, and says so", (action, expected) => {
    const records = [
      candidates(
        record(
          eureka,
          instance(eureka, "10.0.0.1", { healthStatus: "UNHEALTHY" }),
          instance(eureka, "10.0.0.2", { healthStatus: "UNHEALTHY" }),
        ),
      ),
    ];
    const [one, two] = manualStage(records, [override(action)])[0]?.candidates ?? [];
    expect(one?.instance).toMatchObject(expected);
    expect(one?.findings).toMatchObject([{ stage: "manual", since: 1000 }]);
    expect(two).toBe(records[0]?.candidates[1]);
  });
});

describe("OverrideBook", () => {
  it("forgets an override when its time is over, and says when that is", () => {
    const book = new OverrideBook();
    book.add(override({ type: "drain" }));
    book.add(override({ type: "drain" }, { id: "o2", address: "10.0.0.2:8080", until: 3000 }));
    expect(book.dueAt()).toBe(2000);
    expect(book.expire(1999)).toEqual([]);
    expect(book.expire(2000).map(({ id }) => id)).toEqual(["o1"]);
    expect(book.of(keyOf("orders")).map(({ id }) => id)).toEqual(["o2"]);
    expect(book.remove("o2").id).toBe("o2");
    expect(book.dueAt()).toBeUndefined();
    expect(() => book.remove("o2")).toThrow(UnknownOverrideError);
  });

  it("keeps the last word on an endpoint", () => {
    const book = new OverrideBook();
    book.add(override({ type: "drain" }));
    book.add(override({ type: "hold" }, { id: "o2" }));
    expect(book.all().map(({ id }) => id)).toEqual(["o2"]);
  });
});
