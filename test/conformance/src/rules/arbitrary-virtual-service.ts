import fc from "fast-check";
import {
  destination,
  exportTo,
  host,
  labels,
  namespace,
  oneOf,
  percent,
  portNumber,
  rarely,
  ruleName,
  some,
  wait,
} from "./arbitrary-parts.ts";

const headerName = fc.constantFrom(
  "x-a",
  "x-b",
  "host",
  ":authority",
  ":path",
  "user-agent",
  "@request.auth.claims.sub",
);
const text = fc.constantFrom("/", "/a", "/a/", "a b", "é", "GET", "https");
const expression = fc.constantFrom(".*", "/a/[0-9]+", "a|b");
const stringMatch = oneOf({ exact: text, prefix: text, regex: expression });
const matches = fc.dictionary(headerName, fc.oneof(fc.constant({}), stringMatch), { maxKeys: 3 });
const gateways = fc.constantFrom(["mesh"], ["shop/front"], ["mesh", "shop/front"], ["shop/front", "shop/x", "other/y"]);
const source = { sourceLabels: labels, sourceNamespace: namespace };

const httpMatch = some({
  name: fc.constantFrom("m", "n"),
  uri: stringMatch,
  scheme: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: matches,
  withoutHeaders: matches,
  queryParams: fc.dictionary(fc.constantFrom("q", "r"), stringMatch, { maxKeys: 2 }),
  port: portNumber,
  gateways,
  ignoreUriCase: fc.boolean(),
  statPrefix: fc.constantFrom("stat", "stat%DOWNSTREAM"),
  ...source,
});

const headerText = fc.constantFrom("1", "two", "%START_TIME%", "100%");
const operations = some({
  set: fc.dictionary(headerName, headerText, { maxKeys: 2 }),
  add: fc.dictionary(headerName, headerText, { maxKeys: 2 }),
  remove: fc.subarray(["x-a", "host", ":path", "server"]),
});
const headers = some({ request: operations, response: operations });
const retries = some({
  attempts: fc.nat(5),
  perTryTimeout: wait,
  retryOn: fc.constantFrom("5xx", "503", "5xx,429,reset", "gateway-error,connect-failure"),
  retryRemoteLocalities: fc.boolean(),
  retryIgnorePreviousHosts: fc.boolean(),
  backoff: wait,
});
const fault = some({
  delay: fc.record({ fixedDelay: wait, percentage: fc.record({ value: percent }) }),
  abort: fc
    .tuple(
      fc.constantFrom({ httpStatus: 200 }, { httpStatus: 599 }, { grpcStatus: "UNAVAILABLE" }, { grpcStatus: "OK" }),
      percent,
    )
    .map(([error, value]) => ({ ...error, percentage: { value } })),
});
const corsPolicy = some({
  allowOrigin: fc.subarray(["*", "https://a.test"]),
  allowOrigins: fc.array(stringMatch, { maxLength: 2 }),
  allowMethods: fc.subarray(["GET", "PUT", "*"]),
  allowHeaders: fc.subarray(["x-a"]),
  exposeHeaders: fc.subarray(["x-b"]),
  maxAge: fc.constantFrom("0s", "1s", "24h"),
  allowCredentials: fc.boolean(),
  unmatchedPreflights: fc.constantFrom("UNSPECIFIED", "FORWARD", "IGNORE"),
});
const rewrite = fc.oneof(
  some({ uri: fc.constantFrom("/", "/new"), authority: host }),
  fc.record({ uriRegexRewrite: fc.record({ match: fc.constant("/a/(.*)"), rewrite: fc.constant("/b/\\1") }) }),
);

/** Lists of weights that Istio takes: alone without one, together with some of each. */
function weighted<T extends object>(one: fc.Arbitrary<T>): fc.Arbitrary<readonly object[]> {
  return fc.oneof(
    one.map((only) => [only]),
    fc
      .array(fc.tuple(one, fc.integer({ min: 1, max: 100 })), { minLength: 2, maxLength: 3 })
      .map((all) => all.map(([each, weight]) => ({ ...each, weight }))),
  );
}

