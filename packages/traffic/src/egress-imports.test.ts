import { describe, expect, it } from "vitest";
import { importsOf } from "./egress-imports.ts";

describe("what an egress listener imports", () => {
  it.each([
    ["every service of every namespace", ["*/*"], true, true],
    ["all of the client's namespace", ["./*"], true, false],
    ["all of a named namespace", ["other/*"], false, true],
    ["one host of the client's namespace", ["./a.test"], true, false],
    ["one host of all namespaces", ["*/a.test"], true, true],
    ["another host", ["*/b.test"], false, false],
    ["a wildcard that covers it", ["*/*.test"], true, true],
    ["nothing", [], false, false],
    ["nothing, said as such", ["~/*"], false, false],
    ["all but one namespace", ["*/*", "~other/*"], true, false],
    ["all but one host", ["*/*", "~*/a.test"], false, false],
    ["all but other hosts", ["*/*", "~*/b.test"], true, true],
    ["nothing of an entry without a namespace", ["a.test"], false, false],
  ])("%s", (_, hosts, own, other) => {
    const imports = importsOf(hosts, "me");
    expect([imports.service("A.test", "me"), imports.service("a.test", "other")]).toEqual([own, other]);
    const routing = (namespace: string) => imports.routing({ namespace, hosts: ["a.test"] });
    expect([routing("me"), routing("other")]).toEqual([own, other]);
  });

  it("lets a VirtualService for a wildcard in for one host that it covers, but no wildcard service", () => {
    const imports = importsOf(["*/a.test"], "me");
    expect(imports.routing({ namespace: "x", hosts: ["*.test"] })).toBe(true);
    expect(imports.service("*.test", "x")).toBe(false);
    expect(importsOf(["*/*.test"], "me").service("*.a.test", "x")).toBe(true);
    expect(importsOf(["*/*.a.test"], "me").service("*.test", "x")).toBe(false);
  });

  it("keeps a VirtualService of which one host is not taken out", () => {
    const imports = importsOf(["*/*", "~*/a.test"], "me");
    expect(imports.routing({ namespace: "x", hosts: ["a.test", "b.test"] })).toBe(true);
    expect(imports.routing({ namespace: "x", hosts: ["*.test"] })).toBe(true);
  });
});
