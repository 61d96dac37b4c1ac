import type { TLSSocket } from "node:tls";

const hostname = /^(?:\*\.)?[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9_-]*[a-z0-9])?)*$/i;
const uri = /^[a-z][a-z0-9+.-]*:\/\/[^\s]+$/i;

/** Identities of the verified client certificate of a TLS connection; empty when there is none. */
export function peerIdentities(socket: TLSSocket): readonly string[] {
  if (!socket.authorized) return [];
  const names = socket.getPeerX509Certificate()?.subjectAltName;
  return names === undefined ? [] : parseSubjectAltName(names);
}

/**
 * URI and DNS names of a subject alternative name as Node prints it: `URI:spiffe://…, DNS:web`, with values in JSON quotes
 * where they hold special characters. A DNS entry that is no host name is left out, so that it cannot pass for a URI.
 */
export function parseSubjectAltName(names: string): readonly string[] {
  const identities: string[] = [];
  for (const [, kind, quoted, plain] of names.matchAll(/(?:^|, )([A-Za-z ]+):(?:("(?:[^"\\]|\\.)*")|([^,"]*))/g)) {
    const value = quoted === undefined ? plain : unquote(quoted);
    if (value === undefined) continue;
    if (kind === "URI" ? uri.test(value) : kind === "DNS" && hostname.test(value)) identities.push(value);
  }
  return identities;
}

function unquote(text: string): string | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "string" ? value : undefined;
  } catch {
    return undefined;
  }
}
