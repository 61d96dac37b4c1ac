import { describe, expect, it } from "vitest";
import { checkAuthorizationPolicy } from "./authorization-policy.ts";
import { checkPeerAuthentication } from "./peer-authentication.ts";
import { checkRequestAuthentication } from "./request-authentication.ts";
import { faultLines } from "./testing/faults.ts";

describe("checkAuthorizationPolicy", () => {
  const faultsOf = (spec: object) => faultLines(checkAuthorizationPolicy({ spec }).faults);
  const from = (source: object) => ({ rules: [{ from: [{ source }] }] });
  const to = (operation: object) => ({ rules: [{ to: [{ operation }] }] });
  const when = (key: string, ...values: string[]) => ({ rules: [{ when: [{ key, values }] }] });

  it.each([
    {},
    { action: "DENY", rules: [{}] },
    { action: "CUSTOM", provider: { name: "authz" }, rules: [{}] },
    { selector: { matchLabels: { app: "a" } } },
    { targetRefs: [{ kind: "Service", name: "a" }] },
    { targetRefs: [{ group: "gateway.networking.k8s.io", kind: "Gateway", name: "a" }] },
    from({ ipBlocks: ["10.0.0.0/8", "::1"], principals: ["*"] }),
    from({ serviceAccounts: ["a", "shop/b"], trustDomains: ["*.test"] }),
    to({ ports: ["0", "8080"], paths: ["/a/{*}/b/{**}", "*"], methods: ["GET"] }),
    when("request.headers[x-user]", "a"),
    when("source.trustDomain", "*.test"),
    when("destination.port", "80"),
  ])("accepts %j", (spec) => {
    expect(faultsOf(spec)).toEqual([]);
  });

  it.each([
    [{ action: "DENY" }, "error spec.rules: action DENY without rules"],
    [{ action: "CUSTOM" }, "error spec.rules: action CUSTOM without rules"],
    [{ action: "CUSTOM", rules: [{}] }, "error spec.provider.name: action CUSTOM needs it"],
    [{ provider: { name: "a" } }, "error spec.provider: action ALLOW does not take it"],
    [
      { action: "CUSTOM", provider: { name: "a" }, ...from({ principals: ["a"] }) },
      "error spec.rules.0.from.0.source.principals: does not work with action CUSTOM",
    ],
    [
      { action: "CUSTOM", provider: { name: "a" }, ...when("request.auth.claims[a]", "b") },
      "error spec.rules.0.when.0.key: does not work with action CUSTOM",
    ],
    [{ selector: {}, targetRef: { kind: "Service", name: "a" } }, 'cannot stand beside "selector"'],
    [{ targetRefs: [{ kind: "Service", name: "" }] }, "error spec.targetRefs.0.name: is required"],
    [{ targetRef: { kind: "Service", name: "a", namespace: "b" } }, "error spec.targetRef.namespace"],
    [{ targetRef: { kind: "Pod", name: "a" } }, "error spec.targetRef.kind"],
    [{ rules: [{ from: [{}] }] }, "error spec.rules.0.from.0.source: is required"],
    [from({}), "error spec.rules.0.from.0.source: must not be empty"],
    [from({ serviceAccounts: ["a"], namespaces: ["b"] }), "cannot stand beside principals or namespaces"],
    [from({ serviceAccounts: ["a/b/c"] }), "is neither an account nor namespace/account"],
    [from({ serviceAccounts: Array.from({ length: 17 }, () => "a") }), "takes 16 values at most"],
    [from({ trustDomains: ["a*b"] }), "may have one wildcard"],
    [from({ trustDomains: ["a/b"] }), "it has a slash"],
    [from({ ipBlocks: ["10.0.0.0/33"] }), "error spec.rules.0.from.0.source.ipBlocks.0"],
    [from({ notRemoteIpBlocks: ["ten"] }), "error spec.rules.0.from.0.source.notRemoteIpBlocks.0"],
    [from({ notNamespaces: [""] }), "error spec.rules.0.from.0.source.notNamespaces.0: must not be empty"],
    [{ rules: [{ to: [{}] }] }, "error spec.rules.0.to.0.operation: is required"],
    [to({}), "error spec.rules.0.to.0.operation: must not be empty"],
    [to({ ports: ["65536"] }), "is not a port in 0..65535"],
    [to({ paths: ["/{**}/a/{*}"] }), "which takes the rest"],
    [to({ notPaths: ["/{id}"] }), "neither {*} nor {**}"],
    [to({ paths: ['/{*}/a"b'] }), "which a template cannot have"],
    [when("", "a"), "error spec.rules.0.when.0.key: is required"],
    [when("source.ip"), "error spec.rules.0.when.0.values: needs values or notValues"],
    [when("source.ip", "x"), "error spec.rules.0.when.0.values.0"],
    [when("request.headers", "x"), "is not of the form a[b]"],
    [when("request.headers[]", "x"), "is not of the form a[b]"],
    [when("destination.namespace", "x"), "a policy is for its own namespace"],
    [when("destination.labels[a]", "x"), "a policy has a selector"],
    [when("source.colour", "x"), "is not an attribute"],
    [{ action: "DENY", ...to({ paths: ["/a"] }) }, "warning spec.rules.0: denies all traffic of TCP ports"],
    [{ action: "DENY", ...from({ requestPrincipals: ["a"] }) }, "warning spec.rules.0: denies all traffic of TCP"],
  ])("reports of %j: %s", (spec, fault) => {
    expect(faultsOf(spec)).toContainEqual(expect.stringContaining(fault));
  });

  it("does not warn of a DENY rule that names ports", () => {
    expect(faultsOf({ action: "DENY", ...to({ paths: ["/a"], ports: ["80"] }) })).toEqual([]);
  });
});

