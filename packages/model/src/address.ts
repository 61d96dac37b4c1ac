import { isIP, isIPv4, isIPv6 } from "node:net";

/**
 * The one spelling of an IP address. IPv6 in the form of RFC 5952 (lower case, longest run of zeros cut), a zone kept as
 * it is; IPv4 has only one. Text that is no IP address comes back unchanged. An IPv4-mapped address stays IPv6.
 */
export function canonicalIp(ip: string): string {
  if (!ip.includes(":") || !isIPv6(ip)) return ip;
  const zoneAt = ip.indexOf("%");
  const address = zoneAt < 0 ? ip : ip.slice(0, zoneAt);
  const zone = zoneAt < 0 ? "" : ip.slice(zoneAt);
  return compress(groupsOf(address)) + zone;
}

/** Whether the text is an IPv4 or IPv6 address. */
export function isIpAddress(text: string): boolean {
  return isIP(text) !== 0;
}

/** Whether the text is an IP address with a prefix length: `10.0.0.0/8`, `2001:db8::/32`. */
export function isCidr(text: string): boolean {
  const slash = text.indexOf("/");
  if (slash < 0) return false;
  const ip = text.slice(0, slash);
  const length = text.slice(slash + 1);
  if (!/^(0|[1-9][0-9]{0,2})$/.test(length)) return false;
  return (isIPv4(ip) && Number(length) <= 32) || (isIPv6(ip) && Number(length) <= 128);
}

const dnsLabel = /^[a-z0-9_]([-a-z0-9_]{0,61}[a-z0-9_])?$/i;

/**
 * Whether the text is a DNS name: labels of letters, digits, dashes and (as in Consul's and Eureka's names) underscores,
 * 253 characters at most, a dot at the end allowed. An IP address is not a name. With `wildcard` the first label may
 * be `*`; a bare `*` is never a hostname.
 */
export function isHostname(text: string, options?: { readonly wildcard?: boolean }): boolean {
  let name = text.endsWith(".") ? text.slice(0, -1) : text;
  if (options?.wildcard === true && name.startsWith("*.")) name = name.slice(2);
  if (name.length > 253 || isIPv4(name)) return false;
  return name.split(".").every((label) => dnsLabel.test(label));
}

/** The eight 16-bit groups of a valid IPv6 address without a zone. */
function groupsOf(address: string): number[] {
  const halves = address.split("::");
  const head = groupsOfHalf(halves[0] ?? "");
  if (halves.length === 1) return head;
  const tail = groupsOfHalf(halves[1] ?? "");
  return [...head, ...new Array<number>(8 - head.length - tail.length).fill(0), ...tail];
}

function groupsOfHalf(half: string): number[] {
  if (half === "") return [];
  return half.split(":").flatMap((part) => {
    if (!part.includes(".")) return [Number.parseInt(part, 16)];
    const [a = 0, b = 0, c = 0, d = 0] = part.split(".").map(Number);
    return [a * 256 + b, c * 256 + d];
  });
}

function compress(groups: readonly number[]): string {
  let start = 0;
  let length = 0;
  for (let at = 0; at < groups.length; at++) {
    let end = at;
    while (end < groups.length && groups[end] === 0) end++;
    if (end - at > length) [start, length] = [at, end - at];
    at = end;
  }
  const hex = groups.map((group) => group.toString(16));
  if (length < 2) return hex.join(":");
  return `${hex.slice(0, start).join(":")}::${hex.slice(start + length).join(":")}`;
}
