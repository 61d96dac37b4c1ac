import { describe, expect, it } from "vitest";
import { httpRoutes } from "./http-routes.ts";
import { client, routingOf, shown } from "./testing/sketch.ts";

const routeOf = (rule: object, tls?: boolean, port = 80) => {
  const gateway = tls === undefined ? undefined : { names: new Set(["shop/front"]), tls };
  return shown(httpRoutes(routingOf({ http: [rule] }), { ...client, port, gateway }))[0];
};

describe("a redirect", () => {
  it.each([
    ["replaces the path", { uri: "/new" }, { pathRedirect: "/new" }],
    ["replaces the prefix", { prefixRewrite: "/new" }, { prefixRewrite: "/new" }],
    ["replaces the host", { authority: "b.test" }, { hostRedirect: "b.test" }],
    ["replaces the scheme", { scheme: "https" }, { schemeRedirect: "https" }],
    ["replaces the port", { port: 8080 }, { portRedirect: 8080 }],
    ["has a status", { uri: "/new", redirectCode: 302 }, { pathRedirect: "/new", responseCode: "FOUND" }],
    ["has another status", { uri: "/new", redirectCode: 303 }, { pathRedirect: "/new", responseCode: "SEE_OTHER" }],
    [
      "may keep the method for now",
      { uri: "/new", redirectCode: 307 },
      { pathRedirect: "/new", responseCode: "TEMPORARY_REDIRECT" },
    ],
    [
      "may keep the method for good",
      { uri: "/new", redirectCode: 308 },
      { pathRedirect: "/new", responseCode: "PERMANENT_REDIRECT" },
    ],
    ["is for good by default", { uri: "/new", redirectCode: 301 }, { pathRedirect: "/new" }],
  ])("%s", (_, redirect, expected) => {
    expect(routeOf({ redirect })).toEqual({ match: { prefix: "/" }, redirect: expected });
  });

  it.each([
    ["the scheme's own port", { port: 443, scheme: "https" }, undefined, undefined],
    ["port 80 of a listener without TLS", { port: 80 }, false, undefined],
    ["port 443 of a listener with TLS", { port: 443 }, true, undefined],
    ["port 80 of a listener with TLS", { port: 80 }, true, 80],
    ["port 443 for HTTP", { port: 443, scheme: "http" }, true, 443],
    ["the request's port", { derivePort: "FROM_REQUEST_PORT", authority: "b.test" }, undefined, 8080],
    ["the protocol's port", { derivePort: "FROM_PROTOCOL_DEFAULT", authority: "b.test" }, undefined, undefined],
  ])("writes %s or leaves it out", (_, redirect, tls, portRedirect) => {
    const { redirect: found } = routeOf({ redirect }, tls, 8080) as { redirect: { portRedirect?: number } };
    expect(found.portRedirect).toBe(portRedirect);
  });

  it("with a status that cannot redirect answers 500", () => {
    expect(routeOf({ redirect: { uri: "/new", redirectCode: 304 } })).toMatchObject({
      directResponse: { status: 500 },
    });
  });

  it("comes before a direct response, and that before destinations", () => {
    const all = {
      redirect: { uri: "/new" },
      directResponse: { status: 200 },
      route: [{ destination: { host: "a.test" } }],
    };
    expect(routeOf(all)).toHaveProperty("redirect");
    expect(routeOf({ ...all, redirect: undefined })).toHaveProperty("directResponse");
  });
});

describe("a direct response", () => {
  it.each([
    [{ status: 204 }, { status: 204 }],
    [
      { status: 200, body: { string: "hello" } },
      { status: 200, body: { inlineString: "hello" } },
    ],
    [
      { status: 200, body: { bytes: "aGVsbG8=" } },
      { status: 200, body: { inlineBytes: "aGVsbG8=" } },
    ],
    [{ status: 200, body: {} }, { status: 200 }],
    [{ status: 600 }, { status: 599 }],
  ])("%j answers %j", (directResponse, expected) => {
    expect(routeOf({ directResponse })).toEqual({ match: { prefix: "/" }, directResponse: expected });
  });

  it("carries the header operations of its rule", () => {
    const headers = { response: { set: { "x-a": "1" } } };
    expect(routeOf({ directResponse: { status: 200 }, headers })).toMatchObject({
      responseHeadersToAdd: [{ header: { key: "x-a", value: "1" } }],
    });
  });
});
