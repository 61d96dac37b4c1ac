import { checkInboundPool } from "./connection-pool.ts";
import type { FaultList, ObjectPath } from "./fault.ts";
import { bindFault, labelFault, portFault, socketFault } from "./names.ts";
import { isOverTls, isPlainHttp, protocolFault } from "./protocols.ts";
import type { ServerTls } from "./schema/common.ts";
import type { IngressListener } from "./schema/sidecar.ts";
import { checkServerTls } from "./server-tls.ts";
import { socketPrefix } from "./workload-entry.ts";

/** Where an application may listen: its own host, by any name that needs no other. */
const ownAddresses: readonly string[] = ["", "127.0.0.1", "0.0.0.0", "::1", "::"];

/** Checks the inbound listeners of a Sidecar. */
export function checkIngress(listeners: readonly IngressListener[], faults: FaultList): void {
  const numbers = new Set<number>();
  for (const [index, listener] of listeners.entries()) {
    const at = ["spec", "ingress", index];
    const { port, bind, defaultEndpoint, tls, connectionPool } = listener;
    if (port === undefined) {
      faults.error([...at, "port"], "is required");
      continue;
    }
    checkPort(port, at, faults);
    const fault = bindFault(bind);
    if (fault !== undefined) faults.error([...at, "bind"], fault);
    if (numbers.has(port.number)) faults.error([...at, "port", "number"], `another port has the number ${port.number}`);
    numbers.add(port.number);
    const endpoint = defaultEndpoint === "" ? undefined : endpointFault(defaultEndpoint);
    if (endpoint !== undefined) faults.error([...at, "defaultEndpoint"], endpoint);
    if (tls !== undefined) checkTls(tls, port.protocol, [...at, "tls"], faults);
    if (connectionPool === undefined) continue;
    checkInboundPool(connectionPool, [...at, "connectionPool"], faults);
    if (connectionPool.http !== undefined && !isPlainHttp(port.protocol)) {
      faults.warning([...at, "connectionPool", "http"], "has no effect: the port is not one of HTTP");
    }
  }
}

/** Checks what ports of inbound and outbound listeners have in common, except their number. */
export function checkPort(
  port: NonNullable<IngressListener["port"]>,
  path: ObjectPath,
  faults: FaultList,
  numberIsFree = false,
): void {
  const at = [...path, "port"];
  const name = port.name === "" ? undefined : labelFault(port.name);
  if (name !== undefined) faults.error([...at, "name"], name);
  const protocol = port.protocol === "" ? undefined : protocolFault(port.protocol);
  if (protocol !== undefined) faults.error([...at, "protocol"], protocol);
  const number = numberIsFree ? undefined : portFault(port.number);
  if (number !== undefined) faults.error([...at, "number"], number);
  if (port.targetPort > 0) faults.rejected([...at, "targetPort"], "has no effect on a Sidecar");
}

function endpointFault(endpoint: string): string | undefined {
  if (endpoint.startsWith(socketPrefix)) return socketFault(endpoint.slice(socketPrefix.length));
  const parts = /^(?:\[(?<inner>[^[\]]*)\]|(?<plain>[^:[\]]*)):(?<port>[^:[\]]*)$/.exec(endpoint)?.groups;
  const host = parts?.["inner"] ?? parts?.["plain"];
  if (parts === undefined || host === undefined || !ownAddresses.includes(host)) {
    return `"${endpoint}" is not 127.0.0.1:port, 0.0.0.0:port, [::1]:port, [::]:port or unix:///path`;
  }
  const port = parts["port"] ?? "";
  return /^[-+]?[0-9]+$/.test(port) ? portFault(Number(port)) : `"${port}" is not the number of a port`;
}

function checkTls(tls: ServerTls, protocol: string, path: ObjectPath, faults: FaultList): void {
  const given = {
    subjectAltNames: tls.subjectAltNames.length > 0,
    httpsRedirect: tls.httpsRedirect,
    credentialName: tls.credentialName !== "",
    credentialNames: tls.credentialNames.length > 0,
    tlsCertificates: tls.tlsCertificates.length > 0,
  };
  for (const [field, isGiven] of Object.entries(given)) {
    if (isGiven) faults.error([...path, field], "does not work for a Sidecar");
  }
  if (tls.mode === "ISTIO_MUTUAL" || tls.mode === "AUTO_PASSTHROUGH") {
    faults.error([...path, "mode"], `${tls.mode} does not work for a Sidecar`);
  }
  if (!isOverTls(protocol)) faults.error(path, "needs a port of HTTPS or TLS");
  checkServerTls(tls, path, faults);
}
