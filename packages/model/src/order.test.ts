import { expect, it } from "vitest";
import { byCodeUnit } from "./order.ts";

it("orders by code unit, whatever the locale", () => {
  const texts = ["b", "a", "B", "é", "z", "", "a", "\u{1f600}", "\uffff"];
  expect(texts.sort(byCodeUnit)).toEqual(["", "B", "a", "a", "b", "z", "é", "\u{1f600}", "\uffff"]);
});
