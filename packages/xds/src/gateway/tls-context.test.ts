import { create, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { TransportSocketSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { FaultList, readGateway } from "@signalbox/istio-objects";
import { describe, expect, it } from "vitest";
import { serverTransportSocket } from "./tls-context.ts";

/** The TLS context of a server with this `tls`, as JSON without its type. */
function context(tls: object): Record<string, unknown> {
  const faults = new FaultList();
  const { servers } = readGateway({ servers: [{ tls }] }, [], faults);
  const settings = servers[0]?.tls;
  if (settings === undefined || faults.faults.length > 0) throw new Error(JSON.stringify(faults.faults));
  const json = toJson(TransportSocketSchema, create(TransportSocketSchema, serverTransportSocket(settings)), {
    registry: anyRegistry,
  }) as { typedConfig: Record<string, unknown> };
  const { "@type": _type, ...config } = json.typedConfig;
  return config;
}

const alpnProtocols = ["h2", "http/1.1"];
const named = (name: string) => ({ name, sdsConfig: { ads: {}, resourceApiVersion: "V3" } });
const agent = {
  initialFetchTimeout: "0s",
  resourceApiVersion: "V3",
  apiConfigSource: {
    apiType: "GRPC",
    transportApiVersion: "V3",
    setNodeOnFirstMessageOnly: true,
    grpcServices: [{ envoyGrpc: { clusterName: "sds-grpc" } }],
  },
};
const files = { serverCertificate: "/tls/crt", privateKey: "/tls/key" };
const pair = { certificateChain: { filename: "/tls/crt" }, privateKey: { filename: "/tls/key" } };

describe("serverTransportSocket", () => {
  it.each([
    [
      "a certificate by name",
      { mode: "SIMPLE", credentialName: "shop" },
      { tlsCertificateSdsSecretConfigs: [named("kubernetes://shop")] },
      false,
    ],
    [
      "several certificates by name",
      { mode: "SIMPLE", credentialNames: ["rsa", "ecdsa"] },
      { tlsCertificateSdsSecretConfigs: [named("kubernetes://rsa"), named("kubernetes://ecdsa")] },
      false,
    ],
    [
      "callers by the certificates beside it",
      { mode: "MUTUAL", credentialName: "shop", verifyCertificateSpki: ["AA=="], verifyCertificateHash: ["bb"] },
      {
        tlsCertificateSdsSecretConfigs: [named("kubernetes://shop")],
        combinedValidationContext: {
          defaultValidationContext: { verifyCertificateSpki: ["AA=="], verifyCertificateHash: ["bb"] },
          validationContextSdsSecretConfig: named("kubernetes://shop-cacert"),
        },
      },
      true,
    ],
    [
      "callers by other certificates, who may also have none",
      {
        mode: "OPTIONAL_MUTUAL",
        credentialName: "shop",
        caCertCredentialName: "configmap://edge/ca",
        insecureSkipVerify: true,
      },
      {
        tlsCertificateSdsSecretConfigs: [named("kubernetes://shop")],
        combinedValidationContext: {
          defaultValidationContext: { trustChainVerification: "ACCEPT_UNTRUSTED" },
          validationContextSdsSecretConfig: named("configmap://edge/ca"),
        },
      },
      false,
    ],
    ["a certificate from files", { mode: "SIMPLE", ...files }, { tlsCertificates: [pair] }, false],
    [
      "callers by files",
      { mode: "MUTUAL", ...files, caCertificates: "/tls/ca", caCrl: "/tls/crl" },
      {
        tlsCertificates: [pair],
        validationContext: { trustedCa: { filename: "/tls/ca" }, crl: { filename: "/tls/crl" } },
      },
      true,
    ],
    [
      "several certificates from files",
      { mode: "SIMPLE", tlsCertificates: [files, { serverCertificate: "/b/crt", privateKey: "/b/key" }] },
      {
        tlsCertificates: [pair, { certificateChain: { filename: "/b/crt" }, privateKey: { filename: "/b/key" } }],
      },
      false,
    ],
    [
      "the mesh's certificates",
      { mode: "ISTIO_MUTUAL", minProtocolVersion: "TLSV1_3" },
      {
        tlsCertificateSdsSecretConfigs: [{ name: "default", sdsConfig: agent }],
        combinedValidationContext: {
          defaultValidationContext: {},
          validationContextSdsSecretConfig: { name: "ROOTCA", sdsConfig: agent },
        },
      },
      true,
    ],
    [
      "versions, and ciphers that there are",
      {
        mode: "SIMPLE",
        ...files,
        minProtocolVersion: "TLSV1_2",
        maxProtocolVersion: "TLSV1_3",
        cipherSuites: ["ECDHE-RSA-AES128-SHA", "NO-SUCH", "AES128-SHA", "AES128-SHA"],
      },
      {
        tlsCertificates: [pair],
        tlsParams: {
          tlsMinimumProtocolVersion: "TLSv1_2",
          tlsMaximumProtocolVersion: "TLSv1_3",
          cipherSuites: ["ECDHE-RSA-AES128-SHA", "AES128-SHA"],
        },
      },
      false,
    ],
  ])("has %s", (_case, tls, common, requireClientCertificate) => {
    expect(context(tls)).toEqual({
      commonTlsContext: { alpnProtocols, ...common },
      requireClientCertificate,
    });
  });

  it("takes callers' names of any kind", () => {
    const matchers = ["DNS", "URI", "EMAIL", "IP_ADDRESS"].map((sanType) => ({
      sanType,
      matcher: { exact: "spiffe://a/b" },
    }));
    const tls = { mode: "MUTUAL", ...files, caCertificates: "/ca", subjectAltNames: ["spiffe://a/b"] };
    expect(context(tls)).toMatchObject({
      commonTlsContext: { validationContext: { matchTypedSubjectAltNames: matchers } },
    });
  });

  it("compares no names where callers are not asked for a certificate", () => {
    for (const credential of [files, { credentialName: "web" }]) {
      const { commonTlsContext } = context({ mode: "SIMPLE", ...credential, subjectAltNames: ["a.test"] });
      expect(JSON.stringify(commonTlsContext)).not.toMatch(/validation/i);
    }
  });
});
