import { isIP } from "node:net";
import {
  ApiConfigSource_ApiType,
  ApiVersion,
  type ConfigSourceSchema,
} from "@signalbox/envoy-api/envoy/config/core/v3/config_source";
import type { TransportSocketSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import { ProxyProtocolConfig_Version } from "@signalbox/envoy-api/envoy/config/core/v3/proxy_protocol";
import { ProxyProtocolUpstreamTransportSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/proxy_protocol/v3/upstream_proxy_protocol";
import { RawBufferSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/raw_buffer/v3/raw_buffer";
import {
  SubjectAltNameMatcher_SanType,
  TlsParameters_TlsProtocol,
  type CertificateValidationContextSchema,
} from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/common";
import type { SdsSecretConfigSchema } from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/secret";
import {
  UpstreamTlsContextSchema,
  type CommonTlsContextSchema,
} from "@signalbox/envoy-api/envoy/extensions/transport_sockets/tls/v3/tls";
import type { ClientTls } from "@signalbox/istio-objects";
import type { PortPolicy } from "@signalbox/traffic";
import { duration, packed, type Init } from "../messages.ts";

type TransportSocket = Init<typeof TransportSocketSchema>;
type TlsContext = Init<typeof CommonTlsContextSchema>;
type SecretConfig = Init<typeof SdsSecretConfigSchema>;

/** Where the CA certificates of the system are in Envoy's images: what `caCertificates` is where a rule leaves it out. */
const systemCertificates = "/etc/ssl/certs/ca-certificates.crt";
/** The cluster by which Istio's proxies ask their agent for secrets. */
const agentCluster = "sds-grpc";

/** What Envoy takes from the request's host: the SNI that it sends, and the name that the certificate must have. */
export interface AutomaticNames {
  readonly sni: boolean;
  readonly san: boolean;
}

/** What TLS to a cluster depends on beside the rule. */
export interface TlsTarget {
  /** SNI of Istio's mutual TLS where the rule names none. */
  readonly istioSni: string;
  /** Identities of the service, accepted where the rule names none. */
  readonly serviceAccounts: readonly string[];
  readonly http2: boolean;
  /** May the client ask for secrets of `credentialName`? Istio gives them to routers only. */
  readonly credentials: boolean;
}

/** TLS to the endpoints; undefined where there is none, or where the rule asks for what this client cannot have. */
export function tlsSocket(rule: ClientTls, target: TlsTarget): TransportSocket | undefined {
  const common = tlsContext(rule, target);
  if (common === undefined) return undefined;
  const sni = rule.sni === "" && rule.mode === "ISTIO_MUTUAL" ? target.istioSni : rule.sni;
  return {
    name: "envoy.transport_sockets.tls",
    configType: {
      case: "typedConfig",
      value: packed(UpstreamTlsContextSchema, { commonTlsContext: common, sni }),
    },
  };
}

/**
 * Names that Envoy takes from the request, where the rule gives none. Certificates are not compared where they are not verified.
 * `dynamic` is a cluster whose hosts are the requests'.
 */
export function automaticNames(rule: ClientTls, dynamic: boolean): AutomaticNames {
  if (rule.mode === "DISABLE" || (rule.mode === "ISTIO_MUTUAL" && !dynamic)) return noNames;
  const sni = rule.sni === "";
  const compared = dynamic || (sni && rule.subjectAltNames.length === 0);
  return { sni, san: compared && rule.insecureSkipVerify !== true };
}

/** A cluster that takes no names from requests. */
export const noNames: AutomaticNames = { sni: false, san: false };

/** A PROXY protocol header before everything else on the connection. */
export function proxyProtocolSocket(
  rule: NonNullable<PortPolicy["proxyProtocol"]>,
  inner: TransportSocket | undefined,
): TransportSocket {
  const version = rule.version === "V2" ? ProxyProtocolConfig_Version.V2 : ProxyProtocolConfig_Version.V1;
  return {
    name: "envoy.transport_sockets.upstream_proxy_protocol",
    configType: {
      case: "typedConfig",
      value: packed(ProxyProtocolUpstreamTransportSchema, {
        config: { version },
        transportSocket: inner ?? {
          name: "envoy.transport_sockets.raw_buffer",
          configType: { case: "typedConfig", value: packed(RawBufferSchema, {}) },
        },
      }),
    },
  };
}

function tlsContext(rule: ClientTls, target: TlsTarget): TlsContext | undefined {
  const sans = rule.subjectAltNames.length > 0 ? rule.subjectAltNames : target.serviceAccounts;
  switch (rule.mode) {
    case "DISABLE":
      return undefined;
    case "ISTIO_MUTUAL":
      return {
        tlsParams,
        // Without `istio-peer-exchange`, which promises Istio's metadata exchange filter.
        alpnProtocols: target.http2 ? ["istio", "h2"] : ["istio"],
        tlsCertificateSdsSecretConfigs: [agentSecret("default")],
        validationContextType: combined(sans, agentSecret("ROOTCA")),
      };
    case "SIMPLE":
    case "MUTUAL":
      if (!isPossible(rule, target)) return undefined;
      return {
        tlsParams,
        ...(target.http2 ? { alpnProtocols: ["h2"] } : {}),
        ...(rule.credentialName === "" ? fromFiles(rule, sans) : fromCredential(rule, sans)),
      };
  }
}

/** Istio begins no TLS where the client may not have the secret, or the rule names no certificate. */
function isPossible({ clientCertificate, credentialName, mode, privateKey }: ClientTls, target: TlsTarget): boolean {
  if (credentialName !== "") return target.credentials || credentialName.startsWith("configmap://");
  return mode !== "MUTUAL" || (clientCertificate !== "" && privateKey !== "");
}

const tlsParams = {
  tlsMinimumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_2,
  tlsMaximumProtocolVersion: TlsParameters_TlsProtocol.TLSv1_3,
} as const;

function fromFiles(rule: ClientTls, sans: readonly string[]): Partial<TlsContext> {
  return {
    ...(rule.mode === "MUTUAL"
      ? {
          tlsCertificates: [{ certificateChain: file(rule.clientCertificate), privateKey: file(rule.privateKey) }],
        }
      : {}),
    validationContextType: verified(
      rule.insecureSkipVerify === true ? {} : { trustedCa: file(authorities(rule)), ...revoked(rule), ...names(sans) },
    ),
  };
}

function verified(value: Init<typeof CertificateValidationContextSchema>) {
  return { case: "validationContext" as const, value };
}

function authorities({ caCertificates }: ClientTls): string {
  return caCertificates === "" || caCertificates === "system" ? systemCertificates : caCertificates;
}

function revoked({ caCrl }: ClientTls) {
  return caCrl === "" ? {} : { crl: file(caCrl) };
}

function fromCredential(rule: ClientTls, sans: readonly string[]): Partial<TlsContext> {
  const { credentialName } = rule;
  return {
    ...(rule.mode === "MUTUAL" ? { tlsCertificateSdsSecretConfigs: [credential(credentialName, "")] } : {}),
    ...(rule.insecureSkipVerify === true
      ? {}
      : { validationContextType: combined(sans, credential(credentialName, "-cacert")) }),
  };
}

const ownStream = { case: "ads" as const, value: {} };

/** Names of the secrets for which routers ask the control plane because of a rule. */
export function clientSecretNames({ credentialName, insecureSkipVerify, mode }: ClientTls): readonly string[] {
  if (credentialName === "" || credentialName.startsWith("builtin://")) return [];
  if (mode !== "SIMPLE" && mode !== "MUTUAL") return [];
  return [
    ...(mode === "MUTUAL" ? [credentialResource(credentialName, "")] : []),
    ...(insecureSkipVerify === true ? [] : [credentialResource(credentialName, "-cacert")]),
  ];
}

function credentialResource(name: string, suffix: "" | "-cacert"): string {
  const plain = name.startsWith("sds://") ? name.slice("sds://".length) : name;
  const typed = /^(kubernetes|kubernetes-gateway|configmap):\/\//.test(plain) ? plain : `kubernetes://${plain}`;
  return `${typed}${suffix}`;
}

/** A secret that the control plane sends: on the stream that brought the cluster, with Envoy's deadline, for it may not exist. */
function credential(name: string, suffix: "" | "-cacert"): SecretConfig {
  if (name.startsWith("builtin://")) return agentSecret(suffix === "" ? "default" : "ROOTCA");
  return {
    name: credentialResource(name, suffix),
    sdsConfig: { configSourceSpecifier: ownStream, resourceApiVersion: ApiVersion.V3 },
  };
}

/** A secret of the workload itself, which its agent keeps. */
function agentSecret(name: "default" | "ROOTCA"): SecretConfig {
  return { name, sdsConfig: agentSource };
}

const agentApi = {
  case: "apiConfigSource" as const,
  value: {
    apiType: ApiConfigSource_ApiType.GRPC,
    transportApiVersion: ApiVersion.V3,
    setNodeOnFirstMessageOnly: true,
    grpcServices: [{ targetSpecifier: { case: "envoyGrpc" as const, value: { clusterName: agentCluster } } }],
  },
};

/** Without a deadline: a workload without its certificate cannot call. */
const agentSource: Init<typeof ConfigSourceSchema> = {
  configSourceSpecifier: agentApi,
  initialFetchTimeout: duration(0),
  resourceApiVersion: ApiVersion.V3,
};

function combined(sans: readonly string[], validationContextSdsSecretConfig: SecretConfig) {
  return {
    case: "combinedValidationContext" as const,
    value: { defaultValidationContext: names(sans), validationContextSdsSecretConfig },
  };
}

function names(sans: readonly string[]): Init<typeof CertificateValidationContextSchema> {
  return sans.length === 0
    ? {}
    : {
        matchTypedSubjectAltNames: sans.map((san) => ({
          sanType: sanType(san),
          matcher: { matchPattern: { case: "exact" as const, value: san } },
        })),
      };
}

function sanType(name: string): SubjectAltNameMatcher_SanType {
  if (name.includes("://")) return SubjectAltNameMatcher_SanType.URI;
  return isIP(name) === 0 ? SubjectAltNameMatcher_SanType.DNS : SubjectAltNameMatcher_SanType.IP_ADDRESS;
}

function file(path: string) {
  return { specifier: { case: "filename" as const, value: path } };
}
