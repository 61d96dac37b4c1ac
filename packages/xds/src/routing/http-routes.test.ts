import { create, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { RouteSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import { describe, expect, it } from "vitest";
import { meshSettings } from "../mesh.ts";
import type { RouteContext } from "./context.ts";
import { httpRoutes } from "./http-routes.ts";
import { client, destinationsOf, policyOf, routingOf, shown } from "./testing/sketch.ts";

const to = (host: string, more: object = {}) => [{ destination: { host, ...more } }];
const names = (http: readonly object[], context = client) =>
  httpRoutes(routingOf({ http }), context).map(({ name }) => name);
const routeOf = (rule: object, context: RouteContext = client) => {
  const routes = shown(httpRoutes(routingOf({ http: [rule] }), context));
  expect(routes).toHaveLength(1);
  return routes[0] as { route: { cluster: string } };
};
const gateway = { names: new Set(["shop/front"]), tls: false };

describe("rules", () => {
  it("give a route for each match, named after rule and match", () => {
    const match = [{ name: "one", uri: { prefix: "/1" }, statPrefix: "first" }, { uri: { prefix: "/2" } }];
    expect(shown(httpRoutes(routingOf({ http: [{ name: "rule", match, route: to("a.test") }] }), client))).toEqual([
      {
        name: "rule.one",
        statPrefix: "first",
        match: { prefix: "/1", caseSensitive: true },
        route: { cluster: "outbound|80||a.test" },
      },
      { name: "rule", match: { prefix: "/2", caseSensitive: true }, route: { cluster: "outbound|80||a.test" } },
    ]);
  });

  it.each([
    ["a rule without a match", [{ name: "a", route: to("a.test") }]],
    ["a match of every path", [{ name: "a", match: [{}, { uri: { prefix: "/b" } }], route: to("a.test") }]],
  ])("end with %s: nothing after it could be reached", (_, first) => {
    expect(names([...first, { name: "late", route: to("b.test") }])).toEqual(["a"]);
  });

  it.each([
    ["another port", { port: 81 }],
    ["a Gateway", { gateways: ["shop/front"] }],
  ])("for %s are none for a mesh client, and do not end the list", (_, match) => {
    expect(names([{ name: "other", match: [match], route: to("a.test") }])).toEqual([]);
    expect(
      names([
        { name: "other", match: [match], route: to("a.test") },
        { name: "own", route: to("a.test") },
      ]),
    ).toEqual(["own"]);
  });

  it.each([
    [{ port: 80 }, ["r", "r"]],
    [{ gateways: ["mesh"] }, ["r", undefined]],
    [{ gateways: ["shop/front"] }, [undefined, "r"]],
    [{ gateways: ["shop/other", "shop/front"] }, [undefined, "r"]],
    [{ gateways: ["mesh", "shop/front"], port: 80 }, ["r", "r"]],
  ])("with match %j are for the listeners that it names", (match, [mesh, router]) => {
    const rule = { name: "r", match: [match], route: to("a.test") };
    expect(names([rule])).toEqual([mesh].filter((name) => name !== undefined));
    expect(names([rule], { ...client, gateway })).toEqual([router].filter((name) => name !== undefined));
  });

  it("carry the object that they come from", () => {
    const [route] = httpRoutes(routingOf({ http: [{ route: to("a.test") }] }), client);
    expect(route?.metadata?.filterMetadata?.["istio"]).toEqual({
      config: "/apis/networking.istio.io/v1/namespaces/shop/virtual-service/web",
    });
  });
});

describe("a destination", () => {
  const destinations = destinationsOf({ "one.test": [9080], "two.test": [80, 9080] });

  it.each([
    ["with a port has that one", { host: "one.test", port: { number: 7 } }, 80, "outbound|7||one.test"],
    ["has the port of a mesh client's route table", { host: "one.test" }, 80, "outbound|80||one.test"],
    ["has the service's only port in a table of all ports", { host: "one.test" }, 0, "outbound|9080||one.test"],
    ["of an unknown host has the listener's port", { host: "new.test" }, 80, "outbound|80||new.test"],
    ["may be a subset", { host: "two.test", subset: "v1" }, 80, "outbound|80|v1|two.test"],
  ])("%s", (_, destination, port, cluster) => {
    expect(routeOf({ route: [{ destination }] }, { ...client, port, destinations }).route.cluster).toBe(cluster);
  });

  it.each([
    ["has the service's only port", "one.test", "outbound|9080||one.test"],
    ["has the listener's port where its service has several", "two.test", "outbound|80||two.test"],
  ])("of a router %s", (_, host, cluster) => {
    const context = { ...client, destinations, gateway };
    expect(routeOf({ route: to(host) }, context).route.cluster).toBe(cluster);
  });

  it("that is an alias is the service that it stands for", () => {
    const real = destinations.service("two.test");
    const aliased = { service: () => real, policy: () => undefined };
    expect(routeOf({ route: to("alias.test") }, { ...client, destinations: aliased }).route.cluster).toBe(
      "outbound|80||two.test",
    );
  });

  it.each([[undefined], [{ host: "" }]])("%j has a cluster that is never there", (destination) => {
    expect(routeOf({ route: [{ destination }] }).route.cluster).toBe("UnknownService");
  });
});

describe("several destinations", () => {
  const clusters = (route: readonly object[]) => routeOf({ route }).route;

  it("share by weight; those without weight are left out", () => {
    const route = [
      { destination: { host: "a.test", subset: "v1" }, weight: 75 },
      { destination: { host: "a.test", subset: "v2" }, weight: 25 },
      { destination: { host: "a.test", subset: "v3" }, weight: 0 },
    ];
    expect(clusters(route)).toEqual({
      weightedClusters: {
        clusters: [
          { name: "outbound|80|v1|a.test", weight: 75 },
          { name: "outbound|80|v2|a.test", weight: 25 },
        ],
      },
    });
  });

  it("of one destination are no sharing, whatever its weight", () => {
    expect(clusters([{ destination: { host: "a.test" }, weight: 0 }])).toEqual({ cluster: "outbound|80||a.test" });
  });

  it("without any weight answer 503", () => {
    const route = [{ destination: { host: "a.test" } }, { destination: { host: "b.test" } }];
    expect(routeOf({ route })).toEqual({ match: { prefix: "/" }, directResponse: { status: 503 } });
    expect(routeOf({})).toMatchObject({ directResponse: { status: 503 } });
  });

  it("have header operations of their own", () => {
    const route = [
      {
        destination: { host: "a.test" },
        weight: 1,
        headers: { request: { set: { host: "inner.test", "x-a": "1" } }, response: { remove: ["server"] } },
      },
      { destination: { host: "b.test" }, weight: 1 },
    ];
    expect(clusters(route)).toEqual({
      weightedClusters: {
        clusters: [
          {
            name: "outbound|80||a.test",
            weight: 1,
            requestHeadersToAdd: [{ header: { key: "x-a", value: "1" }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" }],
            responseHeadersToRemove: ["server"],
            hostRewriteLiteral: "inner.test",
          },
          { name: "outbound|80||b.test", weight: 1 },
        ],
      },
    });
  });
});

describe("a rule's timeout", () => {
  it.each([
    [{}, "0s"],
    [{ timeout: "0s" }, "0s"],
    [{ timeout: "1.5s" }, "1.500s"],
  ])("%j is a limit of %s, which a gRPC deadline may only shorten", (rule, timeout) => {
    const [init = {}] = httpRoutes(routingOf({ http: [{ route: to("a.test"), ...rule }] }), client);
    const { route } = toJson(RouteSchema, create(RouteSchema, init), { registry: anyRegistry }) as { route: object };
    expect(route).toMatchObject({ timeout, maxGrpcTimeout: timeout });
    // Beside it Envoy ignores the timeout.
    expect(route).not.toHaveProperty("maxStreamDuration");
  });
});

describe("a rewrite", () => {
  it.each([
    ["of a path", { uri: "/new" }, { prefixRewrite: "/new" }],
    ["of a path to the root", { uri: "/" }, { prefixRewrite: "/" }],
    ["of the host", { authority: "b.test" }, { hostRewriteLiteral: "b.test" }],
    ["of both", { uri: "/new", authority: "b.test" }, { prefixRewrite: "/new", hostRewriteLiteral: "b.test" }],
    [
      "by expression",
      { uriRegexRewrite: { match: "/a/(.*)", rewrite: "/b/\\1" } },
      { regexRewrite: { pattern: { regex: "/a/(.*)" }, substitution: "/b/\\1" } },
    ],
    [
      "by an expression that says nothing",
      { uriRegexRewrite: {}, authority: "b.test" },
      { hostRewriteLiteral: "b.test" },
    ],
  ])("%s", (_, rewrite, expected) => {
    expect(routeOf({ rewrite, route: to("a.test") }).route).toEqual({ cluster: "outbound|80||a.test", ...expected });
  });

  it("of the host is above the Host that the rule sets, and that above the destination's", () => {
    const headers = (host: string) => ({ headers: { request: { set: { Host: host } } } });
    const route = [{ destination: { host: "a.test" }, ...headers("inner.test") }];
    const rewritten = (rule: object) => (routeOf(rule).route as { hostRewriteLiteral?: string }).hostRewriteLiteral;
    expect(rewritten({ route })).toBe("inner.test");
    expect(rewritten({ route, ...headers("outer.test") })).toBe("outer.test");
    expect(rewritten({ route, ...headers("outer.test"), rewrite: { authority: "new.test" } })).toBe("new.test");
  });
});

describe("a mirror", () => {
  const mirrored = (rule: object) =>
    (routeOf({ route: to("a.test"), ...rule }).route as { requestMirrorPolicies?: object[] }).requestMirrorPolicies;
  const policy = (host: string, defaultValue: object) => ({
    cluster: `outbound|80||${host}`,
    runtimeFraction: { defaultValue },
    traceSampled: false,
    disableShadowHostSuffixAppend: true,
  });
  const mirror = { host: "m.test" };

  it.each([
    ["gets everything", { mirror }, [policy("m.test", { numerator: 100 })]],
    [
      "gets a share",
      { mirror, mirrorPercentage: { value: 0.5 } },
      [policy("m.test", { numerator: 5000, denominator: "MILLION" })],
    ],
    ["gets a share in the old form", { mirror, mirrorPercent: 20 }, [policy("m.test", { numerator: 20 })]],
    [
      "gets the share of the new form where both are given",
      { mirror, mirrorPercent: 20, mirrorPercentage: { value: 1 } },
      [policy("m.test", { numerator: 10_000, denominator: "MILLION" })],
    ],
    ["with a share of nothing is none", { mirror, mirrorPercentage: { value: 0 } }, undefined],
    ["with an old share of nothing is none", { mirror, mirrorPercent: 0 }, undefined],
    [
      "may be one of several",
      {
        mirrors: [
          { destination: { host: "m.test" } },
          { destination: { host: "n.test" }, percentage: { value: 10 } },
          { destination: { host: "o.test" }, percentage: { value: 0 } },
          {},
        ],
      },
      [policy("m.test", { numerator: 100 }), policy("n.test", { numerator: 100_000, denominator: "MILLION" })],
    ],
  ])("%s", (_, rule, expected) => expect(mirrored(rule)).toEqual(expected));
});

describe("consistent hashing", () => {
  it.each([
    [{ httpHeaderName: "x-user" }, [{ header: { headerName: "x-user" } }]],
    [{ httpCookie: { name: "c", ttl: "60s", path: "/p" } }, [{ cookie: { name: "c", ttl: "60s", path: "/p" } }]],
    [{ httpCookie: { name: "c" } }, [{ cookie: { name: "c" } }]],
    [
      { httpCookie: { name: "c", ttl: "0s", attributes: [{ name: "SameSite", value: "Lax" }] } },
      [{ cookie: { name: "c", ttl: "0s", attributes: [{ name: "SameSite", value: "Lax" }] } }],
    ],
    [{ useSourceIp: true }, [{ connectionProperties: { sourceIp: true } }]],
    [{ httpQueryParameterName: "q" }, [{ queryParameter: { name: "q" } }]],
    [{ httpHeaderName: "" }, undefined],
    [{ httpCookie: {} }, undefined],
    [{}, undefined],
  ])("by %j hashes %j, and a retry may go to the same endpoint", (consistentHash, hashPolicy) => {
    const destinations = destinationsOf({}, { "a.test/v1": policyOf({ loadBalancer: { consistentHash } }) });
    const { route } = routeOf({ route: to("a.test", { subset: "v1" }) }, { ...client, destinations });
    const { hashPolicy: found, retryPolicy } = route as { hashPolicy?: unknown; retryPolicy?: object };
    expect(found).toEqual(hashPolicy);
    expect(retryPolicy).toEqual({
      retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
      numRetries: 2,
      hostSelectionRetryMaxAttempts: "5",
    });
  });

  it("of several destinations hashes for all, and retries go elsewhere", () => {
    const loadBalancer = (httpHeaderName: string) => policyOf({ loadBalancer: { consistentHash: { httpHeaderName } } });
    const destinations = destinationsOf({}, { "a.test": loadBalancer("x-a"), "b.test": loadBalancer("x-b") });
    const route = ["a.test", "b.test", "c.test"].map((host) => ({ destination: { host }, weight: 1 }));
    const { route: action } = routeOf({ route }, { ...client, destinations });
    expect(action).toMatchObject({
      hashPolicy: [{ header: { headerName: "x-a" } }, { header: { headerName: "x-b" } }],
    });
    expect(action).not.toHaveProperty("retryPolicy");
  });
});

describe("retries of the mesh", () => {
  it("are those of every route whose rule says nothing", () => {
    const [route] = httpRoutes(routingOf({ http: [{ route: to("a.test") }] }), client);
    expect(route?.action?.case === "route" && route.action.value.retryPolicy).toMatchObject({ numRetries: 2 });
  });

  it("may be others, or off", () => {
    const mesh = { defaultHttpRetryPolicy: { attempts: 5, retryOn: "5xx,429", perTryTimeout: "2s" } };
    expect(routeOf({ route: to("a.test") }, { ...client, settings: meshSettings(mesh) }).route).toMatchObject({
      retryPolicy: {
        numRetries: 5,
        retryOn: "5xx,retriable-status-codes",
        retriableStatusCodes: [429],
        perTryTimeout: "2s",
      },
    });
    const off = { ...client, settings: meshSettings({ defaultHttpRetryPolicy: { attempts: 0 } }) };
    const [route] = httpRoutes(routingOf({ http: [{ route: to("a.test") }] }), off);
    expect(route?.action?.case === "route" && route.action.value.retryPolicy).toBeUndefined();
  });
});
