import { expect, it } from "vitest";
import { didYouMean } from "./did-you-mean.ts";

it.each([
  { word: "provder", candidates: ["provider", "name"], expected: "provider" },
  { word: "regsitries", candidates: ["registries", "rules"], expected: "registries" },
  { word: "PLAINTEXT", candidates: ["plaintext"], expected: "plaintext" },
  { word: "hsot", candidates: ["host", "port"], expected: "host" },
  { word: "hots", candidates: ["hosta", "host"], expected: "host" },
  { word: "port", candidates: ["porb", "pora"], expected: "pora" },
  { word: "x", candidates: ["host", "port"], expected: undefined },
  { word: "kubernetes", candidates: ["consul", "static"], expected: undefined },
  { word: "x".repeat(100_000), candidates: ["host"], expected: undefined },
  { word: "", candidates: [], expected: undefined },
])("$word.length letters: $candidates gives $expected", ({ word, candidates, expected }) => {
  expect(didYouMean(word, candidates)).toBe(expected);
});
