import type { Answer } from "@signalbox/test-servers";
import { describe, expect, it } from "vitest";
import { rowOf } from "./calls.ts";
import { shareOf } from "./envoy-view.ts";
import { broken, type StepRow, type StoryResult } from "./result.ts";
import { tableOf } from "./table.ts";

const good: StepRow = { step: "b", through: "Signalbox", sent: 10, failedBefore: 2, failedAfter: 0, misrouted: 0 };
const replayed: StoryResult["replayed"] = { hashes: ["a", "a"], different: [], endpoints: 3 };
const kept: StoryResult = { rows: [good], explained: [], nacks: 0, changesByEmptyEureka: 0, replayed };
const answer = (status: number, text: string, began: number): Answer => ({ status, text, began, at: began + 5 });

describe("the promises of the story", () => {
  it.each<[string, Partial<StoryResult>]>([
    ["a call that fails after the push", { rows: [{ ...good, failedAfter: 1 }] }],
    ["a call that another service answers", { rows: [{ ...good, misrouted: 1 }] }],
    ["a step without calls", { rows: [{ ...good, sent: 0 }] }],
    ["a client without Signalbox that did not call", { rows: [{ ...good, through: "a cached list", sent: 0 }] }],
    ["a share that is three points off", { rows: [{ ...good, share: { planned: 50, measured: 47 } }] }],
    [
      "a share that nothing could be measured of",
      { rows: [{ ...good, share: { planned: 50, measured: Number.NaN } }] },
    ],
    ["a deletion that takes 250 ms", { rows: [{ ...good, step: "a", pushMs: 250 }] }],
    ["another reason", { explained: [{ step: "a", address: "10.40.0.4", expected: "GHOST", said: "SERVED" }] }],
    ["an update that Envoy refuses", { nacks: 1 }],
    ["endpoints that change while Eureka is empty", { changesByEmptyEureka: 1 }],
    ["two replays that differ", { replayed: { ...replayed, hashes: ["a", "b"] } }],
    ["a replay that is not what was", { replayed: { ...replayed, different: ["only live: orders"] } }],
    ["nothing to replay", { replayed: { ...replayed, endpoints: 0 } }],
  ])("are broken by %s", (_what, change) => {
    expect(broken({ ...kept, ...change })).toHaveLength(1);
  });

  it("allow failures before the push, any failure without Signalbox, and a share that is a point off", () => {
    const without: StepRow = { ...good, through: "a cached list", failedAfter: 5, misrouted: 5 };
    const rows = [
      good,
      without,
      { ...good, share: { planned: 50, measured: 49 } },
      { ...good, step: "a", pushMs: 150 },
    ];
    expect(broken({ ...kept, rows })).toEqual([]);
  });
});

it("a call counts by when it was sent, and only an answer of the service that was called is good", () => {
  const answers = [
    answer(503, "", 10),
    answer(503, "", 100),
    answer(0, "connect ECONNREFUSED", 199),
    answer(503, "", 200),
    answer(200, "orders 10.40.0.1", 250),
    answer(200, "billing 10.40.0.4", 250),
  ];
  expect(rowOf("Signalbox", answers, { step: "a", began: 100, pushed: 200 })).toEqual({
    ...{ step: "a", through: "Signalbox", sent: 5, failedBefore: 2, failedAfter: 1, misrouted: 1 },
  });
});

it("shares are of weights, whatever the number of endpoints", () => {
  const endpoints = new Map([
    ["10.40.0.1", 3],
    ["10.40.1.1", 1],
    ["10.40.1.2", 2],
  ]);
  expect(shareOf(endpoints, ["10.40.1.1", "10.40.1.2"])).toBe(0.5);
  expect(shareOf(new Map(), ["10.40.1.1"])).toBe(0);
});

it("the table has a line for each row", () => {
  const rows: StepRow[] = [{ ...good, pushMs: 12.4, share: { planned: 10, measured: 9.97 } }, good];
  expect(tableOf(rows).split("\n")).toEqual([
    "| step | calls through | sent | failed before | failed after | misrouted | push after |  share |",
    "| ---- | ------------- | ---: | ------------: | -----------: | --------: | ---------: | -----: |",
    "| b    | Signalbox     |   10 |             2 |            0 |         0 |      12 ms | 10.0 % |",
    "| b    | Signalbox     |   10 |             2 |            0 |         0 |            |        |",
  ]);
});
