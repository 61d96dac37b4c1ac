import type { ConfigObject } from "@signalbox/model";
import { FaultList, type Checked, type ObjectPath } from "./fault.ts";
import { gatewayHostFault } from "./host-scope.ts";
import { bindFault, labelFault, portFault, socketFault } from "./names.ts";
import { isOverTls, isPlainHttp, protocolFault } from "./protocols.ts";
import { readGateway, type Gateway, type GatewayServer } from "./schema/gateway.ts";
import { checkServerTls } from "./server-tls.ts";
import { socketPrefix } from "./workload-entry.ts";

/** Reads and checks `spec` of a Gateway by the rules of Istio's API reference and admission. Paths begin with `spec`. */
export function checkGateway(object: Pick<ConfigObject, "spec" | "name">): Checked<Gateway> {
  const faults = new FaultList();
  const value = readGateway(object.spec, ["spec"], faults);
  const nameFault = labelFault(object.name);
  if (nameFault !== undefined) faults.error(["metadata", "name"], nameFault);
  if (value.servers.length === 0) faults.error(["spec", "servers"], "at least one server is required");
  const names = new Set<string>();
  for (const [index, server] of value.servers.entries()) {
    const at = ["spec", "servers", index];
    checkServer(server, at, faults);
    const { port, tls } = server;
    if (port === undefined) continue;
    if (names.has(port.name)) faults.error([...at, "port", "name"], `another port is named "${port.name}"`);
    names.add(port.name);
    if (tls?.httpsRedirect === true && !isPlainHttp(port.protocol)) {
      faults.warning([...at, "tls", "httpsRedirect"], "has no effect: only a port of HTTP can redirect to HTTPS");
    }
  }
  return { value, faults: faults.faults };
}

function checkServer(server: GatewayServer, path: ObjectPath, faults: FaultList): void {
  if (server.hosts.length === 0) faults.error([...path, "hosts"], "at least one host is required");
  for (const [index, host] of server.hosts.entries()) {
    const fault = gatewayHostFault(host);
    if (fault !== undefined) faults.error([...path, "hosts", index], fault);
  }
  checkBind(server, path, faults);
  if (server.tls !== undefined) checkServerTls(server.tls, [...path, "tls"], faults);
  if (checkPort(server, path, faults)) checkProtocolAndTls(server, path, faults);
}

/** Whether the port is right, so that more can be said of it. */
function checkPort({ port, bind }: GatewayServer, path: ObjectPath, faults: FaultList): boolean {
  const at = [...path, "port"];
  if (port === undefined) {
    faults.error(at, "is required");
    return false;
  }
  const protocol = protocolFault(port.protocol);
  if (protocol !== undefined) faults.error([...at, "protocol"], protocol);
  const number = port.number === 0 && bind.startsWith(socketPrefix) ? undefined : portFault(port.number);
  if (number !== undefined) faults.error([...at, "number"], number);
  if (port.targetPort > 0) faults.rejected([...at, "targetPort"], "has no effect on a Gateway");
  if (port.name === "") faults.error([...at, "name"], "is required");
  return protocol === undefined && number === undefined && port.targetPort === 0 && port.name !== "";
}

function checkBind({ port, bind }: GatewayServer, path: ObjectPath, faults: FaultList): void {
  const fault = bind.startsWith(socketPrefix) ? socketFault(bind.slice(socketPrefix.length)) : bindFault(bind);
  if (fault !== undefined) faults.error([...path, "bind"], fault);
  if (bind.startsWith(socketPrefix) && port !== undefined && port.number !== 0) {
    faults.error([...path, "port", "number"], "a Unix socket has no port: the number must be 0");
  }
}

function checkProtocolAndTls({ port, tls }: GatewayServer, path: ObjectPath, faults: FaultList): void {
  const protocol = port?.protocol ?? "";
  const at = [...path, "tls"];
  if (isOverTls(protocol)) {
    if (tls === undefined) faults.error(at, `a port of ${protocol} needs it`);
    return;
  }
  if (tls === undefined) return;
  const passes = tls.mode === "PASSTHROUGH" || tls.mode === "AUTO_PASSTHROUGH";
  const hasKeys = tls.caCertificates !== "" || tls.privateKey !== "" || tls.serverCertificate !== "";
  // With HTTP it only says that requests are redirected.
  if (!isPlainHttp(protocol)) faults.error(at, `a port of ${protocol} has no TLS`);
  else if (!passes || hasKeys) faults.error(at, `a port of ${protocol} has no TLS: only httpsRedirect fits`);
}
