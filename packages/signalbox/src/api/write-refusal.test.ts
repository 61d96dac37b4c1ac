import { expect, it } from "vitest";
import { parseConfig } from "../config/check.ts";
import type { SignalboxConfigInput } from "../config/schema.ts";
import { writeRefusal } from "./write-refusal.ts";

it.each<[string, SignalboxConfigInput, boolean, string | undefined]>([
  ["one process takes writes", {}, true, undefined],
  ["one process that does not lead yet takes writes", {}, false, undefined],
  ["one of several without a bus takes none", { api: { replicas: 2 } }, true, "2 processes make a catalog each"],
  ["the one that leads on a bus takes writes", { bus: { type: "redis" }, api: { replicas: 2 } }, true, undefined],
  ["one that does not lead on a bus takes none", { bus: { type: "redis" } }, false, "another process leads"],
])("%s", (_name, config, leads, words) => {
  const refusal = writeRefusal(parseConfig(config), { leads });
  if (words === undefined) expect(refusal).toBeUndefined();
  else expect(refusal).toContain(words);
});
