import { DataSourceSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import type { TransportSocketSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import {
  AggregatedConfigSourceSchema,
  ApiConfigSource_ApiType,
  ApiConfigSourceSchema,
  ApiVersion,
} from "@signalbox/envoy-api/envoy/config/core/v3/config_source";
import {
  CertificateValidationContext_TrustChainVerification,
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  type CertificateValidationContextSchema,
  type TlsCertificateSchema,
  type TlsParametersSchema,
} from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/common";
import type { SdsSecretConfigSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";
import {
  DownstreamTlsContextSchema,
  type CommonTlsContextSchema,
} from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/tls";
import type { ServerTls } from "@signalbox/istio-objects";
import { create } from "@bufbuild/protobuf";
import { duration, packed, type Init } from "../messages.ts";
import { serverCredentials, workloadRoots, workloadSecret } from "./secrets.ts";

type CommonInit = Init<typeof CommonTlsContextSchema>;
type SdsInit = Init<typeof SdsSecretConfigSchema>;
type ValidationInit = Init<typeof CertificateValidationContextSchema>;
type CertificateInit = Init<typeof TlsCertificateSchema>;
type ParametersInit = Init<typeof TlsParametersSchema>;

/** The static cluster by which Istio's agent gives a proxy the certificates of the mesh. */
const agentCluster = "sds-grpc";

/** Names of BoringSSL that Istio accepts; Envoy refuses a listener with any other. */
const knownSuites: ReadonlySet<string> = new Set([
  ...["ECDSA", "RSA"].flatMap((key) =>
    ["AES128-GCM-SHA256", "AES256-GCM-SHA384", "CHACHA20-POLY1305", "AES128-SHA", "AES256-SHA"].map(
      (cipher) => `ECDHE-${key}-${cipher}`,
    ),
  ),
  "AES128-GCM-SHA256",
  "AES256-GCM-SHA384",
  "AES128-SHA",
  "AES256-SHA",
  "DES-CBC3-SHA",
  "ALL",
]);

const protocols = {
  TLS_AUTO: TlsParameters_TlsProtocol.TLS_AUTO,
  TLSV1_0: TlsParameters_TlsProtocol.TLSv1_0,
  TLSV1_1: TlsParameters_TlsProtocol.TLSv1_1,
  TLSV1_2: TlsParameters_TlsProtocol.TLSv1_2,
  TLSV1_3: TlsParameters_TlsProtocol.TLSv1_3,
} as const;

/** How long a client may take for the handshake, as in Istio. */
export const handshakeTimeout = duration(15_000);

/** The transport socket of a server that ends TLS. Certificates come by name over the own stream, or from files on the router. */
export function serverTransportSocket(tls: ServerTls): Init<typeof TransportSocketSchema> {
  const requireClientCertificate = tls.mode === "MUTUAL" || tls.mode === "ISTIO_MUTUAL";
  return {
    name: "envoy.transport_sockets.tls",
    configType: {
      case: "typedConfig",
      value: packed(DownstreamTlsContextSchema, {
        commonTlsContext: { alpnProtocols: ["h2", "http/1.1"], ...certificates(tls), ...parameters(tls) },
        requireClientCertificate,
      }),
    },
  };
}

function certificates(tls: ServerTls): CommonInit {
  if (tls.mode === "ISTIO_MUTUAL")
    return {
      tlsCertificateSdsSecretConfigs: [byAgent(workloadSecret)],
      ...combined(callers(tls), byAgent(workloadRoots)),
    };
  const credentials = serverCredentials(tls);
  if (credentials !== undefined)
    return {
      tlsCertificateSdsSecretConfigs: credentials.own.map(byName),
      ...(asksCallers(tls) ? combined({ ...callers(tls), ...pins(tls) }, byName(credentials.ca)) : {}),
    };
  const trusted = tls.caCertificates === "" ? {} : { trustedCa: file(tls.caCertificates) };
  return {
    tlsCertificates: fileCertificates(tls),
    ...(asksCallers(tls) ? validation({ ...callers(tls), ...pins(tls), ...trusted }) : {}),
  };
}

/** A certificate that comes over the own stream; a secret that nobody has must not keep the whole listener from starting. */
function byName(name: string): SdsInit {
  if (name === workloadSecret || name === workloadRoots) return byAgent(name);
  const configSourceSpecifier = { case: "ads", value: create(AggregatedConfigSourceSchema) } as const;
  return { name, sdsConfig: { configSourceSpecifier, resourceApiVersion: ApiVersion.V3 } };
}

function byAgent(name: string): SdsInit {
  const agent = create(ApiConfigSourceSchema, {
    apiType: ApiConfigSource_ApiType.GRPC,
    transportApiVersion: ApiVersion.V3,
    setNodeOnFirstMessageOnly: true,
    grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: agentCluster } } }],
  });
  const configSourceSpecifier = { case: "apiConfigSource", value: agent } as const;
  return {
    name,
    sdsConfig: { configSourceSpecifier, initialFetchTimeout: duration(0), resourceApiVersion: ApiVersion.V3 },
  };
}

