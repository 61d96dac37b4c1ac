import { describe, expect, it } from "vitest";
import { objectOf } from "./testing/valid-objects.ts";
import { checkVirtualService } from "./virtual-service.ts";

const route = [{ destination: { host: "web" } }];

function faultsOf(spec: unknown, annotations: Readonly<Record<string, string>> = {}): readonly string[] {
  return checkVirtualService(objectOf("VirtualService", spec, annotations)).faults.map(
    ({ message, path, severity }) => `${severity} ${path.slice(1).join(".")}: ${message}`,
  );
}

const withHosts = (hosts: readonly string[], more: object = {}) => faultsOf({ hosts, http: [{ route }], ...more });
const withHttp = (rule: object) => faultsOf({ hosts: ["web"], http: [{ route, ...rule }] });
const withMatch = (match: object, more: object = {}) =>
  faultsOf({ hosts: ["web"], http: [{ match: [match], route }], ...more });

describe("checkVirtualService: hosts and gateways", () => {
  it.each([
    [["web", "*.example.com", "10.0.0.1"], {}],
    [["*"], { gateways: ["edge/public"] }],
    [["fe80::1"], { gateways: ["mesh"] }],
  ])("takes the hosts %j", (hosts, more) => {
    expect(withHosts(hosts, more)).toEqual([]);
  });

  it.each([
    [["we_b"], {}, "error hosts.0: "],
    [["*"], {}, "error hosts.0: the host * is for gateways only"],
    [["*"], { gateways: ["mesh", "edge/public"] }, "error hosts.0: the host * is for gateways only"],
    [["web", "web"], {}, 'error hosts.1: "web" is named twice'],
    [["a.example.com", "*.example.com"], {}, 'error hosts.1: "a.example.com" is covered by "*.example.com"'],
    [["*.a.com", "*.com"], {}, 'error hosts.1: "*.a.com" is covered by "*.com"'],
    [["*", "web"], { gateways: ["edge/public"] }, 'error hosts.1: "web" is covered by "*"'],
    [["web"], { gateways: ["edge/pub_lic"] }, "error gateways.0: "],
    [["web"], { gateways: ["edge/"] }, 'error gateways.0: "edge/" must be namespace/name'],
    [["web"], { gateways: ["mesh", "a/b/c"] }, "warning gateways.1: "],
    [["web"], { gateways: ["public.edge.svc"] }, "warning gateways.0: names a gateway as a host"],
    [["web"], { exportTo: ["shop", "."] }, 'error exportTo.1: "." is named twice'],
    [["web"], { exportTo: ["*", "shop"] }, 'error exportTo: "*" must stand alone'],
    [["web"], { exportTo: ["~"] }, 'error exportTo.0: "~" (nobody) is for services only'],
  ])("of the hosts %j with %j it says: %3$s", (hosts, more, fault) => {
    expect(withHosts(hosts, more)).toEqual([expect.stringContaining(fault)]);
  });

  it("asks a VirtualService without hosts for HTTP rules only, and not to delegate again", () => {
    expect(faultsOf({ http: [{ route }] })).toEqual([]);
    const tcp = [{ route }];
    expect(faultsOf({ gateways: ["edge/public"], tcp, http: [{ delegate: { name: "b" }, route }] })).toEqual([
      "rejected gateways: cannot be in a VirtualService without hosts",
      "rejected tcp: cannot be in a VirtualService without hosts",
      "error http.0.delegate: a VirtualService without hosts cannot delegate again",
    ]);
  });

  it("does not look at destinations of an object that was made of Gateway API routes", () => {
    const spec = { hosts: ["web"], gateways: ["edge/a~b"], http: [{ route: [{ destination: { host: "a~b" } }] }] };
    expect(faultsOf(spec)).toHaveLength(2);
    expect(faultsOf(spec, { "internal.istio.io/route-semantics": "gateway" })).toEqual([]);
  });
});

