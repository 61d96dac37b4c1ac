import { durationFault } from "./durations.ts";
import type { FaultList, ObjectPath } from "./fault.ts";
import type { ConnectionPool } from "./schema/common.ts";

/** Checks the connection pools of a workload's own ports, by the rules of Istio's admission. */
export function checkInboundPool(pool: ConnectionPool, path: ObjectPath, faults: FaultList): void {
  const { http, tcp } = pool;
  if (http === undefined && tcp === undefined) faults.error(path, "needs http or tcp");
  if (http !== undefined) checkHttp(http, [...path, "http"], faults);
  if (tcp !== undefined) checkTcp(tcp, [...path, "tcp"], faults);
}

function checkHttp(http: NonNullable<ConnectionPool["http"]>, path: ObjectPath, faults: FaultList): void {
  const counts = [
    "http1MaxPendingRequests",
    "http2MaxRequests",
    "maxRequestsPerConnection",
    "maxRetries",
    "maxConcurrentStreams",
  ] as const;
  for (const field of counts) {
    if (http[field] < 0) faults.error([...path, field], "must be at least 0");
  }
  checkDuration(http.idleTimeout, [...path, "idleTimeout"], faults);
  if (http.h2UpgradePolicy === "UPGRADE" && http.useClientProtocol) {
    faults.error([...path, "useClientProtocol"], "cannot stand beside h2UpgradePolicy UPGRADE");
  }
  const keepAlive = http.http2KeepAlive;
  if (keepAlive === undefined) return;
  for (const field of ["interval", "timeout"] as const) {
    const at = [...path, "http2KeepAlive", field];
    if (keepAlive[field] === undefined) faults.error(at, "is required");
    checkDuration(keepAlive[field], at, faults);
  }
}

function checkTcp(tcp: NonNullable<ConnectionPool["tcp"]>, path: ObjectPath, faults: FaultList): void {
  if (tcp.maxConnections < 0) faults.error([...path, "maxConnections"], "must be at least 0");
  checkDuration(tcp.connectTimeout, [...path, "connectTimeout"], faults);
  checkDuration(tcp.maxConnectionDuration, [...path, "maxConnectionDuration"], faults);
  // 0s means: no timeout.
  const idles = tcp.idleTimeout !== undefined && Math.trunc(tcp.idleTimeout) !== 0;
  if (idles) checkDuration(tcp.idleTimeout, [...path, "idleTimeout"], faults);
  checkDuration(tcp.tcpKeepalive?.time, [...path, "tcpKeepalive", "time"], faults);
  checkDuration(tcp.tcpKeepalive?.interval, [...path, "tcpKeepalive", "interval"], faults);
}

function checkDuration(value: number | undefined, path: ObjectPath, faults: FaultList): void {
  const fault = value === undefined ? undefined : durationFault(value);
  if (fault !== undefined) faults.error(path, fault);
}
