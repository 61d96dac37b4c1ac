import { isIP } from "node:net";

/** What of a request decides whether it may be answered. */
export interface AccessRequest {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site` and `Sec-Fetch-Mode`, which browsers set and pages cannot. */
  readonly fetchSite: string | undefined;
  readonly fetchMode: string | undefined;
}

/** What a route asks for beyond the rule for all. */
export interface AccessRule {
  /** Envoy names its cluster, not the server, in the Host of a REST request. */
  readonly anyHost?: boolean;
  /** Costly pages must not be opened by a link on another site. */
  readonly noLinks?: boolean;
  /** Something is changed: only pages of this very server may ask, not those of another port of this host either. */
  readonly write?: boolean;
}

/** Why a request is refused. */
export interface Refusal {
  readonly status: number;
  readonly code: string;
  readonly error: string;
}

/**
 * Keeps other sites' pages in a user's browser from reading this server. A page that rebinds its own name to our address
 * (DNS rebinding) still sends that name as Host, so only these names pass: `localhost` and names below it, IP addresses,
 * which cannot be rebound, and the configured ones.
 */
export function createAccess(
  allowedHosts: readonly string[],
): (request: AccessRequest, rule: AccessRule) => Refusal | undefined {
  const allowed = new Set(allowedHosts.map((host) => host.toLowerCase()));
  const isAllowed = (name: string | undefined): boolean =>
    name !== undefined &&
    (name === "localhost" || name.endsWith(".localhost") || isIP(name) !== 0 || allowed.has(name));
  return (request, rule) => {
    if (rule.anyHost !== true && !isAllowed(hostName(request.host)))
      return refusal(
        421,
        "SBX_HOST_REFUSED",
        "This name is not in the Host list; add it to the debug server's allowedHosts.",
      );
    if (request.origin !== undefined && !isAllowed(originName(request.origin)))
      return refusal(403, "SBX_ORIGIN_REFUSED", "Pages of other sites may not read this server.");
    if (rule.write === true && !isOwnPage(request))
      return refusal(403, "SBX_ORIGIN_REFUSED", "Pages of other sites may not change anything here.");
    const crossSite = request.fetchSite === "cross-site" || request.fetchSite === "same-site";
    if (crossSite && (rule.noLinks === true || request.fetchMode !== "navigate"))
      return refusal(403, "SBX_ORIGIN_REFUSED", "Pages of other sites may not read this server.");
    return undefined;
  };
}

/** Whether no page asks, or one that this server made: scheme and port count as well as the name. */
function isOwnPage({ fetchSite, host, origin }: AccessRequest): boolean {
  if (fetchSite !== undefined && fetchSite !== "same-origin" && fetchSite !== "none") return false;
  return origin === undefined || origin.toLowerCase() === `http://${host?.toLowerCase() ?? ""}`;
}

function refusal(status: number, code: string, error: string): Refusal {
  return { status, code, error };
}

/** The name in a Host header, lower-case, without port and brackets; `undefined` if it has not the form of one. */
function hostName(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+))(?::\d{1,5})?$/i.exec(host ?? "");
  return (match?.[1] ?? match?.[2])?.toLowerCase().replace(/\.$/, "");
}

function originName(origin: string): string | undefined {
  const match = /^https?:\/\/(.+)$/i.exec(origin);
  return match?.[1] === undefined ? undefined : hostName(match[1]);
}
