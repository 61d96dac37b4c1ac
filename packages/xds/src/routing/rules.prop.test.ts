import { create, equals, fromBinary, toBinary, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { RouteSchema, type Route } from "@signalbox/envoy-api/envoy/config/route/v3/route_components";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { rangeKey } from "../addresses.ts";
import { distinctRules, isForAll } from "./connection-chains.ts";
import { httpRoutes } from "./http-routes.ts";
import { tcpRules, tlsRules, type L4Rule } from "./l4-rules.ts";
import { isCatchAll } from "./route-match.ts";
import { httpRule, loadBalancer, tcpRule, tlsRule } from "./testing/arbitrary-rules.ts";
import { client, destinationsOf, policyOf, routingOf } from "./testing/sketch.ts";

const specs = fc.array(httpRule, { maxLength: 4 });
const contexts = fc
  .tuple(fc.constantFrom(0, 80, 443), fc.option(fc.boolean(), { nil: undefined }), loadBalancer)
  .map(([port, tls, balancer]) => ({
    ...client,
    port,
    destinations: destinationsOf(
      { "a.test": [9080], "b.test": [80, 9080] },
      { "a.test": policyOf({ loadBalancer: balancer }) },
    ),
    gateway: tls === undefined ? undefined : { names: new Set(["shop/front"]), tls },
  }));

/** The same JSON with the members of every object in the opposite order. */
function reversed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(reversed);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([key, member]) => [key, reversed(member)]),
  );
}

describe("routes of any rules", () => {
  it("can be encoded, and are read back as they were", () => {
    fc.assert(
      fc.property(specs, contexts, (http, context) => {
        for (const init of httpRoutes(routingOf({ http }), context)) {
          const route = create(RouteSchema, init);
          expect(equals(RouteSchema, fromBinary(RouteSchema, toBinary(RouteSchema, route)), route)).toBe(true);
          expect(() => toJson(RouteSchema, route, { registry: anyRegistry })).not.toThrow();
        }
      }),
      { numRuns: 200 },
    );
  });

  it("do something, and only what Envoy takes", () => {
    fc.assert(
      fc.property(specs, contexts, (http, context) => {
        for (const init of httpRoutes(routingOf({ http }), context)) expectSound(create(RouteSchema, init));
      }),
      { numRuns: 300 },
    );
  });

  it("are at most one for each match, and none stands behind one that takes every request", () => {
    fc.assert(
      fc.property(specs, contexts, (http, context) => {
        const routing = routingOf({ http });
        const routes = httpRoutes(routing, context);
        const most = routing.http.reduce((count, { match }) => count + Math.max(1, match.length), 0);
        expect(routes.length).toBeLessThanOrEqual(most);
        expect(routes.slice(0, -1).filter(isCatchAll)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("do not depend on the order in which an object's members are written", () => {
    fc.assert(
      fc.property(specs, contexts, (http, context) => {
        const bytes = (rules: readonly unknown[]) =>
          httpRoutes(routingOf({ http: rules }), context).map((route) =>
            Buffer.from(toBinary(RouteSchema, create(RouteSchema, route))).toString("hex"),
          );
        expect(bytes(reversed(http) as readonly unknown[])).toEqual(bytes(http));
      }),
      { numRuns: 200 },
    );
  });
});

describe("connection rules of any object", () => {
  const rulesOf = (spec: { tls: readonly unknown[]; tcp: readonly unknown[] }, context: typeof client) => {
    const routing = routingOf(spec);
    return { tls: tlsRules(routing, context), tcp: tcpRules(routing, context) };
  };
  const arbitrary = fc.record({ tls: fc.array(tlsRule, { maxLength: 4 }), tcp: fc.array(tcpRule, { maxLength: 4 }) });

  it("lead somewhere, with weights that Envoy takes", () => {
    fc.assert(
      fc.property(arbitrary, contexts, (spec, context) => {
        const { tls, tcp } = rulesOf(spec, context);
        for (const { target } of [...tls, ...tcp]) expectWeights(target.clusters.map(({ weight }) => weight));
        expect(tcp.slice(0, -1).filter(isForAll)).toEqual([]);
      }),
      { numRuns: 200 },
    );
  });

  it("made distinct match each name of each range once, and lose nothing that any of them matched", () => {
    fc.assert(
      fc.property(arbitrary, contexts, (spec, context) => {
        const { tls, tcp } = rulesOf(spec, context);
        const all = [...tls, ...tcp];
        const distinct = distinctRules(all);
        const places = distinct.flatMap(placesOf);
        expect(new Set(places).size).toBe(places.length);
        expect(distinctRules(distinct)).toEqual(distinct);
        for (const place of places) expect(all.flatMap(placesOf)).toContain(place);
        const [first] = all;
        if (first !== undefined) for (const place of placesOf(first)) expect(places).toContain(place);
      }),
      { numRuns: 200 },
    );
  });
});

function placesOf({ serverNames, ranges }: L4Rule): readonly string[] {
  const names = serverNames.length > 0 ? serverNames : [""];
  const keys = ranges.length > 0 ? ranges.map(rangeKey) : [""];
  return keys.flatMap((key) => names.map((name) => `${key} ${name}`));
}

function expectWeights(weights: readonly number[]): void {
  expect(weights.length).toBeGreaterThan(0);
  expect(Math.min(...weights)).toBeGreaterThan(0);
  expect(weights.every(Number.isInteger)).toBe(true);
  expect(weights.reduce((sum, weight) => sum + weight, 0)).toBeLessThanOrEqual(0xffff_ffff);
}

function expectSound(route: Route): void {
  const { action, match } = route;
  expect(match?.pathSpecifier.case).toBeDefined();
  expect(action.case).toBeDefined();
  const touched = [
    ...[...route.requestHeadersToAdd, ...route.responseHeadersToAdd].map(({ header }) => header?.key ?? ""),
    ...route.requestHeadersToRemove,
    ...route.responseHeadersToRemove,
  ];
  expect(touched.filter((name) => name.startsWith(":") || name.toLowerCase() === "host")).toEqual([]);
  for (const { headerMatchSpecifier } of match?.headers ?? []) expect(headerMatchSpecifier.case).toBeDefined();
  if (action.case === "directResponse") {
    expect(action.value.status).toBeGreaterThanOrEqual(200);
    expect(action.value.status).toBeLessThan(600);
  }
  if (action.case !== "route") return;
  const { clusterSpecifier, retryPolicy, requestMirrorPolicies } = action.value;
  if (clusterSpecifier.case === "weightedClusters")
    expectWeights(clusterSpecifier.value.clusters.map(({ weight }) => weight ?? 0));
  else expect(clusterSpecifier.case === "cluster" && clusterSpecifier.value).toBeTruthy();
  for (const { cluster, runtimeFraction } of requestMirrorPolicies) {
    expect(cluster).not.toBe("");
    expect(runtimeFraction?.defaultValue?.numerator).toBeLessThanOrEqual(1_000_000);
  }
  if (retryPolicy !== undefined) expect(retryPolicy.numRetries).toBeGreaterThan(0);
}
