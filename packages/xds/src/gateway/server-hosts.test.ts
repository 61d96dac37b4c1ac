import { describe, expect, it } from "vitest";
import { commonHosts, hostKey, hostNames, serverHosts } from "./server-hosts.ts";

describe("serverHosts", () => {
  it.each([
    ["a name of any namespace", ["a.test"], ["a.test"]],
    ["capitals", ["A.Test"], ["a.test"]],
    ["a namespace", ["shop/a.test"], ["shop/a.test"]],
    ["the Gateway's own namespace", ["./*"], ["edge/*"]],
    ["a star for any namespace", ["*/a.test"], ["a.test"]],
    ["everything, beside which nothing counts", ["shop/a.test", "*/*"], ["*"]],
    ["several", ["shop/*.a.test", "b.test"], ["shop/*.a.test", "b.test"]],
  ])("reads %s", (_case, hosts, expected) => {
    expect(serverHosts(hosts, "edge").map(hostKey)).toEqual(expected);
  });

  it("has each name once, whatever its namespaces", () => {
    expect(hostNames(serverHosts(["one/b.test", "two/b.test", "a.test"], "edge"))).toEqual(["a.test", "b.test"]);
  });
});

describe("commonHosts", () => {
  it.each([
    ["equal names", ["a.test"], ["a.test"], ["a.test"]],
    ["nothing of other names", ["a.test"], ["b.test"], []],
    ["names within a server's wildcard", ["*.test"], ["a.test", "b.test", "c.org"], ["a.test", "b.test"]],
    ["a server's names within a rule's wildcard", ["a.test", "b.org"], ["*.test"], ["a.test"]],
    ["the narrower of two wildcards", ["*.test"], ["*.a.test"], ["*.a.test"]],
    ["a wildcard but not what it hangs from", ["*.a.test"], ["a.test"], []],
    ["a server's names for everything", ["a.test", "*.org"], ["*"], ["a.test", "*.org"]],
    ["nothing of another namespace", ["pay/*.test"], ["a.test"], []],
    ["a name of its own namespace", ["shop/*.test"], ["a.test"], ["a.test"]],
    ["each host once", ["*.test", "a.test"], ["a.test"], ["a.test"]],
  ])("has %s", (_case, server, routed, expected) => {
    expect(commonHosts(serverHosts(server, "edge"), "shop", routed)).toEqual(expected);
  });
});

describe("commonHosts of long lists", () => {
  it("takes no time for each pair", () => {
    const names = Array.from({ length: 20_000 }, (_, at) => `h${String(at)}.test`);
    const server = serverHosts(names, "edge");
    const before = process.cpuUsage();
    expect(commonHosts(server, "shop", names)).toHaveLength(20_000);
    // Each pair by itself takes many seconds.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
  });
});
