const token = /^[-!#$%&'*+.^_`|~A-Za-z0-9]+$/;
const pseudoHeaders = new Set([":method", ":scheme", ":authority", ":path", ":status"]);
const claims = "@request.auth.claims";

/** Whether the name of a header stands for a claim of the request's token: `@request.auth.claims.group`, `@request.auth.claims[group]`. */
export function isClaim(name: string): boolean {
  if (!name.toLowerCase().startsWith(claims)) return false;
  return /^(?:\..|\[.+\]$)/su.test(name.slice(claims.length));
}

/** Checks the name of a header in a match; claims and HTTP/2's pseudo headers are allowed. */
export function matchedHeaderFault(name: string): string | undefined {
  return isClaim(name) || pseudoHeaders.has(name) ? undefined : headerNameFault(name);
}

/** Checks the name of a header in CORS; `*` is allowed. */
export function corsHeaderFault(name: string): string | undefined {
  return name === "*" ? undefined : headerNameFault(name);
}

/** Whether the header is the request's authority. */
export function isAuthority(name: string): boolean {
  const lower = name.toLowerCase();
  return lower === ":authority" || lower === "host";
}

/** Checks the name of a header that is set, added or removed. Only `withAuthority` may it be the authority. */
export function changedHeaderFault(name: string, withAuthority: boolean): string | undefined {
  if (name === "") return "the name of a header must not be empty";
  if (isAuthority(name)) return withAuthority ? undefined : `"${name}" can only be set or added, and on requests`;
  return name.startsWith(":") ? `"${name}" is HTTP's own header: it cannot be changed` : undefined;
}

function headerNameFault(name: string): string | undefined {
  if (name === "") return "the name of a header must not be empty";
  return token.test(name) ? undefined : `"${name}" is not the name of a header`;
}
