import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { credentialFault } from "./credential-fault.ts";

const pem = (name: string) =>
  readFileSync(fileURLToPath(new URL(`../../../../test/certificates/${name}`, import.meta.url)), "utf8");
const [certificate, privateKey, ca, other] = ["server.crt", "server.key", "ca.crt", "client.key"].map(pem) as [
  string,
  string,
  string,
  string,
];
const list = "-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n";

describe("a credential", () => {
  it.each([
    ["a pair", { certificate, privateKey }],
    ["a pair whose certificate brings those above it", { certificate: certificate + ca, privateKey }],
    ["certificates of callers alone", { ca }],
    ["a pair with certificates of callers and a list of the revoked", { certificate, privateKey, ca, crl: list }],
    ["nothing", {}],
    ["empty texts", { certificate: "", privateKey: "", ca: "", crl: "" }],
  ])("is good with %s", (_, credential) => {
    expect(credentialFault(credential)).toBeUndefined();
  });

  it.each([
    ["a key of another certificate", { certificate, privateKey: other }, "(tls.key) does not fit the certificate"],
    ["no key", { certificate }, "without its private key (tls.key)"],
    ["no certificate", { privateKey }, "without its certificate (tls.crt)"],
    ["a certificate that is none", { certificate: "none", privateKey }, "the certificate (tls.crt) cannot be read"],
    [
      "a broken certificate behind a good one",
      { certificate: `${certificate}-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n`, privateKey },
      "the certificate (tls.crt) cannot be read",
    ],
    ["half a key", { certificate, privateKey: privateKey.slice(0, 80) }, "the private key (tls.key) cannot be read"],
    ["the certificate in the place of the key", { certificate, privateKey: certificate }, "the private key (tls.key)"],
    ["no certificates of callers among those", { ca: privateKey }, "the certificates of callers (ca.crt)"],
    ["a list of the revoked that is none", { ca, crl: ca }, "the revoked certificates (ca.crl)"],
  ])("cannot be used with %s, and the reason quotes nothing", (_, credential, reason) => {
    const fault = credentialFault(credential);
    expect(fault).toContain(reason);
    for (const line of `${certificate}${privateKey}${other}${ca}`.split("\n").filter((text) => text.length > 20))
      expect(fault).not.toContain(line);
  });
});
