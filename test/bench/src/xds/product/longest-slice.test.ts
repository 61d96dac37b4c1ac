import { expect, it } from "vitest";
import { longestSlice, type Stretch, type Turn } from "./longest-slice.ts";

const turn = (from: number, until: number, waited = 0): Turn => ({ from, until, waited });

it.each<[string, readonly Turn[], readonly Stretch[], number]>([
  ["nothing was seen", [], [], 0],
  ["the longest of several turns counts", [turn(0, 5), turn(5, 17), turn(17, 20)], [], 12],
  ["collections in it do not count", [turn(0, 30)], [turn(5, 10), turn(12, 20)], 17],
  ["a collection counts only as far as it lies in the turn", [turn(10, 30)], [turn(5, 12), turn(28, 40)], 16],
  ["a collection elsewhere changes nothing", [turn(10, 30)], [turn(0, 10), turn(30, 50)], 20],
  ["collections within each other count once", [turn(0, 30)], [turn(6, 8), turn(5, 15), turn(14, 16)], 19],
  ["a turn that is mostly collection is not the longest", [turn(0, 40), turn(40, 50)], [turn(1, 39)], 10],
  ["waiting for a core does not count", [turn(0, 30, 12)], [], 18],
  ["waiting within a collection is not taken off twice", [turn(0, 30, 8)], [turn(0, 10)], 20],
  ["waiting beyond the collection is", [turn(0, 30, 14)], [turn(0, 10)], 16],
  ["clocks that disagree give nothing below zero", [turn(0, 3, 5)], [], 0],
])("%s", (_, turns, collections, ms) => {
  expect(longestSlice(turns, collections)).toBeCloseTo(ms, 9);
});
