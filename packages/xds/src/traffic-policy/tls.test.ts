import { create, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { TransportSocketSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { ClientTls } from "@signalbox/istio-objects";
import { describe, expect, it } from "vitest";
import { policyOf } from "../testing/policy.ts";
import { automaticNames, proxyProtocolSocket, tlsSocket, type TlsTarget } from "./tls.ts";

const ruleOf = (tls: object): ClientTls => {
  const rule = policyOf({ trafficPolicy: { tls } }).trafficPolicy?.tls;
  if (rule === undefined) throw new Error("no tls");
  return rule;
};
const target: TlsTarget = {
  istioSni: "outbound_.80_._.web.test",
  serviceAccounts: [],
  http2: false,
  credentials: true,
};
const socketJson = (socket: ReturnType<typeof tlsSocket>) =>
  socket === undefined
    ? undefined
    : toJson(TransportSocketSchema, create(TransportSocketSchema, socket), { registry: anyRegistry });
const contextOf = (tls: object, rest: Partial<TlsTarget> = {}) => {
  const json = socketJson(tlsSocket(ruleOf(tls), { ...target, ...rest }));
  return (json as { typedConfig?: Record<string, unknown> } | undefined)?.typedConfig;
};
const file = (filename: string) => ({ filename });
const exact = (sanType: string, name: string) => ({ sanType, matcher: { exact: name } });
const ads = { ads: {}, resourceApiVersion: "V3" };
const agent = {
  apiConfigSource: {
    apiType: "GRPC",
    transportApiVersion: "V3",
    setNodeOnFirstMessageOnly: true,
    grpcServices: [{ envoyGrpc: { clusterName: "sds-grpc" } }],
  },
  initialFetchTimeout: "0s",
  resourceApiVersion: "V3",
};

describe("TLS to endpoints", () => {
  it("is none where it is disabled", () => {
    expect(contextOf({ mode: "DISABLE" })).toBeUndefined();
  });

  it.each([
    [
      "verifies with the file of the rule, and with its revocations",
      {
        mode: "SIMPLE",
        caCertificates: "/ca.pem",
        caCrl: "/crl.pem",
        sni: "a.test",
        subjectAltNames: ["a.test", "spiffe://x/y", "10.1.1.1"],
      },
      {
        sni: "a.test",
        commonTlsContext: {
          validationContext: {
            trustedCa: file("/ca.pem"),
            crl: file("/crl.pem"),
            matchTypedSubjectAltNames: [
              exact("DNS", "a.test"),
              exact("URI", "spiffe://x/y"),
              exact("IP_ADDRESS", "10.1.1.1"),
            ],
          },
        },
      },
    ],
    [
      "verifies with the system's certificates where the rule names none",
      { mode: "SIMPLE" },
      { commonTlsContext: { validationContext: { trustedCa: file("/etc/ssl/certs/ca-certificates.crt") } } },
    ],
    [
      "shows the files of the client",
      { mode: "MUTUAL", clientCertificate: "/c", privateKey: "/k" },
      { commonTlsContext: { tlsCertificates: [{ certificateChain: file("/c"), privateKey: file("/k") }] } },
    ],
    [
      "asks the control plane for a credential's certificate and authorities",
      { mode: "MUTUAL", credentialName: "mine" },
      {
        commonTlsContext: {
          tlsCertificateSdsSecretConfigs: [{ name: "kubernetes://mine", sdsConfig: ads }],
          combinedValidationContext: {
            validationContextSdsSecretConfig: { name: "kubernetes://mine-cacert", sdsConfig: ads },
          },
        },
      },
    ],
    [
      "takes the workload's own certificate for Istio's mutual TLS",
      { mode: "ISTIO_MUTUAL" },
      {
        sni: "outbound_.80_._.web.test",
        commonTlsContext: {
          alpnProtocols: ["istio"],
          tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: agent }],
          combinedValidationContext: { validationContextSdsSecretConfig: { name: "ROOTCA", sdsConfig: agent } },
        },
      },
    ],
  ])("%s", (_, tls, expected) => {
    expect(contextOf(tls)).toMatchObject(expected);
    expect(contextOf(tls)).toMatchObject({
      commonTlsContext: { tlsParams: { tlsMinimumProtocolVersion: "TLSv1_2", tlsMaximumProtocolVersion: "TLSv1_3" } },
    });
  });

  it("verifies nothing where the rule says so", () => {
    const simple = contextOf({ mode: "SIMPLE", insecureSkipVerify: true, subjectAltNames: ["a.test"] });
    expect(simple?.["commonTlsContext"]).toMatchObject({ validationContext: {} });
    expect(JSON.stringify(simple)).not.toContain("a.test");
    const credential = contextOf({ mode: "SIMPLE", insecureSkipVerify: true, credentialName: "mine" });
    expect(JSON.stringify(credential)).not.toContain("mine");
  });

  it("offers HTTP/2 where the cluster speaks it", () => {
    const alpn = (mode: string) =>
      (contextOf({ mode }, { http2: true })?.["commonTlsContext"] as Record<string, unknown>)["alpnProtocols"];
    expect(alpn("SIMPLE")).toEqual(["h2"]);
    expect(alpn("ISTIO_MUTUAL")).toEqual(["istio", "h2"]);
  });

  it("accepts the service's identities where the rule names none", () => {
    const serviceAccounts = ["spiffe://t/ns/a/sa/b"];
    expect(JSON.stringify(contextOf({ mode: "ISTIO_MUTUAL" }, { serviceAccounts }))).toContain("spiffe://t/ns/a/sa/b");
    const named = contextOf({ mode: "ISTIO_MUTUAL", subjectAltNames: ["spiffe://other"] }, { serviceAccounts });
    expect(JSON.stringify(named)).not.toContain("spiffe://t/ns/a/sa/b");
  });

  it("is none for a client that may not have the credential, and without a certificate to show", () => {
    expect(contextOf({ mode: "SIMPLE", credentialName: "mine" }, { credentials: false })).toBeUndefined();
    expect(contextOf({ mode: "SIMPLE", credentialName: "configmap://ca" }, { credentials: false })).toBeDefined();
    expect(tlsSocket({ ...ruleOf({ mode: "SIMPLE" }), mode: "MUTUAL" }, target)).toBeUndefined();
  });
});

