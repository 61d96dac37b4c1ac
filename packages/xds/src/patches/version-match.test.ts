import { describe, expect, it } from "vitest";
import { versionMatcher } from "./version-match.ts";

describe("versionMatcher", () => {
  it.each<[string, readonly string[], readonly string[]]>([
    ["^1\\.2[0-9].*", ["1.20", "1.29.3-alpha"], ["1.2", "11.20", "1.3.0"]],
    ["1\\.2", ["1.2", "11.23"], ["1x2", ""]],
    ["", ["", "1.2"], []],
    ["^(1\\.1[6-9]|1\\.2\\d)(\\.\\d+)?$", ["1.16", "1.25.3"], ["1.15", "1.16.", "1.25.3-rc"]],
    ["(?i)^DEV-", ["dev-1", "DEV-"], ["a-dev-"]],
    ["^(?:a|b){2,3}$", ["ab", "aba"], ["a", "abab"]],
    ["^\\d{2}$", ["12"], ["1", "123"]],
    ["^1{2,}?$", ["11", "1111"], ["1"]],
    ["^[^.]+$", ["1", "ab"], ["1.2", ""]],
    ["^[\\d.]+$", ["1.2.3"], ["1.2-a"]],
    ["^[a-z-]+\\-$", ["a-b-"], ["a-b"]],
    ["^(?P<major>\\d+)\\.", ["1."], ["."]],
    ["\\A1\\z", ["1"], ["11"]],
    ["^(a*)*b$", ["b", "aab"], ["aa"]],
    ["^(a|b|)+c$", ["c", "abc"], ["ad"]],
    ["^.$", ["x", "😀"], ["", "xx"]],
  ])("of %s finds what it means, and nothing else", (expression, matches, others) => {
    const matcher = versionMatcher(expression);
    expect(matches.map((version) => matcher?.(version))).toEqual(matches.map(() => true));
    expect(others.map((version) => matcher?.(version))).toEqual(others.map(() => false));
  });

  it.each(["[[:digit:]]", "\\pN", "\\Qa\\E", "(?s).", "\\bx", "\\x31", "a(?i)b"])(
    "does not understand %s",
    (expression) => {
      expect(versionMatcher(expression)).toBeUndefined();
    },
  );

  it("finds no version in a long text", () => {
    expect(versionMatcher("1")?.("1".repeat(65))).toBe(false);
  });

  it.each(["^(a+)+$", "^(a|a)*$", "^((a*)*)*$", "^(a?){64}a{64}$", "(.*)(.*)(.*)(.*)(.*)(.*)(.*)x"])(
    "answers soon for %s",
    (expression) => {
      const before = process.cpuUsage();
      expect(versionMatcher(expression)?.(`${"a".repeat(63)}!`)).toBe(false);
      const { user } = process.cpuUsage(before);
      expect(user / 1000).toBeLessThan(1000);
    },
  );
});
