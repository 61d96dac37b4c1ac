import type { FaultList, ObjectPath } from "./fault.ts";
import type { ServerTls } from "./schema/common.ts";

/** The cipher suites of BoringSSL that Istio lets through to Envoy. */
const cipherSuites: ReadonlySet<string> = new Set([
  "AES128-GCM-SHA256",
  "AES128-SHA",
  "AES256-GCM-SHA384",
  "AES256-SHA",
  "DES-CBC3-SHA",
  "ECDHE-ECDSA-AES128-GCM-SHA256",
  "ECDHE-ECDSA-AES128-SHA",
  "ECDHE-ECDSA-AES256-GCM-SHA384",
  "ECDHE-ECDSA-AES256-SHA",
  "ECDHE-ECDSA-CHACHA20-POLY1305",
  "ECDHE-RSA-AES128-GCM-SHA256",
  "ECDHE-RSA-AES128-SHA",
  "ECDHE-RSA-AES256-GCM-SHA384",
  "ECDHE-RSA-AES256-SHA",
  "ECDHE-RSA-CHACHA20-POLY1305",
]);

/** Checks TLS that a Gateway or a Sidecar ends, by the rules of Istio's admission. */
export function checkServerTls(tls: ServerTls, path: ObjectPath, faults: FaultList): void {
  checkVersions(tls, path, faults);
  checkCiphers(tls, path, faults);
  if (tls.mode === "ISTIO_MUTUAL") {
    // Its certificates are those of the mesh.
    for (const field of givenOf(tls, ownCertificates)) faults.error([...path, field], "ISTIO_MUTUAL does not take it");
    return;
  }
  const passes = tls.mode === "PASSTHROUGH" || tls.mode === "AUTO_PASSTHROUGH";
  if (passes) {
    for (const field of givenOf(tls, [...ownCertificates, "caCrl"])) {
      faults.warning([...path, field], `has no effect with mode ${tls.mode}, which does not end TLS`);
    }
  }
  checkSources(tls, path, faults);
  if (passes || tls.credentialName !== "" || tls.credentialNames.length > 0) {
    if (passes) checkCrl(tls, path, faults);
    return;
  }
  checkCertificates(tls, path, faults);
  checkCrl(tls, path, faults);
}

const ownCertificates = [
  "serverCertificate",
  "privateKey",
  "caCertificates",
  "tlsCertificates",
  "credentialName",
  "credentialNames",
] as const;

function givenOf<K extends keyof ServerTls>(tls: ServerTls, fields: readonly K[]): readonly K[] {
  return fields.filter((field) => {
    const value = tls[field];
    return (typeof value === "string" || Array.isArray(value)) && value.length > 0;
  });
}

function checkVersions(tls: ServerTls, path: ObjectPath, faults: FaultList): void {
  const { minProtocolVersion: least, cipherSuites: ciphers } = tls;
  if ((least === "TLSV1_0" || least === "TLSV1_1") && ciphers.length === 0) {
    faults.warning(
      [...path, "minProtocolVersion"],
      `${least} needs cipherSuites: those that are chosen without them are for TLSV1_2 and later`,
    );
  }
}

function checkCiphers(tls: ServerTls, path: ObjectPath, faults: FaultList): void {
  const seen = new Set<string>();
  for (const [index, cipher] of tls.cipherSuites.entries()) {
    const at = [...path, "cipherSuites", index];
    // Operators such as -ALL begin with a sign and are left to Envoy.
    const known = cipher === "" || cipher === "ALL" || !/^[\p{L}\p{N}]/u.test(cipher) || cipherSuites.has(cipher);
    if (!known) faults.warning(at, `"${cipher}" is not a known cipher suite and is left out`);
    else if (seen.has(cipher)) faults.warning(at, `"${cipher}" is named twice`);
    if (known) seen.add(cipher);
  }
}

function checkSources(tls: ServerTls, path: ObjectPath, faults: FaultList): void {
  const sources = [
    tls.serverCertificate !== "" && tls.privateKey !== "" ? "serverCertificate" : undefined,
    ...givenOf(tls, ["credentialName", "credentialNames", "tlsCertificates"]),
  ].filter((field) => field !== undefined);
  const [first, second] = sources;
  if (first !== undefined && second !== undefined) {
    faults.error([...path, second], `cannot stand beside "${first}": certificates come from one source`, "key");
  }
}

function checkCertificates(tls: ServerTls, path: ObjectPath, faults: FaultList): void {
  const { mode, tlsCertificates } = tls;
  if (mode !== "SIMPLE" && tls.caCertificates === "") {
    faults.error([...path, "caCertificates"], `mode ${mode} needs the authorities of the clients' certificates`);
  }
  if (tlsCertificates.length > 2) faults.warning([...path, "tlsCertificates"], "takes two certificates at most");
  const pairs = tlsCertificates.length > 0 ? tlsCertificates : [tls];
  for (const [index, pair] of pairs.entries()) {
    const at = tlsCertificates.length > 0 ? [...path, "tlsCertificates", index] : path;
    for (const field of ["serverCertificate", "privateKey"] as const) {
      if (pair[field] === "") faults.error([...at, field], `mode ${mode} needs it, or a credentialName`);
    }
  }
}

function checkCrl(tls: ServerTls, path: ObjectPath, faults: FaultList): void {
  if (tls.caCrl === "") return;
  const at = [...path, "caCrl"];
  if (tls.credentialName !== "") faults.error(at, "cannot stand beside credentialName: put the list in the credential");
  if (tls.mode === "SIMPLE") faults.error(at, "has no use with mode SIMPLE, which takes no certificates of clients");
}
