import fc from "fast-check";

type Json = Readonly<Record<string, unknown>>;

const host = fc.constantFrom("a.test", "b.test", "web.shop.svc.cluster.local", "");
const headerName = fc.constantFrom("x-a", "x-b", "Host", ":authority", ":path", "server", "@request.auth.claims.sub");
const text = fc.constantFrom("", "/", "/a", "/a/", "a b", "é");
const expression = fc.constantFrom("*", ".*", "", "/a/[0-9]+", "a|b");
const wait = fc.constantFrom("0s", "1ms", "1.5s", "1h");
const percent = fc.oneof(fc.constantFrom(0, 0.0001, 100, 250), fc.double({ min: 0, max: 100, noNaN: true }));
const weight = fc.oneof(fc.nat(100), fc.constant(0x7fff_ffff), fc.constant(-1));

/** Objects with some of the members, also none. */
function some(model: Readonly<Record<string, fc.Arbitrary<unknown>>>): fc.Arbitrary<Json> {
  return fc.record(model, { requiredKeys: [] });
}

const stringMatch = fc.oneof(
  fc.constant({}),
  fc.record({ exact: text }),
  fc.record({ prefix: text }),
  fc.record({ regex: expression }),
);
const matches = fc.dictionary(headerName, stringMatch, { maxKeys: 3 });
const gateways = fc.subarray(["mesh", "shop/front"]);
const port = fc.constantFrom(0, 80, 443);

const httpMatch = some({
  name: fc.constantFrom("m", "n"),
  uri: stringMatch,
  scheme: stringMatch,
  method: stringMatch,
  authority: stringMatch,
  headers: matches,
  withoutHeaders: matches,
  queryParams: fc.dictionary(fc.constantFrom("q", "r"), stringMatch, { maxKeys: 2 }),
  port,
  gateways,
  ignoreUriCase: fc.boolean(),
  statPrefix: fc.constantFrom("", "stat"),
});

const destination = some({
  host,
  subset: fc.constantFrom("", "v1"),
  port: fc.record({ number: fc.constantFrom(80, 9080) }),
});
const operations = some({
  set: fc.dictionary(headerName, fc.constantFrom("1", "two"), { maxKeys: 3 }),
  add: fc.dictionary(headerName, fc.constantFrom("1", "two"), { maxKeys: 3 }),
  remove: fc.subarray(["x-a", "host", ":path", "server"]),
});
const headers = some({ request: operations, response: operations });
const redirect = fc.tuple(
  some({
    uri: fc.constantFrom("", "/new"),
    authority: host,
    scheme: fc.constantFrom("", "http", "https"),
    redirectCode: fc.constantFrom(0, 300, 301, 302, 303, 304, 307, 308),
    prefixRewrite: fc.constantFrom("", "/new"),
  }),
  fc.constantFrom({}, { port: 80 }, { port: 8443 }, { derivePort: "FROM_REQUEST_PORT" }),
);

/** A rule for HTTP requests as JSON: every member is there or not, and Envoy takes every value in it or must be spared it. */
export const httpRule: fc.Arbitrary<Json> = some({
  name: fc.constantFrom("", "rule"),
  match: fc.array(httpMatch, { maxLength: 3 }),
  route: fc.array(some({ destination, weight, headers }), { maxLength: 3 }),
  redirect: fc.option(
    redirect.map(([rest, target]) => ({ ...rest, ...target })),
    { nil: undefined, freq: 1 },
  ),
  directResponse: fc.option(
    some({
      status: fc.constantFrom(0, 200, 418, 599, 600),
      body: fc.constantFrom({}, { string: "hello" }, { bytes: "aGVsbG8=" }),
    }),
    { nil: undefined, freq: 1 },
  ),
  rewrite: some({
    uri: fc.constantFrom("", "/", "/new"),
    authority: host,
    uriRegexRewrite: some({ match: fc.constantFrom("", "/a/(.*)"), rewrite: fc.constant("/b/\\1") }),
  }),
  timeout: wait,
  retries: some({
    attempts: fc.integer({ min: -1, max: 5 }),
    perTryTimeout: wait,
    retryOn: fc.constantFrom("", "5xx", "503", "5xx,429,reset", ",,"),
    retryRemoteLocalities: fc.boolean(),
    retryIgnorePreviousHosts: fc.boolean(),
    backoff: wait,
  }),
  fault: some({
    delay: fc.tuple(fc.constantFrom("fixedDelay", "exponentialDelay"), wait, percent).map(([kind, value, share]) => ({
      [kind]: value,
      percentage: { value: share },
    })),
    abort: fc
      .tuple(
        fc.constantFrom(
          {},
          { httpStatus: 200 },
          { httpStatus: 600 },
          { grpcStatus: "UNAVAILABLE" },
          { grpcStatus: "X" },
        ),
        percent,
      )
      .map(([error, value]) => ({ ...error, percentage: { value } })),
  }),
  mirror: destination,
  mirrorPercent: fc.nat(100),
  mirrorPercentage: fc.record({ value: percent }),
  mirrors: fc.array(some({ destination, percentage: fc.record({ value: percent }) }), { maxLength: 2 }),
  corsPolicy: some({
    allowOrigin: fc.subarray(["*", "https://a.test"]),
    allowOrigins: fc.array(stringMatch, { maxLength: 2 }),
    allowMethods: fc.subarray(["GET", "PUT"]),
    allowHeaders: fc.subarray(["x-a"]),
    maxAge: wait,
    allowCredentials: fc.boolean(),
    unmatchedPreflights: fc.constantFrom("UNSPECIFIED", "FORWARD", "IGNORE"),
  }),
  headers,
});

const subnets = fc.array(
  fc.constantFrom("10.0.0.0/8", "10.9.0.0/8", "10.1.0.0/16", "192.0.2.1", "0.0.0.0/0", "fd00::/8", "x"),
  {
    maxLength: 3,
  },
);
const route = fc.array(some({ destination, weight }), { maxLength: 3 });

/** A rule for TLS connections as JSON. */
export const tlsRule: fc.Arbitrary<Json> = some({
  match: fc.array(
    some({
      sniHosts: fc.array(fc.constantFrom("a.test", "A.test", "*.a.test", "b.test", "*", "a.*"), { maxLength: 3 }),
      destinationSubnets: subnets,
      port,
      gateways,
    }),
    { maxLength: 3 },
  ),
  route,
});

/** A rule for other connections as JSON. */
export const tcpRule: fc.Arbitrary<Json> = some({
  match: fc.array(some({ destinationSubnets: subnets, port, gateways }), { maxLength: 3 }),
  route,
});

/** The load balancer of a destination as JSON. */
export const loadBalancer: fc.Arbitrary<Json> = fc.constantFrom(
  {},
  { simple: "RANDOM" },
  { consistentHash: {} },
  { consistentHash: { httpHeaderName: "x-a" } },
  { consistentHash: { httpHeaderName: "" } },
  { consistentHash: { httpCookie: { name: "c", ttl: "1m", attributes: [{ name: "Secure", value: "" }] } } },
  { consistentHash: { httpCookie: { name: "" } } },
  { consistentHash: { useSourceIp: true } },
  { consistentHash: { httpQueryParameterName: "q" } },
);
