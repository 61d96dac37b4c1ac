import type { FaultList, ObjectPath } from "../fault.ts";
import { durationFault } from "../names.ts";
import type { ConnectionPool } from "../schema/common.ts";

/** Checks bounds and times of connections. */
export function checkConnectionPool(pool: ConnectionPool | undefined, path: ObjectPath, faults: FaultList): void {
  if (pool === undefined) return;
  if (pool.http === undefined && pool.tcp === undefined) faults.error(path, "needs http or tcp");
  if (pool.http !== undefined) checkHttp(pool.http, [...path, "http"], faults);
  if (pool.tcp !== undefined) checkTcp(pool.tcp, [...path, "tcp"], faults);
}

function checkHttp(http: NonNullable<ConnectionPool["http"]>, path: ObjectPath, faults: FaultList): void {
  const counts = [
    "http1MaxPendingRequests",
    "http2MaxRequests",
    "maxRequestsPerConnection",
    "maxRetries",
    "maxConcurrentStreams",
  ] as const;
  for (const field of counts) checkCount(http[field], [...path, field], faults);
  checkTime(http.idleTimeout, [...path, "idleTimeout"], faults);
  if (http.h2UpgradePolicy === "UPGRADE" && http.useClientProtocol)
    faults.error([...path, "useClientProtocol"], "cannot stand beside h2UpgradePolicy UPGRADE");
  if (http.http2KeepAlive === undefined) return;
  for (const field of ["interval", "timeout"] as const) {
    const at = [...path, "http2KeepAlive", field];
    if (http.http2KeepAlive[field] === undefined) faults.error(at, "is required");
    checkTime(http.http2KeepAlive[field], at, faults);
  }
}

function checkTcp(tcp: NonNullable<ConnectionPool["tcp"]>, path: ObjectPath, faults: FaultList): void {
  checkCount(tcp.maxConnections, [...path, "maxConnections"], faults);
  checkTime(tcp.connectTimeout, [...path, "connectTimeout"], faults);
  checkTime(tcp.maxConnectionDuration, [...path, "maxConnectionDuration"], faults);
  // Zero turns this timeout off.
  const { idleTimeout } = tcp;
  if (Math.trunc(idleTimeout ?? 0) !== 0) checkTime(idleTimeout, [...path, "idleTimeout"], faults);
  checkTime(tcp.tcpKeepalive?.time, [...path, "tcpKeepalive", "time"], faults);
  checkTime(tcp.tcpKeepalive?.interval, [...path, "tcpKeepalive", "interval"], faults);
}

function checkCount(count: number, path: ObjectPath, faults: FaultList): void {
  if (count < 0) faults.error(path, "must not be negative");
}

function checkTime(milliseconds: number | undefined, path: ObjectPath, faults: FaultList): void {
  const fault = milliseconds === undefined ? undefined : durationFault(milliseconds);
  if (fault !== undefined) faults.error(path, fault);
}
