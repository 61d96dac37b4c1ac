import { describe, expect, it } from "vitest";
import { httpRoutes } from "./http-routes.ts";
import { catchAllLast, isCatchAll, routeMatch } from "./route-match.ts";
import { client, routingOf, shown } from "./testing/sketch.ts";

const web = [{ destination: { host: "web.test" } }];

function matchOf(match: Readonly<Record<string, unknown>>): unknown {
  const [route] = shown(httpRoutes(routingOf({ http: [{ match: [match], route: web }] }), client));
  return (route as { match: unknown }).match;
}

describe("a match", () => {
  it.each([
    ["nothing takes every path", {}, { prefix: "/", caseSensitive: true }],
    ["an exact path takes that path", { uri: { exact: "/a" } }, { path: "/a", caseSensitive: true }],
    ["a prefix takes every path that begins so", { uri: { prefix: "/a" } }, { prefix: "/a", caseSensitive: true }],
    ["a prefix keeps its slash", { uri: { prefix: "/a/" } }, { prefix: "/a/", caseSensitive: true }],
    [
      "an expression must match the whole path",
      { uri: { regex: "/a/[0-9]+" } },
      { safeRegex: { regex: "/a/[0-9]+" }, caseSensitive: true },
    ],
    ["a path that says nothing takes every path", { uri: {} }, { prefix: "/", caseSensitive: true }],
    ["a star for a path takes every path", { uri: { regex: "*" } }, { prefix: "/", caseSensitive: true }],
    [
      "paths may be compared without regard to case",
      { uri: { exact: "/a" }, ignoreUriCase: true },
      { path: "/a", caseSensitive: false },
    ],
    [
      "an empty expression takes no path, as there is no empty one",
      { uri: { regex: "" } },
      { path: "", caseSensitive: true },
    ],
  ])("of %s", (_, match, expected) => expect(matchOf(match)).toEqual(expected));

  it.each([
    ["exact", { exact: "a" }, { stringMatch: { exact: "a" } }],
    ["by prefix", { prefix: "a" }, { stringMatch: { prefix: "a" } }],
    ["by expression", { regex: "a.*" }, { stringMatch: { safeRegex: { regex: "a.*" } } }],
    ["for the empty text", { exact: "" }, { stringMatch: { exact: "" } }],
    ["for the empty text by an empty expression", { regex: "" }, { stringMatch: { exact: "" } }],
    ["for presence, saying nothing", {}, { presentMatch: true }],
    ["for presence, by a star", { regex: "*" }, { presentMatch: true }],
    ["for presence, by an empty prefix", { prefix: "" }, { presentMatch: true }],
  ])("compares a header, a query parameter and the method %s", (_, text, expected) => {
    expect(matchOf({ headers: { "x-a": text }, queryParams: { q: text }, method: text })).toEqual({
      prefix: "/",
      caseSensitive: true,
      headers: [
        { name: "x-a", ...expected },
        { name: ":method", ...expected },
      ],
      queryParameters: [{ name: "q", ...expected }],
    });
  });

  it("wants a header to be absent or another: a missing one counts as empty unless presence is meant", () => {
    const withoutHeaders = { "x-value": { exact: "a" }, "x-any": {}, "x-star": { regex: "*" } };
    expect(matchOf({ withoutHeaders })).toEqual({
      prefix: "/",
      caseSensitive: true,
      headers: [
        { name: "x-any", presentMatch: true, invertMatch: true },
        { name: "x-star", presentMatch: true, invertMatch: true },
        { name: "x-value", stringMatch: { exact: "a" }, invertMatch: true, treatMissingHeaderAsEmpty: true },
      ],
    });
  });

  it("lists headers by name, then method, authority and scheme, and query parameters by name", () => {
    const match = matchOf({
      scheme: { exact: "http" },
      authority: { prefix: "web" },
      method: { exact: "GET" },
      headers: { b: { exact: "1" }, a: { exact: "1" } },
      withoutHeaders: { ab: { exact: "1" } },
      queryParams: { z: { exact: "1" }, y: { exact: "1" } },
    }) as { headers: { name: string }[]; queryParameters: { name: string }[] };
    expect(match.headers.map(({ name }) => name)).toEqual(["a", "ab", "b", ":method", ":authority", ":scheme"]);
    expect(match.queryParameters.map(({ name }) => name)).toEqual(["y", "z"]);
  });

  it.each([
    ["@request.auth.claims.group.id", ["group", "id"]],
    ["@request.auth.claims[group][a.b]", ["group", "a.b"]],
    ["@Request.Auth.Claims[group]", ["group"]],
  ])("reads %s as a claim of the token, one text or in a list", (name, claims) => {
    const path = ["payload", ...claims].map((key) => ({ key }));
    const value = { stringMatch: { exact: "a" } };
    const matcher = {
      filter: "envoy.filters.http.jwt_authn",
      path,
      value: { orMatch: { valueMatchers: [{ listMatch: { oneOf: value } }, value] } },
    };
    expect(matchOf({ headers: { [name]: { exact: "a" } } })).toEqual({
      prefix: "/",
      caseSensitive: true,
      dynamicMetadata: [matcher],
    });
    expect(matchOf({ withoutHeaders: { [name]: { exact: "a" } } })).toEqual({
      prefix: "/",
      caseSensitive: true,
      dynamicMetadata: [{ ...matcher, invert: true }],
    });
  });

  it("takes what only looks like a claim for a header", () => {
    expect(matchOf({ headers: { "@request.auth.claims": { exact: "a" } } })).toMatchObject({
      headers: [{ name: "@request.auth.claims" }],
    });
  });
});

describe("a route that takes every request", () => {
  const [first] = routingOf({ http: [{ match: [{ uri: { regex: ".*" } }] }] }).http;

  it.each([
    ["is one without a match", undefined, true],
    ["is one of every path by expression", first?.match[0], true],
  ])("%s", (_, match, expected) => expect(isCatchAll({ match: routeMatch(match) })).toBe(expected));

  it.each([
    [{ uri: { prefix: "/a" } }],
    [{ uri: { exact: "/" } }],
    [{ headers: { a: {} } }],
    [{ queryParams: { a: {} } }],
    [{ headers: { "@request.auth.claims.a": { exact: "b" } } }],
    [{ method: { exact: "GET" } }],
  ])("is not one with %j", (match) => {
    const [rule] = routingOf({ http: [{ match: [match] }] }).http;
    expect(isCatchAll({ match: routeMatch(rule?.match[0]) })).toBe(false);
  });

  it("goes to the end, where routes of several objects come together, and the others stay in order", () => {
    const some = ["/a", "/", "/b", "/"].map((value, index) => ({
      name: String(index),
      match: { pathSpecifier: { case: "prefix" as const, value } },
    }));
    expect(catchAllLast(some).map(({ name }) => name)).toEqual(["0", "2", "1", "3"]);
  });
});
