import { fromBinary, toJson } from "@bufbuild/protobuf";
import { SecretSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";
import { FaultList, readGateway } from "@signalbox/istio-objects";
import { describe, expect, it } from "vitest";
import { secretName, secretNames, secretResource, SecretError } from "./secrets.ts";
import { gateway, server } from "./testing/router.ts";

describe("secretName", () => {
  it.each([
    ["shop", "kubernetes://shop"],
    ["kubernetes://edge/shop", "kubernetes://edge/shop"],
    ["kubernetes-gateway://edge/shop", "kubernetes-gateway://edge/shop"],
    ["configmap://edge/ca", "configmap://edge/ca"],
    ["sds://shop", "kubernetes://shop"],
    ["builtin://", "default"],
    ["builtin://-cacert", "ROOTCA"],
    ["invalid://edge/none", "invalid://"],
  ])("reads %s as %s", (credential, name) => {
    expect(secretName(credential)).toBe(name);
  });
});

describe("secretNames", () => {
  it("names what servers ask the control plane for, and no more", () => {
    const tls = (more: object) => ({ tls: more });
    const object = gateway(
      "edge/gw",
      server("HTTPS 1", ["*"], tls({ mode: "SIMPLE", credentialName: "b" })),
      server("HTTPS 2", ["*"], tls({ mode: "MUTUAL", credentialNames: ["a", "c"] })),
      server("HTTPS 3", ["*"], tls({ mode: "OPTIONAL_MUTUAL", credentialName: "b", caCertCredentialName: "ca" })),
      server("TLS 4", ["*"], tls({ mode: "PASSTHROUGH", credentialName: "unused" })),
      server("TLS 5", ["*"], tls({ mode: "ISTIO_MUTUAL", credentialName: "unused" })),
      server("TLS 6", ["*"], tls({ mode: "SIMPLE", serverCertificate: "/crt", privateKey: "/key" })),
      server("TLS 7", ["*"], tls({ mode: "SIMPLE", credentialName: "builtin://" })),
      server("HTTP 8", ["*"]),
    );
    const spec = readGateway(object.spec, [], new FaultList());
    expect(secretNames([{ key: "Gateway/edge/gw", object, spec }])).toEqual([
      "kubernetes://a",
      "kubernetes://a-cacert",
      "kubernetes://b",
      "kubernetes://c",
      "kubernetes://ca",
    ]);
  });
});

describe("secretResource", () => {
  const credential = { certificate: "CRT", privateKey: "KEY", ca: "CA", crl: "CRL" };
  const shown = (name: string) =>
    toJson(SecretSchema, fromBinary(SecretSchema, secretResource(name, credential).bytes));

  it.each([
    [
      "kubernetes://shop",
      { tlsCertificate: { certificateChain: { inlineString: "CRT" }, privateKey: { inlineString: "KEY" } } },
    ],
    [
      "kubernetes://shop-cacert",
      { validationContext: { trustedCa: { inlineString: "CA" }, crl: { inlineString: "CRL" } } },
    ],
    ["configmap://edge/ca", { validationContext: { trustedCa: { inlineString: "CA" }, crl: { inlineString: "CRL" } } }],
  ])("%s is what its name says", (name, expected) => {
    expect(shown(name)).toEqual({ name, ...expected });
  });

  it("of callers' certificates alone needs no particular name", () => {
    const { bytes } = secretResource("kubernetes://ca", { ca: "CA" });
    expect(fromBinary(SecretSchema, bytes).type.case).toBe("validationContext");
  });

  it.each([
    ["kubernetes://shop", { privateKey: "KEY" }, "no certificate"],
    ["kubernetes://shop", { certificate: "CRT" }, "no private key"],
    ["kubernetes://shop-cacert", { certificate: "CRT", privateKey: "KEY" }, "no certificates of callers"],
  ])("%s of %j is refused", (name, given, reason) => {
    const make = () => secretResource(name, given);
    expect(make).toThrow(SecretError);
    expect(make).toThrow(reason);
  });
});
