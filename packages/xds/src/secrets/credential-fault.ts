import { createPrivateKey, X509Certificate, type KeyObject } from "node:crypto";
import type { Credential } from "../gateway/secrets.ts";

const pemCertificates =
  /-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----[^-]+-----END (?:TRUSTED |X509 )?CERTIFICATE-----/g;
const pemList = /-----BEGIN X509 CRL-----[^-]+-----END X509 CRL-----/;

/**
 * Why a proxy could not use a credential; undefined where it could. Says which part is wrong and nothing of what it holds. Expired
 * certificates are no fault, as in Istio.
 */
export function credentialFault({ ca, certificate, crl, privateKey }: Credential): string | undefined {
  if (isGiven(certificate) !== isGiven(privateKey))
    return isGiven(certificate)
      ? "there is a certificate (tls.crt) without its private key (tls.key)"
      : "there is a private key (tls.key) without its certificate (tls.crt)";
  if (isGiven(certificate) && isGiven(privateKey)) {
    const fault = pairFault(certificate, privateKey);
    if (fault !== undefined) return fault;
  }
  if (isGiven(ca) && certificatesIn(ca) === undefined) return "the certificates of callers (ca.crt) cannot be read";
  if (isGiven(crl) && !pemList.test(crl)) return "the revoked certificates (ca.crl) cannot be read";
  return undefined;
}

function pairFault(certificate: string, privateKey: string): string | undefined {
  const [leaf] = certificatesIn(certificate) ?? [];
  if (leaf === undefined) return "the certificate (tls.crt) cannot be read";
  const key = keyIn(privateKey);
  if (key === undefined) return "the private key (tls.key) cannot be read, or is encrypted";
  return leaf.checkPrivateKey(key) ? undefined : "the private key (tls.key) does not fit the certificate (tls.crt)";
}

/** Undefined where there is none, or one of them cannot be read. */
function certificatesIn(pem: string): readonly X509Certificate[] | undefined {
  const found = pem.match(pemCertificates) ?? [];
  if (found.length === 0) return undefined;
  try {
    return found.map((one) => new X509Certificate(one));
  } catch {
    return undefined;
  }
}

/** Errors of the library are not passed on: nobody promises that they do not quote. */
function keyIn(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}

function isGiven(pem: string | undefined): pem is string {
  return pem !== undefined && pem !== "";
}