describe("checkVirtualService: matches", () => {
  it.each([
    [{ uri: { prefix: "" }, headers: { "x-a": {} } }],
    [{ withoutHeaders: { "x-a": { regex: "*" } }, queryParams: { a: { regex: "^b$" } } }],
    [{ uri: { regex: "(?i)/a" }, port: 80, sourceNamespace: "clients" }],
  ])("takes %j", (match) => {
    expect(withMatch(match)).toEqual([]);
  });

  it.each([
    [{ headers: { "x-a": { prefix: "" } } }, "error http.0.match.0.headers.x-a.prefix: must not be empty"],
    [{ headers: { "x a": { exact: "b" } } }, 'error http.0.match.0.headers.x a: "x a" is not the name of a header'],
    [{ method: { regex: "" } }, "error http.0.match.0.method.regex: must not be empty"],
    [{ uri: { regex: "/a(?!b)" } }, "error http.0.match.0.uri.regex: is not a regular expression of RE2"],
    [{ uri: { regex: "é".repeat(513) } }, "error http.0.match.0.uri.regex: is longer than 1024 bytes"],
    [{ queryParams: { a: { regex: "*" } } }, "rejected http.0.match.0.queryParams.a.regex: "],
    [{ uri: { exact: "/a", prefix: "/b" } }, 'error http.0.match.0.uri.prefix: cannot stand beside "exact"'],
    [{ port: 70_000 }, "error http.0.match.0.port: "],
    [{ sourceLabels: { "a b": "c" } }, "error http.0.match.0.sourceLabels.a b: "],
    [{ sourceNamespace: "a.b" }, "error http.0.match.0.sourceNamespace: "],
    [{ gateways: ["a/b/c"] }, "error http.0.match.0.gateways.0: "],
    [{ uri: { regex: "/a" }, ignoreUriCase: true }, "warning http.0.match.0.ignoreUriCase: has no effect"],
    [
      { headers: { "@request.auth.claims.group": { exact: "a" } } },
      "error http.0.match.0.headers.@request.auth.claims.group: claims",
    ],
  ])("of %j it says: %s", (match, fault) => {
    expect(withMatch(match)).toEqual([expect.stringContaining(fault)]);
  });

  it("matches claims of tokens at gateways", () => {
    const claims = { headers: { "@request.auth.claims[group][name]": { exact: "a" } } };
    expect(withMatch(claims, { gateways: ["edge/public"] })).toEqual([]);
    expect(withMatch(claims, { gateways: ["edge/public", "mesh"] })).toHaveLength(1);
  });
});

