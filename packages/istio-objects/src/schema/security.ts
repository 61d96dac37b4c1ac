import { bool, duration, enumOf, listOf, mapOf, message, optional, text, type ValueOf } from "../proto-json.ts";
import { readMatchLabels, readTargetReference } from "./common.ts";

const readMutualTls = message({ mode: enumOf("UNSET", "DISABLE", "PERMISSIVE", "STRICT") });

/** Reads the fields of a PeerAuthentication. */
export const readPeerAuthentication = message({
  selector: optional(readMatchLabels),
  mtls: optional(readMutualTls),
  portLevelMtls: mapOf(readMutualTls),
});
/** `spec` of a PeerAuthentication. The keys of `portLevelMtls` are port numbers. */
export type PeerAuthentication = ValueOf<typeof readPeerAuthentication>;

const targets = {
  selector: optional(readMatchLabels),
  targetRef: optional(readTargetReference),
  targetRefs: listOf(readTargetReference),
};

/** Reads the fields of a RequestAuthentication. */
export const readRequestAuthentication = message({
  ...targets,
  jwtRules: listOf(
    message({
      issuer: text,
      audiences: listOf(text),
      jwksUri: text,
      jwks: text,
      fromHeaders: listOf(message({ name: text, prefix: text })),
      fromParams: listOf(text),
      outputPayloadToHeader: text,
      fromCookies: listOf(text),
      forwardOriginalToken: bool,
      outputClaimToHeaders: listOf(message({ header: text, claim: text })),
      timeout: optional(duration),
      spaceDelimitedClaims: listOf(text),
    }),
  ),
});
/** `spec` of a RequestAuthentication. */
export type RequestAuthentication = ValueOf<typeof readRequestAuthentication>;

/** Reads the fields of an AuthorizationPolicy. */
export const readAuthorizationPolicy = message({
  ...targets,
  rules: listOf(
    message({
      from: listOf(
        message({
          source: optional(
            message({
              principals: listOf(text),
              notPrincipals: listOf(text),
              requestPrincipals: listOf(text),
              notRequestPrincipals: listOf(text),
              namespaces: listOf(text),
              notNamespaces: listOf(text),
              serviceAccounts: listOf(text),
              notServiceAccounts: listOf(text),
              ipBlocks: listOf(text),
              notIpBlocks: listOf(text),
              remoteIpBlocks: listOf(text),
              notRemoteIpBlocks: listOf(text),
              trustDomains: listOf(text),
              notTrustDomains: listOf(text),
            }),
          ),
        }),
      ),
      to: listOf(
        message({
          operation: optional(
            message({
              hosts: listOf(text),
              notHosts: listOf(text),
              ports: listOf(text),
              notPorts: listOf(text),
              methods: listOf(text),
              notMethods: listOf(text),
              paths: listOf(text),
              notPaths: listOf(text),
            }),
          ),
        }),
      ),
      when: listOf(message({ key: text, values: listOf(text), notValues: listOf(text) })),
    }),
  ),
  action: enumOf("ALLOW", "DENY", "AUDIT", "CUSTOM"),
  provider: optional(message({ name: text })),
});
/** `spec` of an AuthorizationPolicy. */
export type AuthorizationPolicy = ValueOf<typeof readAuthorizationPolicy>;