describe("checkPeerAuthentication", () => {
  const faultsOf = (spec: object) => faultLines(checkPeerAuthentication({ spec }).faults);
  const selector = { matchLabels: { app: "a" } };

  it.each([{}, { mtls: { mode: "STRICT" } }, { selector, portLevelMtls: { 80: { mode: "DISABLE" } } }])(
    "accepts %j",
    (spec) => {
      expect(faultsOf(spec)).toEqual([]);
    },
  );

  it.each([
    [{ portLevelMtls: { 80: {} } }, "error spec.portLevelMtls: needs a selector with labels"],
    [{ selector, portLevelMtls: { 0: {} } }, "error spec.portLevelMtls.0"],
    [{ selector, portLevelMtls: { http: {} } }, "error spec.portLevelMtls.http"],
    [{ selector, portLevelMtls: {} }, "error spec.portLevelMtls: must have a port, or be left out"],
    [{ selector: {} }, "warning spec.selector: has no labels"],
  ])("reports of %j: %s", (spec, fault) => {
    expect(faultsOf(spec)).toContainEqual(expect.stringContaining(fault));
  });
});

describe("checkRequestAuthentication", () => {
  const faultsOf = (rule: object) =>
    faultLines(checkRequestAuthentication({ spec: { jwtRules: [{ issuer: "a", ...rule }] } }).faults);
  const jwks = (...keys: readonly object[]) => ({ jwks: JSON.stringify({ keys }) });
  const rsa = { kty: "RSA", n: "AQAB", e: "AQAB" };

  it.each([
    {},
    { issuer: "", jwksUri: "https://keys.test:8443/a%20b?c=d" },
    { jwksUri: "HTTP://[::1]:80/keys" },
    jwks(),
    jwks(rsa, { kty: "EC", crv: "P-256", x: "AQAB", y: "AQAB" }),
    { jwks: JSON.stringify(rsa) },
    { fromHeaders: [{ name: "x" }], fromParams: ["a"], fromCookies: ["b"], audiences: ["c"], timeout: "5s" },
    { outputClaimToHeaders: [{ header: "x-user_id", claim: "sub" }] },
  ])("accepts %j", (rule) => {
    expect(faultsOf(rule)).toEqual([]);
  });

  it.each([
    [{ issuer: "" }, "error spec.jwtRules.0.issuer: needs an issuer or a jwksUri"],
    [{ jwksUri: "ftp://keys.test" }, "must begin with http or https"],
    [{ jwksUri: "https://keys.test:port" }, "is not a URI"],
    [{ jwksUri: "https://keys.test/%zz" }, "is not a URI"],
    [{ jwks: "{" }, "error spec.jwtRules.0.jwks: is not JSON"],
    [{ jwks: "[]" }, "is not a JSON Web Key Set"],
    [jwks(rsa, { kty: "RSA", n: "AQAB" }), 'its key 1 lacks "e"'],
    [jwks({ ...rsa, n: "not base64!" }), 'its key 0 has a "n" that is not base64'],
    [jwks({ kty: "DSA" }), "must have a kty of RSA"],
    [jwks(rsa, { ...rsa, d: "AQAB" }), "warning spec.jwtRules.0.jwks: its key 1 is secret"],
    [{ audiences: [""] }, "error spec.jwtRules.0.audiences.0: must not be empty"],
    [{ fromHeaders: [{}] }, "error spec.jwtRules.0.fromHeaders.0.name: is required"],
    [{ fromParams: [""] }, "error spec.jwtRules.0.fromParams.0: must not be empty"],
    [{ fromCookies: [""] }, "error spec.jwtRules.0.fromCookies.0: must not be empty"],
    [{ outputClaimToHeaders: [{ header: "a" }] }, "outputClaimToHeaders.0.claim: is required"],
    [{ outputClaimToHeaders: [{ header: "a.b", claim: "c" }] }, '"a.b" is not the name of a header'],
    [{ timeout: "0s" }, "error spec.jwtRules.0.timeout: must be at least 1ms"],
  ])("reports of %j: %s", (rule, fault) => {
    expect(faultsOf(rule)).toContainEqual(expect.stringContaining(fault));
  });
});
