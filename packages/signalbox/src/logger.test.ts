import { describe, expect, it } from "vitest";
import { isPretty, linePrinter } from "./logger.ts";

function printed(line: object): string {
  const lines: string[] = [];
  linePrinter({ write: (text) => lines.push(text) }).write(`${JSON.stringify(line)}\n`);
  return lines.join("");
}

describe("log lines for people", () => {
  it("have the time, the level, the event and its fields", () => {
    const line = {
      level: "warn",
      time: "2026-11-21T07:12:03.123Z",
      event: "xds-nacked",
      node: "a b",
      count: 2,
      list: ["x"],
    };
    expect(printed(line)).toBe('07:12:03 WARN  xds-nacked node="a b" count=2 list=["x"]\n');
  });

  it("let no control character through to the terminal", () => {
    const evil = "x\u001b[2J\u009b1m\ny";
    const text = printed({
      level: "info",
      time: "2026-11-21T07:12:03.123Z",
      event: "stream",
      node: evil,
      deep: { [evil]: 1 },
    });
    expect(text.trimEnd()).not.toMatch(/\p{Cc}/u);
    expect(text).toContain("\\u001b[2J");
  });

  it.each([
    { format: "auto", terminal: true, expected: true },
    { format: "auto", terminal: false, expected: false },
    { format: "json", terminal: true, expected: false },
    { format: "pretty", terminal: false, expected: true },
  ] as const)("format $format with terminal $terminal: $expected", ({ expected, format, terminal }) => {
    expect(isPretty({ format, level: "info" }, terminal)).toBe(expected);
  });
});
