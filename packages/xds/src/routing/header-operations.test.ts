import { describe, expect, it } from "vitest";
import { httpRoutes } from "./http-routes.ts";
import { client, routingOf, shown } from "./testing/sketch.ts";

const routeOf = (headers: object, own: object = {}) =>
  shown(
    httpRoutes(routingOf({ http: [{ headers, route: [{ destination: { host: "a.test" }, headers: own }] }] }), client),
  )[0];
const set = (key: string, value: string) => ({ header: { key, value }, appendAction: "OVERWRITE_IF_EXISTS_OR_ADD" });
const add = (key: string, value: string) => ({ header: { key, value } });

describe("header operations", () => {
  it("set before they add, each by name, on requests and responses", () => {
    const operations = { set: { b: "1", a: "2" }, add: { d: "3", c: "4" }, remove: ["z", "y"] };
    const expected = [set("a", "2"), set("b", "1"), add("c", "4"), add("d", "3")];
    expect(routeOf({ request: operations, response: operations })).toMatchObject({
      requestHeadersToAdd: expected,
      requestHeadersToRemove: ["z", "y"],
      responseHeadersToAdd: expected,
      responseHeadersToRemove: ["z", "y"],
    });
  });

  it("of the only destination come after those of its rule", () => {
    expect(routeOf({ request: { set: { a: "1" } } }, { request: { set: { a: "2" }, remove: ["b"] } })).toMatchObject({
      requestHeadersToAdd: [set("a", "1"), set("a", "2")],
      requestHeadersToRemove: ["b"],
    });
  });

  it.each(["Host", "host", ":authority", ":Authority"])("set %s by rewriting the host", (name) => {
    const { route, ...rest } = routeOf({ request: { set: { [name]: "b.test" } } }) as { route: object };
    expect(route).toMatchObject({ hostRewriteLiteral: "b.test" });
    expect(rest).not.toHaveProperty("requestHeadersToAdd");
  });

  it("prefer the host that is set to the one that is added", () => {
    expect(routeOf({ request: { add: { host: "a.test" }, set: { host: "b.test" } } })).toMatchObject({
      route: { hostRewriteLiteral: "b.test" },
    });
  });

  it("leave headers alone that are Envoy's own", () => {
    const operations = { set: { ":path": "/" }, add: { ":method": "PUT" }, remove: ["host", ":scheme", "Host"] };
    expect(routeOf({ request: operations, response: { set: { host: "b.test" } } })).toEqual({
      match: { prefix: "/" },
      route: { cluster: "outbound|80||a.test" },
    });
  });

  it("keep names that are special in JavaScript", () => {
    const operations = JSON.parse('{"set":{"__proto__":"1","constructor":"2"}}') as object;
    expect(routeOf({ request: operations })).toMatchObject({
      requestHeadersToAdd: [set("__proto__", "1"), set("constructor", "2")],
    });
  });
});
