import { describe, expect, it } from "vitest";
import { httpRoutes } from "./http-routes.ts";
import { client, routingOf, shown } from "./testing/sketch.ts";

const filtersOf = (rule: object) => {
  const routed = { route: [{ destination: { host: "a.test" } }], ...rule };
  const [route] = shown(httpRoutes(routingOf({ http: [routed] }), client));
  return (route as { typedPerFilterConfig?: object }).typedPerFilterConfig;
};
const faultType = { "@type": "type.googleapis.com/envoy.extensions.filters.http.fault.v3.HTTPFault" };
const corsType = { "@type": "type.googleapis.com/envoy.extensions.filters.http.cors.v3.CorsPolicy" };

describe("a fault", () => {
  it.each([
    [
      "delays a share",
      { delay: { fixedDelay: "5s", percentage: { value: 0.1 } } },
      { delay: { fixedDelay: "5s", percentage: { numerator: 1000, denominator: "MILLION" } } },
    ],
    [
      "delays a share in the old form",
      { delay: { fixedDelay: "5s", percent: 50 } },
      { delay: { fixedDelay: "5s", percentage: { numerator: 50 } } },
    ],
    [
      "delays nothing without a share",
      { delay: { fixedDelay: "5s" } },
      { delay: { fixedDelay: "5s", percentage: {} } },
    ],
    [
      "aborts with a status",
      { abort: { httpStatus: 503, percentage: { value: 100 } } },
      { abort: { httpStatus: 503, percentage: { numerator: 1_000_000, denominator: "MILLION" } } },
    ],
    [
      "aborts with a gRPC status",
      { abort: { grpcStatus: "UNAVAILABLE", percentage: { value: 1 } } },
      { abort: { grpcStatus: 14, percentage: { numerator: 10_000, denominator: "MILLION" } } },
    ],
    [
      "aborts nothing without a share",
      { abort: { httpStatus: 503 } },
      { abort: { httpStatus: 503, percentage: { denominator: "MILLION" } } },
    ],
    [
      "aborts with the next status that Envoy takes",
      { abort: { httpStatus: 600, percentage: { value: 1 } } },
      { abort: { httpStatus: 599, percentage: { numerator: 10_000, denominator: "MILLION" } } },
    ],
    [
      "does both",
      { delay: { fixedDelay: "1s", percentage: { value: 1 } }, abort: { grpcStatus: "OK", percentage: { value: 1 } } },
      {
        delay: { fixedDelay: "1s", percentage: { numerator: 10_000, denominator: "MILLION" } },
        abort: { grpcStatus: 0, percentage: { numerator: 10_000, denominator: "MILLION" } },
      },
    ],
  ])("%s", (_, fault, expected) => {
    expect(filtersOf({ fault })).toEqual({ "envoy.filters.http.fault": { ...faultType, ...expected } });
  });

  it.each([
    ["an exponential delay", { delay: { exponentialDelay: "1s", percentage: { value: 1 } } }],
    ["a delay of nothing", { delay: { fixedDelay: "0s", percentage: { value: 1 } } }],
    ["an HTTP/2 error", { abort: { http2Error: "CANCEL", percentage: { value: 1 } } }],
    ["an unknown gRPC status", { abort: { grpcStatus: "FINE", percentage: { value: 1 } } }],
    ["nothing", {}],
  ])("of %s cannot be made", (_, fault) => expect(filtersOf({ fault })).toBeUndefined());
});

describe("a CORS policy", () => {
  const common = { forwardNotMatchingPreflights: true, filterEnabled: { defaultValue: { numerator: 100 } } };

  it.each([
    [
      "compares origins",
      { allowOrigins: [{ exact: "https://a.test" }, { prefix: "https://b" }, { regex: "https://.*" }, {}] },
      {
        allowOriginStringMatch: [
          { exact: "https://a.test" },
          { prefix: "https://b" },
          { safeRegex: { regex: "https://.*" } },
        ],
      },
    ],
    ["takes origins in the old form", { allowOrigin: ["*"] }, { allowOriginStringMatch: [{ exact: "*" }] }],
    [
      "prefers the new form",
      { allowOrigin: ["*"], allowOrigins: [{ exact: "https://a.test" }] },
      { allowOriginStringMatch: [{ exact: "https://a.test" }] },
    ],
    [
      "says what is allowed, and for how many whole seconds",
      {
        allowMethods: ["GET", "PUT"],
        allowHeaders: ["x-a", "x-b"],
        exposeHeaders: ["x-c"],
        maxAge: "1m1.5s",
        allowCredentials: true,
      },
      { allowMethods: "GET,PUT", allowHeaders: "x-a,x-b", exposeHeaders: "x-c", maxAge: "61", allowCredentials: true },
    ],
    ["may forbid credentials", { allowCredentials: false }, { allowCredentials: false }],
    ["may keep other origins' preflights", { unmatchedPreflights: "FORWARD" }, {}],
    [
      "may answer other origins' preflights",
      { unmatchedPreflights: "IGNORE" },
      { forwardNotMatchingPreflights: false },
    ],
  ])("%s", (_, corsPolicy, expected) => {
    expect(filtersOf({ corsPolicy })).toEqual({ "envoy.filters.http.cors": { ...corsType, ...common, ...expected } });
  });
});
