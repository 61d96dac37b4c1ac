import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { formatLocality, parseLocality } from "./locality.ts";

describe("parseLocality", () => {
  it.each([
    ["", { region: "", zone: "", subzone: "" }],
    ["eu", { region: "eu", zone: "", subzone: "" }],
    ["eu/a", { region: "eu", zone: "a", subzone: "" }],
    ["eu/a/r1", { region: "eu", zone: "a", subzone: "r1" }],
    ["eu/a/r1/u2", { region: "eu", zone: "a", subzone: "r1/u2" }],
    ["/a", { region: "", zone: "a", subzone: "" }],
    ["eu//", { region: "eu", zone: "", subzone: "" }],
  ])("reads %j", (text, locality) => {
    expect(parseLocality(text)).toEqual(locality);
  });

  it("reads back what formatLocality wrote", () => {
    const part = fc.string().filter((text) => !text.includes("/"));
    fc.assert(
      fc.property(fc.record({ region: part, zone: part, subzone: fc.string() }), (locality) => {
        expect(parseLocality(formatLocality(locality))).toEqual(locality);
      }),
      { numRuns: 200 },
    );
  });
});
