import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { HostIndex } from "./host-index.ts";
import { hostsMatch, isWildcard, wholeGateway, wholeHost } from "./host-name.ts";

describe("whole names", () => {
  it.each([
    ["web", "web.ns.svc.cluster.local"],
    ["Web", "web.ns.svc.cluster.local"],
    ["web.other", "web.other"],
    ["*", "*"],
    ["*.ns", "*.ns"],
    ["::1", "::1"],
    ["10.0.0.1", "10.0.0.1"],
    ["", ""],
  ])("of the host %j is %j", (host, whole) => {
    expect(wholeHost(host, "ns", "cluster.local")).toBe(whole);
  });

  it.each([
    ["mesh", "mesh"],
    ["edge", "ns/edge"],
    ["./edge", "ns/edge"],
    ["other/edge", "other/edge"],
    ["edge.other", "other/edge"],
    ["edge.other.svc.cluster.local", "other/edge"],
  ])("of the gateway %s is %s", (name, whole) => {
    expect(wholeGateway(name, "ns")).toBe(whole);
  });
});

describe("hosts match", () => {
  it.each([
    ["a.b", "a.b", true],
    ["a.b", "*.b", true],
    ["b", "*.b", false],
    ["*.a.b", "*.b", true],
    ["*.a.b", "*.c", false],
    ["x", "*", true],
    ["*", "*.b", true],
  ])("%s and %s: %s, in both directions", (a, b, match) => {
    expect([hostsMatch(a, b), hostsMatch(b, a)]).toEqual([match, match]);
  });
});

describe("an index of hosts", () => {
  const host = fc
    .tuple(fc.constantFrom("", "*", "*."), fc.array(fc.constantFrom("a", "b", "a-b"), { minLength: 1, maxLength: 3 }))
    .map(([prefix, labels]) => `${prefix}${labels.join(".")}`);

  it("finds what covers a host, the most specific first, whatever came and went before", () => {
    fc.assert(
      fc.property(fc.array(host), fc.array(host), host, (kept, gone, asked) => {
        const index = new HostIndex<string>();
        for (const one of [...gone, ...kept]) index.add(one, one);
        for (const one of gone) if (!kept.includes(one)) index.delete(one, one);
        const covers = [...new Set(kept)].filter(
          (one) =>
            one === asked ||
            (isWildcard(one) && hostsMatch(one, asked) && (!isWildcard(asked) || one.length < asked.length)),
        );
        const specific = (one: string) => (one === asked ? Infinity : one.length);
        const expected = covers.sort((a, b) => specific(b) - specific(a));
        expect([...index.covering(asked)].map(({ host: found }) => found)).toEqual(expected);
        expect(index.empty).toBe(kept.length === 0);
      }),
    );
  });
});
