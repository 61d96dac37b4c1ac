import { isIP } from "node:net";

const label = /^[a-z0-9](?:[-a-z0-9]*[a-z0-9])?$/i;
const wildcardLabel = /^(?:\*|(?:\*-?)?[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)$/i;
const labelName = /^(?:[a-z0-9][-a-z0-9_.]*)?[a-z0-9]$/i;
const longestLabel = 63;
const longestName = 253;
const longestHost = 255;

// Every check gives what is wrong, or undefined. The rules are those that Istio's admission applies (RFC 1123 in both cases of letters).

/** Checks one DNS label: a port's or a namespace's name. */
export function labelFault(name: string): string | undefined {
  if (name.length <= longestLabel && label.test(name)) return undefined;
  return `"${name}" is not a DNS label (letters, digits and "-", at most ${longestLabel})`;
}

/** Checks a full or short host name without wildcards. One final dot is allowed. */
export function hostFault(host: string): string | undefined {
  return lengthFault(host) ?? labelsFault(host, host);
}

/** Checks a host name whose first label may be or begin with `*`. */
export function wildcardHostFault(host: string): string | undefined {
  const dot = host.indexOf(".");
  const first = dot < 0 ? host : host.slice(0, dot);
  const tooLong = lengthFault(host);
  if (tooLong !== undefined) return tooLong;
  if (first.length > longestLabel || !wildcardLabel.test(first)) return badLabel(host, first);
  return dot < 0 ? undefined : labelsFault(host, host.slice(dot + 1));
}

/** Checks an IP address, or a block of them in CIDR notation. */
export function subnetFault(address: string): string | undefined {
  const [ip = "", bits, ...rest] = address.split("/");
  const version = isIP(ip);
  if (version === 0 || ip.includes("%")) return `"${address}" is not an IP address or CIDR block`;
  if (bits === undefined) return undefined;
  const most = version === 4 ? 32 : 128;
  if (rest.length > 0 || !/^(?:0|[1-9][0-9]{0,2})$/.test(bits) || Number(bits) > most) {
    return `"${address}" is not a CIDR block: the prefix length is 0 to ${most}`;
  }
  return undefined;
}

/** Checks the path of a Unix socket: absolute, or an abstract name that begins with `@`. */
export function socketFault(path: string): string | undefined {
  if (path.startsWith("@")) return undefined;
  return path.startsWith("/") && !path.endsWith("/") ? undefined : `"${path}" is not the absolute path of a socket`;
}

/** Checks a port number. */
export function portFault(port: number): string | undefined {
  return port >= 1 && port <= 65535 ? undefined : `port ${port} is not in 1..65535`;
}

/** Checks the key of a label. */
export function labelKeyFault(key: string): string | undefined {
  const slash = key.indexOf("/");
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  const name = key.slice(slash + 1);
  const prefixFits =
    prefix === undefined || (prefix.length <= longestName && prefix.split(".").every((part) => label.test(part)));
  if (prefixFits && name.length <= longestLabel && labelName.test(name)) return undefined;
  return `"${key}" is not the key of a label`;
}

/** Checks the value of a label. */
export function labelValueFault(value: string): string | undefined {
  return value === "" || labelName.test(value) ? undefined : `"${value}" is not the value of a label`;
}

/** Checks a duration in milliseconds: Envoy gets whole milliseconds, and at least one. */
export function durationFault(milliseconds: number): string | undefined {
  if (milliseconds < 1) return "must be at least 1ms";
  return isWhole(milliseconds) ? undefined : "must be whole milliseconds";
}

/** Whether a number is whole, but for the error of reading it as a sum of decimal fractions. */
export function isWhole(number: number): boolean {
  const tolerance = Math.max(5e-7, Math.abs(number) * 2 ** -50);
  return Math.abs(number - Math.round(number)) < tolerance;
}

/** Whether a text is an IP address, without zone. */
export function isIpAddress(address: string): boolean {
  return isIP(address) !== 0 && !address.includes("%");
}

function lengthFault(host: string): string | undefined {
  if (host === "") return "a host name must not be empty";
  return host.length > longestHost ? `"${host}" is longer than ${longestHost}` : undefined;
}

function labelsFault(host: string, labels: string): string | undefined {
  const parts = labels.split(".");
  const last = parts.at(-1) ?? "";
  // Istio reads a number of 64 bits; what does not fit is not a number to it.
  if (/^[-+]?[0-9]+$/.test(last) && Math.abs(Number(last)) < 2 ** 63)
    return `"${host}" is not a host name: its last label must not be a number`;
  if (parts.at(-1) === "") parts.pop();
  const bad = parts.find((part) => part.length > longestLabel || !label.test(part));
  return bad === undefined ? undefined : badLabel(host, bad);
}

function badLabel(host: string, part: string): string {
  return `"${host}" is not a host name: its label "${part}" is not letters, digits and "-"`;
}

/** Checks the IP address that a listener binds; one with a zone fits. Empty is any address. */
export function bindFault(address: string): string | undefined {
  return address === "" || isIP(address) !== 0 ? undefined : `"${address}" is not an IP address`;
}
