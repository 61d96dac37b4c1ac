import { parseNode, type NodeLike } from "@signalbox/xds";
import type { Peer } from "@signalbox/xds-server";

const spiffe = /^spiffe:\/\/[^/]+\/ns\/([^/]+)\/sa\/[^/]+$/;

/**
 * Decides whether a client of the TLS port is served: what it says about its namespace must be in its certificate, as
 * `spiffe://<trust-domain>/ns/<namespace>/sa/<service-account>`, or it could read what other namespaces keep to themselves. A node
 * without a namespace sees only what everyone may see and is always served, as istiod does. The result is the reason of a refusal.
 * With `plaintextOpen`, a client without any name in a certificate is taken for one of the plaintext port, which asks for none.
 */
export function namespaceCheck(plaintextOpen: boolean): (node: NodeLike, peer: Peer) => string | undefined {
  return (node, { identities }) => {
    if (identities.length === 0 && plaintextOpen) return undefined;
    const namespace = saidNamespace(node);
    if (namespace === "") return undefined;
    const proven = provenNamespaces(identities);
    if (proven.includes(namespace)) return undefined;
    const has = proven.length === 0 ? "no namespace" : `namespace ${proven.join(", ")}`;
    return `the node says namespace ${namespace}, its certificate has ${has}`;
  };
}

/** The namespace that a node says it is of; empty for none. */
export function saidNamespace(node: NodeLike): string {
  return parseNode(node).namespace;
}

/** The namespaces that a certificate proves. */
export function provenNamespaces(identities: readonly string[]): readonly string[] {
  return identities.flatMap((identity) => spiffe.exec(identity)?.[1] ?? []);
}
