import { expect, it } from "vitest";
import { nameOf, SliceBook } from "./slices.ts";

/** A book in which callbacks ran; times are milliseconds. */
function bookOf(...callbacks: readonly (readonly [name: string, from: number, until: number])[]): SliceBook {
  const book = new SliceBook();
  for (const [name, from, until] of callbacks) {
    book.begin(() => name);
    book.end(from, until);
  }
  return book;
}

it("joins callbacks without a pause to one slice and names what took longest in it", () => {
  const [slice, ...others] = bookOf(["read", 0, 4], ["write", 4.01, 5], ["read", 5.02, 6]).take();
  expect(others).toEqual([]);
  expect(slice).toMatchObject({ from: 0, ms: 6 });
  expect(slice?.parts.map(({ what }) => what)).toEqual(["read", "write"]);
  expect(slice?.parts[0]?.ms).toBeCloseTo(4.98);
});

it("keeps apart what has a pause between it, longest first", () => {
  const found = bookOf(["a", 0, 1], ["b", 2, 5], ["c", 6, 8]).take();
  expect(found.map(({ ms, parts }) => [parts[0]?.what, ms])).toEqual([
    ["b", 3],
    ["c", 2],
    ["a", 1],
  ]);
});

it("keeps the twenty longest and forgets them when they are taken", () => {
  const many = Array.from({ length: 100 }, (_, index) => ["x", 1000 * index, 1000 * index + index + 1] as const);
  const book = bookOf(...many);
  expect(book.take().map(({ ms }) => ms)).toEqual(Array.from({ length: 20 }, (_, index) => 100 - index));
  expect(book.take()).toEqual([]);
});

it.each([
  ["Timeout", { _onTimeout: function tick() {} }, "Timeout tick"],
  ["TickObject", { callback: () => {} }, "TickObject callback"],
  ["TCPSERVERWRAP", new URL("http://localhost"), "TCPSERVERWRAP URL"],
  ["PROMISE", {}, "PROMISE"],
])("names a %s by its callback or class", (type, resource, name) => {
  expect(nameOf(type, resource)).toBe(name);
});
