import { expect, it } from "vitest";
import { play } from "./story/play.ts";
import { broken, promptMsWhenBusy } from "./story/result.ts";

it("a service moves from Eureka to Kubernetes and back, over dead pods and dead registries, and no call fails or goes astray", async () => {
  const result = await play({ requests: 3000, timeoutMs: 240_000 });
  expect(broken(result, promptMsWhenBusy)).toEqual([]);
  expect(result.rows.filter(({ through }) => through === "Signalbox").map(({ step }) => step.slice(0, 1))).toEqual([
    "a",
    "b",
    "c",
    "d",
    "d",
    "d",
    "d",
    "e",
  ]);
  // It is worse without: else the story would prove nothing.
  const without = result.rows.filter(({ through }) => through !== "Signalbox");
  expect(without.map(({ step }) => step.slice(0, 1))).toEqual(["a", "b"]);
}, 260_000);
