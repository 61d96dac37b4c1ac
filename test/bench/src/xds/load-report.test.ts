import { expect, it } from "vitest";
import { LoadFailedError, parseReport } from "./load-report.ts";
import { report } from "./testing/reports.ts";

it("reads what the load client printed", () => {
  expect(parseReport(JSON.stringify(report()))).toEqual(report());
});

it.each([
  ['{"error":"sync: 3 of 10 clients in sync after 2m0s"}', "3 of 10 clients in sync"],
  ["", "printed no report"],
  ["panic: something", "printed no report: panic: something"],
])("rejects %j", (text, said) => {
  expect(() => parseReport(text)).toThrow(LoadFailedError);
  expect(() => parseReport(text)).toThrow(said);
});