const common = {
  name: fc.constantFrom("one", "two"),
  match: fc.array(httpMatch, { maxLength: 3 }),
  headers,
  corsPolicy,
};
const delegation = fc.record(
  {
    name: common.name,
    match: fc.array(httpMatch, { maxLength: 2 }),
    headers,
    fault: rarely(fault),
    delegate: fc.record({ name: ruleName, namespace }, { requiredKeys: ["name"] }),
  },
  { requiredKeys: ["delegate"] },
);
const httpRoute = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record(
      {
        ...common,
        route: weighted(fc.record({ destination, headers }, { requiredKeys: ["destination"] })),
        rewrite: rarely(rewrite),
        timeout: fc.oneof(wait, fc.constant("0s")),
        retries,
        fault,
        mirror: rarely(destination),
        mirrorPercentage: rarely(fc.record({ value: percent })),
        mirrors: rarely(
          fc.array(fc.record({ destination, percentage: fc.record({ value: percent }) }), { maxLength: 2 }),
        ),
      },
      { requiredKeys: ["route"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        ...common,
        redirect: fc
          .tuple(
            some({
              uri: fc.constantFrom("/new", "%PREFIX()%/x"),
              authority: host,
              scheme: fc.constantFrom("http", "https"),
              redirectCode: fc.constantFrom(301, 302, 303, 307, 308),
            }),
            fc.constantFrom({}, { port: 8443 }, { derivePort: "FROM_REQUEST_PORT" }),
          )
          .map(([rest, port]) => ({ ...rest, ...port })),
      },
      { requiredKeys: ["redirect"] },
    ),
  },
  {
    weight: 1,
    arbitrary: fc.record(
      {
        ...common,
        directResponse: fc.record(
          {
            status: fc.constantFrom(200, 418, 599),
            body: fc.constantFrom({ string: "100% hello" }, { bytes: "aGVsbG8=" }, { string: "" }),
          },
          { requiredKeys: ["status"] },
        ),
      },
      { requiredKeys: ["directResponse"] },
    ),
  },
);

const subnets = fc.uniqueArray(
  fc.constantFrom("10.0.0.0/8", "10.9.0.0/8", "10.1.0.0/16", "192.0.2.1", "0.0.0.0/0", "fd00::/8"),
  { maxLength: 3 },
);
const l4Route = weighted(fc.record({ destination }));
const tlsRoute = fc.record({
  match: fc.array(
    fc.record(
      {
        sniHosts: fc.uniqueArray(fc.constantFrom("dns.example.com", "*.example.com", "static.example.com"), {
          minLength: 1,
          maxLength: 2,
        }),
        destinationSubnets: subnets,
        port: portNumber,
        gateways,
        ...source,
      },
      { requiredKeys: ["sniHosts"] },
    ),
    { minLength: 1, maxLength: 2 },
  ),
  route: l4Route,
});
const tcpRoute = fc.record(
  {
    match: fc.array(some({ destinationSubnets: subnets, port: portNumber, gateways, ...source }), { maxLength: 2 }),
    route: l4Route,
  },
  { requiredKeys: ["route"] },
);

/** VirtualServices whose routes others take. */
export const delegate = fc
  .record({ http: fc.array(httpRoute, { minLength: 1, maxLength: 3 }), exportTo }, { requiredKeys: ["http"] })
  .map((spec) => ({ kind: "VirtualService", spec }));

/** VirtualServices with every field. */
export const virtualService = fc
  .record(
    {
      hosts: fc.oneof(
        fc.uniqueArray(host, { minLength: 1, maxLength: 3 }),
        fc.constantFrom(["*.example.com"], ["*.example.com", "web.shop.svc.cluster.local"]),
      ),
      gateways,
      http: fc.array(fc.oneof({ weight: 4, arbitrary: httpRoute }, delegation), { maxLength: 4 }),
      tls: rarely(fc.array(tlsRoute, { maxLength: 3 })),
      tcp: rarely(fc.array(tcpRoute, { maxLength: 3 })),
      exportTo,
    },
    { requiredKeys: ["hosts", "http"] },
  )
  .map((spec) => ({ kind: "VirtualService", spec }));