describe("checkVirtualService: HTTP rules", () => {
  it.each([
    [{ route: [{ destination: { host: "web" }, weight: 0 }] }],
    [{ timeout: "1.001s", retries: { attempts: 0 } }],
    [{ retries: { attempts: 1, retryOn: "5xx,+503,unavailable" } }],
    [{ route: [], redirect: { derivePort: "FROM_REQUEST_PORT" } }],
    [{ route: [], directResponse: { status: 600 } }],
    [{ route: [], delegate: { name: "b" } }],
    [{ headers: { request: { set: { host: "a" } }, response: { add: { "x-a": '%A(["b", "c"])% %D(e)% 1%%' } } } }],
  ])("takes %j", (rule) => {
    expect(withHttp(rule)).toEqual([]);
  });

  const redirect = { uri: "/a" };
  it.each([
    [{ route: [] }, "error http.0: needs route, redirect, directResponse or delegate"],
    [{ redirect }, "error http.0.route: cannot stand beside redirect"],
    [{ route: [], redirect, rewrite: { uri: "/b" } }, "error http.0.rewrite: cannot stand beside redirect"],
    [
      { route: [], redirect, directResponse: { status: 200 } },
      "error http.0.directResponse: cannot stand beside redirect",
    ],
    [{ directResponse: { status: 200 } }, "error http.0.route: cannot stand beside directResponse"],
    [{ delegate: { name: "b" } }, "error http.0.route: cannot stand beside delegate"],
    [{ route: [], redirect: {} }, "error http.0.redirect: needs one of uri"],
    [{ route: [], redirect: { uri: "/a", prefixRewrite: "/b" } }, "error http.0.redirect.prefixRewrite: cannot stand"],
    [{ route: [], redirect: { uri: "/a", redirectCode: 200 } }, "error http.0.redirect.redirectCode: 200 is not"],
    [{ route: [], redirect: { scheme: "ftp" } }, "error http.0.redirect.scheme: must be http or https"],
    [{ route: [], redirect: { port: 70_000 } }, "error http.0.redirect.port: port 70000"],
    [
      { match: [{ uri: { exact: "/" } }], route: [], redirect: { prefixRewrite: "/b" } },
      "prefixRewrite: needs prefix matches",
    ],
    [{ route: [], directResponse: { status: 199 } }, "error http.0.directResponse.status: 199"],
    [
      { route: [], directResponse: { status: 200, body: { string: "é".repeat(52_000) } } },
      "warning http.0.directResponse.body",
    ],
    [
      { route: [], directResponse: { status: 200, body: { bytes: "YWJj".repeat(350_000) } } },
      "error http.0.directResponse.body",
    ],
    [{ rewrite: {} }, "error http.0.rewrite: needs one of"],
    [
      { rewrite: { uri: "/a", uriRegexRewrite: { match: "a", rewrite: "b" } } },
      "error http.0.rewrite.uriRegexRewrite: cannot",
    ],
    [{ rewrite: { uriRegexRewrite: { match: "a" } } }, "error http.0.rewrite.uriRegexRewrite: needs both"],
    [{ rewrite: { uriRegexRewrite: { match: "(", rewrite: "b" } } }, "error http.0.rewrite.uriRegexRewrite.match: "],
    [{ rewrite: { authority: "a" }, headers: { request: { set: { ":Authority": "b" } } } }, "sets the authority again"],
    [{ timeout: "0s" }, "error http.0.timeout: must be at least 1ms"],
    [{ timeout: "1.0001s" }, "error http.0.timeout: must be whole milliseconds"],
    [{ retries: { attempts: -1 } }, "error http.0.retries.attempts: must not be negative"],
    [{ retries: { retryRemoteLocalities: false } }, "error http.0.retries.attempts: is 0"],
    [{ retries: { attempts: 1, retryOn: "5xx, reset" } }, 'error http.0.retries.retryOn: " reset" is neither'],
    [{ retries: { attempts: 1, retryOn: "299" } }, 'error http.0.retries.retryOn: "299" is neither'],
    [{ retries: { attempts: 1, backoff: "1us" } }, "error http.0.retries.backoff: must be at least 1ms"],
    [{ fault: {} }, "error http.0.fault: needs abort or delay"],
    [{ fault: { abort: {} } }, "warning http.0.fault.abort: aborts nothing"],
    [{ fault: { abort: { httpStatus: 601 } } }, "error http.0.fault.abort.httpStatus: 601"],
    [{ fault: { abort: { grpcStatus: "BAD" } } }, 'error http.0.fault.abort.grpcStatus: "BAD"'],
    [{ fault: { abort: { http2Error: "X" } } }, "error http.0.fault.abort.http2Error: is not supported"],
    [
      { fault: { delay: { fixedDelay: "1s", percentage: { value: 0.00001 } } } },
      "error http.0.fault.delay.percentage.value",
    ],
    [{ fault: { delay: { exponentialDelay: "1s" } } }, "error http.0.fault.delay.exponentialDelay: is not supported"],
    [{ mirror: { host: "*" } }, "error http.0.mirror.host: must be one host"],
    [
      { mirror: { host: "a" }, mirrors: [{ destination: { host: "b" } }] },
      "error http.0.mirrors: cannot stand beside mirror",
    ],
    [{ mirrors: [{}] }, "error http.0.mirrors.0.destination: is required"],
    [
      { mirrors: [{ destination: { host: "b" }, percentage: { value: -1 } }] },
      "error http.0.mirrors.0.percentage.value",
    ],
    [{ mirrorPercent: 50 }, "warning http.0.mirrorPercent: is out of date"],
    [{ mirrorPercentage: { value: 101 } }, "error http.0.mirrorPercentage.value: must be from 0 to 100"],
    [{ corsPolicy: { allowOrigins: [{}] } }, "error http.0.corsPolicy.allowOrigins.0: needs exact"],
    [{ corsPolicy: { allowMethods: ["get"] } }, 'error http.0.corsPolicy.allowMethods.0: "get"'],
    [{ corsPolicy: { exposeHeaders: ["a b"] } }, "error http.0.corsPolicy.exposeHeaders.0: "],
    [{ corsPolicy: { maxAge: "1500ms" } }, "error http.0.corsPolicy.maxAge: must be whole seconds"],
    [{ headers: { request: { add: { "": "a" } } } }, "error http.0.headers.request.add.: the name of a header"],
    [{ headers: { request: { remove: ["Host"] } } }, "error http.0.headers.request.remove.0: "],
    [{ headers: { response: { set: { ":status": "1" } } } }, "error http.0.headers.response.set.:status: "],
    [{ headers: { response: { set: { a: "5%" } } } }, "error http.0.headers.response.set.a: ends with a single %"],
    [{ headers: { response: { set: { a: "%A([b])%" } } } }, 'has a variable that is not %NAME(…)%: expects " at 5'],
    [{ headers: { response: { set: { a: "a\u0001" } } } }, "must not have control characters"],
    [{ route: [{}] }, "error http.0.route.0.destination: is required"],
    [{ route: [{ destination: { host: "a", subset: "v.1" } }] }, "error http.0.route.0.destination.subset: "],
    [{ route: [{ destination: { host: "a", port: {} } }] }, "error http.0.route.0.destination.port.number: port 0"],
    [{ route: [{ destination: { host: "a" }, weight: -1 }] }, "error http.0.route.0.weight: must not be negative"],
    [{ route: [...route, ...route] }, "error http.0.route: the weights must not all be 0"],
  ])("of %j it says: %s", (rule, fault) => {
    expect(withHttp(rule)).toEqual([expect.stringContaining(fault)]);
  });
});

