import { expect, it } from "vitest";
import { longestSlice, longestWithin, type Collection, type Turn } from "./longest-slice.ts";

const turn = (from: number, until: number, waited = 0): Turn => ({ from, until, waited });
const collection = (from: number, until: number, cpu = until - from): Collection => ({ from, until, cpu });

it.each<[string, readonly Turn[], readonly Collection[], number]>([
  ["nothing was seen", [], [], 0],
  ["the longest of several turns counts", [turn(0, 5), turn(5, 17), turn(17, 20)], [], 12],
  ["collections in it do not count", [turn(0, 30)], [collection(5, 10), collection(12, 20)], 17],
  [
    "a collection counts only as far as it lies in the turn",
    [turn(10, 30)],
    [collection(5, 12), collection(28, 40)],
    16,
  ],
  ["a collection elsewhere changes nothing", [turn(10, 30)], [collection(0, 10), collection(30, 50)], 20],
  [
    "collections within each other count once",
    [turn(0, 30)],
    [collection(6, 8), collection(5, 15), collection(14, 16)],
    19,
  ],
  ["a turn that is mostly collection is not the longest", [turn(0, 40), turn(40, 50)], [collection(1, 39)], 10],
  ["waiting for a core does not count", [turn(0, 30, 12)], [], 18],
  ["waiting within a collection is not taken off twice", [turn(0, 30, 8)], [collection(0, 10, 2)], 20],
  ["waiting beyond the collection is taken off", [turn(0, 30, 14)], [collection(0, 10, 0)], 16],
  ["all of the waiting is, where the collection had a core meanwhile", [turn(0, 30, 8)], [collection(0, 10)], 12],
  [
    "where a collection is in the turn in part, it may have waited just then",
    [turn(10, 30, 12)],
    [collection(0, 20, 16)],
    2,
  ],
  ["clocks that disagree give nothing below zero", [turn(0, 3, 5)], [], 0],
])("%s", (_, turns, collections, ms) => {
  expect(longestSlice(turns, collections)).toBeCloseTo(ms, 9);
});

it.each<[string, readonly Turn[], readonly Collection[], number]>([
  ["adds up what lies in one turn, and no more of it than does", [turn(0, 10), turn(10, 30)], [], 9],
  ["is no longer than the turn without waiting", [turn(10, 30, 13)], [], 7],
  ["is no longer than the turn without collections", [turn(10, 30)], [collection(12, 28)], 4],
  ["is nothing without turns", [], [], 0],
])("time in some stretches %s", (_, turns, collections, ms) => {
  const stretches = [5, 15, 25].map((from) => ({ from, until: from + 4 }));
  expect(longestWithin(turns, collections, [...stretches, { from: 29, until: 40 }])).toBeCloseTo(ms, 9);
});