function validation(value: ValidationInit): CommonInit {
  const validationContextType = { case: "validationContext", value } as const;
  return { validationContextType };
}

function combined(defaultValidationContext: ValidationInit, validationContextSdsSecretConfig: SdsInit): CommonInit {
  const value = { defaultValidationContext, validationContextSdsSecretConfig };
  const validationContextType = { case: "combinedValidationContext", value } as const;
  return { validationContextType };
}

/** Where callers show no certificate nothing of it is compared: Envoy refuses to compare names without a CA, although Istio would send them. */
function asksCallers({ mode }: ServerTls): boolean {
  return mode === "MUTUAL" || mode === "OPTIONAL_MUTUAL";
}

/** What a caller's certificate must say, whoever signed it. */
function callers(tls: ServerTls): ValidationInit {
  return {
    ...(tls.subjectAltNames.length > 0 ? { matchTypedSubjectAltNames: tls.subjectAltNames.flatMap(anySan) } : {}),
    ...(tls.caCrl === "" ? {} : { crl: file(tls.caCrl) }),
    ...(tls.insecureSkipVerify === true
      ? { trustChainVerification: CertificateValidationContext_TrustChainVerification.ACCEPT_UNTRUSTED }
      : {}),
  };
}

function pins({ verifyCertificateHash, verifyCertificateSpki }: ServerTls): ValidationInit {
  return {
    verifyCertificateSpki: [...verifyCertificateSpki],
    verifyCertificateHash: [...verifyCertificateHash],
  };
}

/** The name in any of the kinds of names that a certificate may have. */
function anySan(name: string): NonNullable<ValidationInit["matchTypedSubjectAltNames"]> {
  const { DNS, EMAIL, IP_ADDRESS, URI } = SubjectAltNameMatcher_SanType;
  return [DNS, URI, EMAIL, IP_ADDRESS].map((sanType) => ({
    sanType,
    matcher: { matchPattern: { case: "exact", value: name } },
  }));
}

function fileCertificates({ privateKey, serverCertificate, tlsCertificates }: ServerTls): CertificateInit[] {
  const pairs = tlsCertificates.length > 0 ? tlsCertificates : [{ serverCertificate, privateKey }];
  return pairs.map((pair) => ({
    certificateChain: file(pair.serverCertificate),
    privateKey: file(pair.privateKey),
  }));
}

function file(filename: string): ReturnType<typeof create<typeof DataSourceSchema>> {
  return create(DataSourceSchema, { specifier: { case: "filename", value: filename } });
}

/** Versions and ciphers; the mesh's own TLS has none of its servers'. */
function parameters(tls: ServerTls): CommonInit {
  if (tls.mode === "ISTIO_MUTUAL") return {};
  const { maxProtocolVersion: max, minProtocolVersion: min } = tls;
  const suites = [...new Set(tls.cipherSuites.filter(isSuite))];
  const tlsParams: ParametersInit = {
    ...(min === "TLS_AUTO" ? {} : { tlsMinimumProtocolVersion: protocols[min] }),
    ...(max === "TLS_AUTO" ? {} : { tlsMaximumProtocolVersion: protocols[max] }),
    ...(suites.length > 0 ? { cipherSuites: suites } : {}),
  };
  return Object.keys(tlsParams).length > 0 ? { tlsParams } : {};
}

/** A known name, or an expression of BoringSSL such as `-ALL` or `[a|b]`. */
function isSuite(suite: string): boolean {
  return suite !== "" && (knownSuites.has(suite) || !/^[\p{L}\p{N}]/u.test(suite));
}
