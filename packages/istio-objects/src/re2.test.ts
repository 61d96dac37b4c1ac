import { describe, expect, it } from "vitest";
import { re2Fault } from "./re2.ts";

describe("re2Fault", () => {
  it.each([
    "",
    "a|b|",
    "^(?:a+b*?)(?P<n>c)(?<m>d){2,3}$",
    "(?i)a(?s-m:b)",
    "[[:alpha:]_-]",
    "[]a]",
    "[^]a]",
    "\\pL\\p{Greek}\\P{Lu}[\\p{L}\\d]",
    "\\Qa+*(\\E+",
    "\\x41\\x{1F600}\\012\\.\\A\\z",
    "a{,3}",
    "a{x}",
    "^*",
    "{1",
  ])("takes %j", (pattern) => {
    expect(re2Fault(pattern)).toBeUndefined();
  });

  it.each([
    "(",
    ")",
    "a)",
    "[",
    "[]",
    "[a",
    "[z-a]",
    "[a-\\d]",
    "[[:nothing:]]",
    "*",
    "a|*",
    "(+)",
    "a**",
    "a{2}{3}",
    "a{1001}",
    "a{3,2}",
    "(?=a)",
    "(?<!a)b",
    "(?P<n>a)(?P<n>b)",
    "(?P<>a)",
    "(a)\\1",
    "\\8",
    "\\Z",
    "\\y",
    "\\",
    "\\p{Nothing}",
    "\\x{110000}",
  ])("refuses %j", (pattern) => {
    expect(re2Fault(pattern)).toMatch(/^has /);
  });
});