it.each([
  ["both for SIMPLE", { mode: "SIMPLE" }, false, true, true],
  ["no name to compare where the rule has one", { mode: "SIMPLE", subjectAltNames: ["a"] }, false, true, false],
  ["none where the rule has an SNI", { mode: "SIMPLE", sni: "a" }, false, false, false],
  ["no name to compare where nothing is verified", { mode: "SIMPLE", insecureSkipVerify: true }, false, true, false],
  ["none for Istio's mutual TLS", { mode: "ISTIO_MUTUAL" }, false, false, false],
  ["both for Istio's mutual TLS to hosts of requests", { mode: "ISTIO_MUTUAL" }, true, true, true],
  ["none without TLS", { mode: "DISABLE" }, true, false, false],
])("names from requests: %s", (_, tls, dynamic, sni, san) => {
  expect(automaticNames(ruleOf(tls), dynamic)).toEqual({ sni, san });
});

it("a PROXY protocol header goes before TLS, or before the bytes themselves", () => {
  const inner = tlsSocket(ruleOf({ mode: "SIMPLE" }), target);
  expect(socketJson(proxyProtocolSocket({ version: "V2" }, inner))).toMatchObject({
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    typedConfig: { config: { version: "V2" }, transportSocket: { name: "envoy.transport_sockets.tls" } },
  });
  const plain = socketJson(proxyProtocolSocket({ version: "V1" }, undefined));
  expect(plain).toMatchObject({ typedConfig: { transportSocket: { name: "envoy.transport_sockets.raw_buffer" } } });
  expect(JSON.stringify(plain)).not.toContain("V2");
});
