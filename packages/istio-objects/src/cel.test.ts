import { describe, expect, it } from "vitest";
import { celFault } from "./cel.ts";

describe("celFault", () => {
  it.each([
    "true",
    "response.code >= 400 && !(request.method in ['GET', \"HEAD\"])",
    "request.headers['x-user'].startsWith('a') ? 1 : -2.5e3",
    "has(request.path) || size(a.b) == 0x1Fu",
    "[1, 2, 3,].all(x, x > 0) && [].map(x, x > 1, x * 2) == []",
    "{'a': 1, 'b': {}}.a == .global",
    "google.protobuf.Duration{seconds: 5}",
    "r'\\d' + b\"\\x00\" + '''it's''' // a comment",
    "!!a && --b == a.if",
  ])("takes %s", (expression) => {
    expect(celFault(expression)).toBeUndefined();
  });

  it.each([
    "",
    ")++",
    "a b",
    "a &&",
    "(a",
    "a = b",
    "a ? b",
    "f(a,)",
    "'open",
    "has(a)",
    "[1].all(1, true)",
    "if",
    "a.in",
    "{a}",
    "#",
    "(".repeat(300) + "a" + ")".repeat(300),
  ])("refuses %s", (expression) => {
    expect(celFault(expression)).toMatch(/^(?:has|needs|ends) /);
  });
});
