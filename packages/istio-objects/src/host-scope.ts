import { isIpAddress, labelFault, wildcardHostFault } from "./names.ts";

/** Checks a host of a Gateway: `host` or `namespace/host`. Gives what is wrong, or undefined. */
export function gatewayHostFault(written: string): string | undefined {
  const [namespace, host] = split(written);
  if (namespace === undefined) return scopedHostFault(host, true);
  if (namespace === "" || host === "") return `"${written}" lacks the namespace or the host`;
  const isName = namespace === "*" || namespace === ".";
  return (isName ? undefined : labelFault(namespace)) ?? scopedHostFault(host, true);
}

/** Checks a host of a Sidecar: `namespace/host`, where `~` before the namespace leaves the host out. */
export function sidecarHostFault(written: string): string | undefined {
  const [scope, host] = split(written);
  if (scope === undefined) return `"${written}" is not of the form namespace/host`;
  if (scope === "" || host === "") return `"${written}" lacks the namespace or the host`;
  const namespace = scope.startsWith("~") ? scope.slice(1) : scope;
  const isName = namespace === "" || namespace === "*" || namespace === ".";
  return (isName ? undefined : labelFault(namespace)) ?? scopedHostFault(host, false);
}

function split(written: string): readonly [namespace: string | undefined, host: string] {
  const slash = written.indexOf("/");
  return slash < 0 ? [undefined, written] : [written.slice(0, slash), written.slice(slash + 1)];
}

function scopedHostFault(host: string, ipFits: boolean): string | undefined {
  if (host === "*") return undefined;
  const isIp = ipFits && isIpAddress(host);
  if (!host.includes(".")) return `"${host}" is a short name: write the whole host name`;
  const fault = wildcardHostFault(host);
  if (fault !== undefined && !isIp) return fault;
  return host.includes("*") && !host.startsWith("*.")
    ? `"${host}" has a wildcard that is not a whole label`
    : undefined;
}
