import { describe, expect, it } from "vitest";
import { singleTarget, tcpRules, tlsRules, type L4Rule } from "./l4-rules.ts";
import { destinationsOf, policyOf, routingOf } from "./testing/sketch.ts";

const destinations = destinationsOf({ "one.test": [9000] });
const context = { port: 443, destinations };
const gateway = { names: new Set(["shop/front"]), tls: false };
const to = (...hosts: readonly string[]) => hosts.map((host) => ({ destination: { host }, weight: 1 }));

/** A rule in one line: names, ranges and the clusters with their weights. */
function line({ serverNames, ranges, target }: L4Rule): string {
  const addresses = ranges.map(({ prefix, length }) => `${prefix}/${String(length)}`);
  const clusters = target.clusters.map(({ name, weight }) => `${name}*${String(weight)}`);
  return [serverNames.join(","), addresses.join(","), clusters.join(",")].join(" ");
}

describe("a TLS rule", () => {
  const lines = (tls: readonly object[], more = {}) => tlsRules(routingOf({ tls }), { ...context, ...more }).map(line);

  it.each([
    [
      "names servers, in lower case and order",
      [{ sniHosts: ["b.test", "A.test"] }],
      ["a.test,b.test  outbound|443||a*1"],
    ],
    ["takes names by wildcard", [{ sniHosts: ["*.a.test"] }], ["*.a.test  outbound|443||a*1"]],
    ["takes any name by a star", [{ sniHosts: ["a.test", "*"] }], ["  outbound|443||a*1"]],
    [
      "has ranges of addresses",
      [{ sniHosts: ["a.test"], destinationSubnets: ["10.0.0.0/8", "10.1.1.1", "fd00::/8"] }],
      ["a.test 10.0.0.0/8,10.1.1.1/32,fd00::/8 outbound|443||a*1"],
    ],
    [
      "has any address by a range of all",
      [{ sniHosts: ["a.test"], destinationSubnets: ["0.0.0.0/0"] }],
      ["a.test  outbound|443||a*1"],
    ],
    ["is none where no range can be read", [{ sniHosts: ["a.test"], destinationSubnets: ["10.0.0.0/99"] }], []],
    ["is none where Envoy can match no name", [{ sniHosts: ["a.*.test"] }], []],
    ["is none for another port", [{ sniHosts: ["a.test"], port: 444 }], []],
    ["is none for a Gateway", [{ sniHosts: ["a.test"], gateways: ["shop/front"] }], []],
    ["is one for its port", [{ sniHosts: ["a.test"], port: 443, gateways: ["mesh"] }], ["a.test  outbound|443||a*1"]],
    [
      "is one for each match",
      [{ sniHosts: ["a.test"] }, { sniHosts: ["b.test"] }],
      ["a.test  outbound|443||a*1", "b.test  outbound|443||a*1"],
    ],
    ["is none without a match", [], []],
  ])("%s", (_, match, expected) => expect(lines([{ match, route: to("a") }])).toEqual(expected));

  it("is left out where an earlier one takes the same connections", () => {
    const match = [{ sniHosts: ["a.test"] }];
    const rules = [
      { match, route: [] },
      { match, route: to("first") },
      { match, route: to("second") },
    ];
    expect(lines(rules)).toEqual(["a.test  outbound|443||first*1"]);
  });

  it("of a router is one for its Gateways", () => {
    const rule = { match: [{ sniHosts: ["a.test"], gateways: ["shop/front"] }], route: to("one.test") };
    expect(lines([rule], { gateway })).toEqual(["a.test  outbound|9000||one.test*1"]);
  });
});

describe("TCP rules", () => {
  const lines = (tcp: readonly object[], more = {}) => tcpRules(routingOf({ tcp }), { ...context, ...more }).map(line);

  it.each([
    ["end with one without a match", [{ route: to("a") }, { route: to("b") }], ["  outbound|443||a*1"]],
    [
      "end with one that matches every connection here",
      [{ match: [{ destinationSubnets: ["10.0.0.0/8"] }, { port: 443 }], route: to("a") }, { route: to("b") }],
      ["  outbound|443||a*1"],
    ],
    [
      "join the ranges of all matches",
      [
        { match: [{ destinationSubnets: ["10.0.0.0/8"] }, { destinationSubnets: ["fd00::/8"] }], route: to("a") },
        { route: to("b") },
      ],
      [" 10.0.0.0/8,fd00::/8 outbound|443||a*1", "  outbound|443||b*1"],
    ],
    ["are none for another port", [{ match: [{ port: 80 }], route: to("a") }], []],
    ["are none for a Gateway", [{ match: [{ gateways: ["shop/front"] }], route: to("a") }], []],
    ["are none where no range can be read", [{ match: [{ destinationSubnets: ["x"] }], route: to("a") }], []],
    ["are none without destinations", [{ route: [] }], []],
    ["have a service's only port", [{ route: to("one.test") }], ["  outbound|9000||one.test*1"]],
  ])("%s", (_, tcp, expected) => expect(lines(tcp)).toEqual(expected));

  it.each([
    ["share by weight", [3, 0, 1], ["  outbound|443||a*3,outbound|443||c*1"]],
    ["without weight are none", [0, 0, 0], []],
  ])("with several destinations %s", (_, weights, expected) => {
    const route = ["a", "b", "c"].map((host, index) => ({ destination: { host }, weight: weights[index] }));
    expect(lines([{ route }])).toEqual(expected);
  });

  it("of a router are for its Gateways, those without `gateways` too", () => {
    const rules = [
      { match: [{ gateways: ["mesh"] }], route: to("a") },
      { match: [{ port: 443 }], route: to("b") },
    ];
    expect(lines(rules, { gateway })).toEqual(["  outbound|443||b*1"]);
  });
});

describe("a target", () => {
  const policy = policyOf({
    connectionPool: { tcp: { idleTimeout: "30s", maxConnectionDuration: "1h" } },
    loadBalancer: { consistentHash: { useSourceIp: true } },
    tunnel: { protocol: "POST", targetHost: "fd00::1", targetPort: 3128 },
  });

  it("has the limits, the hashing and the tunnel of its policy", () => {
    expect(singleTarget("c", policy)).toEqual({
      statPrefix: "c",
      clusters: [{ name: "c", weight: 1 }],
      idleTimeout: 30_000,
      maxConnectionDuration: 3_600_000,
      sourceIpHash: true,
      tunnel: { hostname: "[fd00::1]:3128", usePost: true },
    });
  });

  it("has none of them without a policy", () => {
    expect(singleTarget("c", undefined)).toMatchObject({
      idleTimeout: undefined,
      maxConnectionDuration: undefined,
      sourceIpHash: false,
      tunnel: undefined,
    });
  });

  it("of several destinations has the policy of the first one's host and the name of the object", () => {
    const known = destinationsOf({}, { "a/v1": policyOf({}), a: policy });
    const route = [
      { destination: { host: "a", subset: "v1" }, weight: 1 },
      { destination: { host: "b" }, weight: 1 },
    ];
    const [rule] = tcpRules(routingOf({ tcp: [{ route }] }), { port: 443, destinations: known });
    expect(rule?.target).toMatchObject({ statPrefix: "web.shop", idleTimeout: 30_000, sourceIpHash: true });
  });
});