describe("checkVirtualService: TLS and TCP rules", () => {
  const withTls = (match: object, more: object = {}) =>
    faultsOf({ hosts: ["*.example.com"], tls: [{ match: [match], route }], ...more });

  it.each([
    [{ sniHosts: ["a.example.com", "*.b.example.com"] }, {}],
    [{ sniHosts: ["outbound_.80_._.web.example.com"] }, { gateways: ["edge/public"] }],
  ])("takes the server names of %j", (match, more) => {
    expect(withTls(match, more)).toEqual([]);
  });

  it.each([
    [{}, {}, "error tls.0.match.0.sniHosts: at least one host is required"],
    [{ sniHosts: ["*.com"] }, {}, "error tls.0.match.0.sniHosts.0: "],
    [{ sniHosts: ["example.com"] }, {}, 'sniHosts.0: "example.com" is not covered'],
    [{ sniHosts: ["10.0.0.1"] }, {}, "warning tls.0.match.0.sniHosts.0: "],
    [{ sniHosts: ["outbound_.80_._.web.example.com"] }, {}, "error tls.0.match.0.sniHosts.0: "],
    [{ sniHosts: ["outbound_80.example.com"] }, { gateways: ["edge/public"] }, "is not of the form outbound_"],
    [
      { sniHosts: ["a.example.com"], destinationSubnets: ["10.0.0.0/33"] },
      {},
      "error tls.0.match.0.destinationSubnets.0",
    ],
    [{ sniHosts: ["a.example.com"], port: 70_000 }, {}, "error tls.0.match.0.port: "],
  ])("of the TLS match %j with %j it says: %s", (match, more, fault) => {
    expect(withTls(match, more)).toEqual([expect.stringContaining(fault)]);
  });

  it("asks rules for matches and destinations", () => {
    expect(faultsOf({ hosts: ["web"] })).toEqual(["error : needs at least one rule in http, tls or tcp"]);
    expect(faultsOf({ hosts: ["web"], tls: [{}], tcp: [{ match: [{ gateways: ["a/b/c"] }] }] })).toEqual([
      "error tls.0.match: at least one match is required",
      "error tls.0.route: at least one destination is required",
      expect.stringContaining("error tcp.0.match.0.gateways.0: "),
      "error tcp.0.route: at least one destination is required",
    ]);
  });
});

describe("checkVirtualService: rules that are never used", () => {
  const rules = (...matches: readonly (readonly object[])[]) =>
    faultsOf({ hosts: ["web"], http: matches.map((match) => ({ match, route })) });
  const uri = (prefix: string) => ({ uri: { prefix } });

  it.each([
    [[[uri("/a")], []], []],
    [[[], [uri("/a")]], ["http.1: is never used: rule 0 has no match"]],
    [
      [[uri("/a")], [uri("/b"), { name: "again", ...uri("/a") }]],
      ["http.1.match.1: is never used: rule 0 has the same match"],
    ],
    [
      [[uri("/a")], [uri("/a")]],
      ["http.1.match.0: is never used: rule 0", "http.1: is never used: earlier rules have all its matches"],
    ],
    [[[uri("/a")], [uri("/ab")]], ['http.1.match.0: is never used: the prefix "/a"']],
    [[[{ ...uri("/a"), method: { exact: "POST" } }], [uri("/ab")]], []],
    [[[uri("/a")], [{ ...uri("/ab"), headers: { a: { exact: "b" } } }]], []],
    [
      [[{ ...uri("/a"), headers: { a: { exact: "b" } } }], [{ ...uri("/ab"), headers: { a: { exact: "b" } } }]],
      ["http.1.match.0"],
    ],
    [[[{ ...uri("/a"), port: 80 }], [uri("/ab")]], []],
  ])("of rules with the matches %j it warns: %j", (matches, warnings) => {
    expect(rules(...matches)).toEqual(
      warnings.map((warning) => expect.stringContaining(`warning ${warning}`) as string),
    );
  });
});
