import type { Gateway } from "@signalbox/istio-objects";
import { byCodeUnit } from "@signalbox/model";
import { SecretSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";
import { resourceOf, type Resource } from "@signalbox/xds-server";
import type { Rule } from "@signalbox/traffic";
import { encoded } from "../messages.ts";

/** What a TLS secret of a source holds, in PEM. */
export interface Credential {
  readonly certificate?: string;
  readonly privateKey?: string;
  /** Certificates of those who may call. */
  readonly ca?: string;
  /** Which of these certificates are revoked. */
  readonly crl?: string;
}

/** Thrown when a secret lacks what its name promises. */
export class SecretError extends Error {
  readonly code = "SBX_SECRET";
  readonly secret: string;

  constructor(secret: string, message: string) {
    super(`${secret}: ${message}`);
    this.name = "SecretError";
    this.secret = secret;
  }
}

/** What Istio puts behind the name of a secret for the certificates of callers. */
const caSuffix = "-cacert";
const builtin = "builtin://";
const invalid = "invalid://";
const external = "sds://";
const typed = ["configmap://", "kubernetes://", "kubernetes-gateway://"];

/** Istio's name for the certificate of the workload itself, which its agent serves. */
export const workloadSecret = "default";
/** Istio's name for the certificates of the mesh, which its agent serves. */
export const workloadRoots = "ROOTCA";

/** Istio's name of a secret resource: `kubernetes://<name>` unless the credential's name says where it is from. */
export function secretName(credentialName: string): string {
  if (credentialName.startsWith(builtin)) return credentialName.endsWith(caSuffix) ? workloadRoots : workloadSecret;
  if (credentialName.startsWith(invalid)) return invalid;
  const name = credentialName.startsWith(external) ? credentialName.slice(external.length) : credentialName;
  return typed.some((scheme) => name.startsWith(scheme)) ? name : `kubernetes://${name}`;
}

/** The credentials that a server names: its own, and the one by which it knows its callers. Undefined where it names none. */
export function serverCredentials({
  caCertCredentialName,
  credentialName,
  credentialNames,
}: {
  readonly credentialName: string;
  readonly credentialNames: readonly string[];
  readonly caCertCredentialName: string;
}): { readonly own: readonly string[]; readonly ca: string } | undefined {
  const names = credentialNames.length > 0 ? credentialNames : credentialName === "" ? [] : [credentialName];
  const [first] = names;
  if (first === undefined) return undefined;
  return {
    own: names.map(secretName),
    ca: secretName(caCertCredentialName === "" ? `${first}${caSuffix}` : caCertCredentialName),
  };
}

/** The secrets to which the servers of these Gateways refer and which the control plane has to serve. Sorted. */
export function secretNames(gateways: readonly Rule<Gateway>[]): readonly string[] {
  const names = new Set<string>();
  for (const { tls } of gateways.flatMap(({ spec }) => spec.servers)) {
    if (tls === undefined || !["SIMPLE", "MUTUAL", "OPTIONAL_MUTUAL"].includes(tls.mode)) continue;
    const credentials = serverCredentials(tls);
    for (const name of credentials?.own ?? []) names.add(name);
    if (credentials !== undefined && tls.mode !== "SIMPLE") names.add(credentials.ca);
  }
  for (const name of [workloadSecret, workloadRoots, invalid]) names.delete(name);
  return [...names].sort(byCodeUnit);
}

/**
 * A secret as Envoy takes it. A name that ends in `-cacert` or is a ConfigMap's, and a credential that has nothing else, gives the
 * certificates of callers; every other one a certificate with its key. Throws a SecretError when the credential does not have what the name asks for.
 */
export function secretResource(name: string, { ca, certificate, crl, privateKey }: Credential): Resource {
  const caOnly = certificate === undefined && privateKey === undefined && ca !== undefined;
  if (caOnly || name.endsWith(caSuffix) || name.startsWith("configmap://")) {
    if (ca === undefined || ca === "") throw new SecretError(name, "has no certificates of callers (ca.crt)");
    return resourceOf(
      name,
      encoded(SecretSchema, {
        name,
        type: {
          case: "validationContext",
          value: { trustedCa: inline(ca), ...(crl === undefined || crl === "" ? {} : { crl: inline(crl) }) },
        },
      }),
    );
  }
  if (certificate === undefined || certificate === "") throw new SecretError(name, "has no certificate (tls.crt)");
  if (privateKey === undefined || privateKey === "") throw new SecretError(name, "has no private key (tls.key)");
  return resourceOf(
    name,
    encoded(SecretSchema, {
      name,
      type: {
        case: "tlsCertificate",
        value: { certificateChain: inline(certificate), privateKey: inline(privateKey) },
      },
    }),
  );
}

function inline(pem: string): { specifier: { case: "inlineString"; value: string } } {
  return { specifier: { case: "inlineString", value: pem } };
}
