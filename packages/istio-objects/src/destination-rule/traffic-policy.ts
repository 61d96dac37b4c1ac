import type { FaultList, ObjectPath } from "../fault.ts";
import { durationFault, hostFault, isIpAddress, portFault } from "../names.ts";
import type { OutlierDetection, TrafficPolicy } from "../schema/destination-rule.ts";
import { checkClientTls } from "./client-tls.ts";
import { checkConnectionPool } from "./connection-pool.ts";
import { checkLoadBalancer } from "./load-balancer.ts";

type PortPolicy = TrafficPolicy["portLevelSettings"][number];

/** Checks what a rule says of connections to a host or to one of its subsets. */
export function checkTrafficPolicy(
  policy: TrafficPolicy | undefined,
  path: ObjectPath,
  namespace: string,
  faults: FaultList,
): void {
  if (policy === undefined) return;
  const { portLevelSettings, proxyProtocol, retryBudget, tunnel } = policy;
  const more = [tunnel, proxyProtocol, retryBudget].some((part) => part !== undefined);
  if (!saysAnything(policy) && portLevelSettings.length === 0 && !more)
    faults.error(path, "needs at least one setting");
  if (tunnel !== undefined && proxyProtocol !== undefined)
    faults.error([...path, "proxyProtocol"], "cannot stand beside tunnel");
  checkSettings(policy, path, namespace, faults);
  for (const [index, settings] of portLevelSettings.entries()) {
    const at = [...path, "portLevelSettings", index];
    if (settings.port === undefined) faults.error([...at, "port"], "is required");
    if (!saysAnything(settings)) faults.error(at, "needs at least one setting");
    checkSettings(settings, at, namespace, faults);
  }
  if (tunnel !== undefined) checkTunnel(tunnel, [...path, "tunnel"], faults);
}

function saysAnything({ connectionPool, loadBalancer, outlierDetection, tls }: PortPolicy | TrafficPolicy): boolean {
  return [connectionPool, loadBalancer, outlierDetection, tls].some((part) => part !== undefined);
}

function checkSettings(
  { connectionPool, loadBalancer, outlierDetection, tls }: PortPolicy | TrafficPolicy,
  path: ObjectPath,
  namespace: string,
  faults: FaultList,
): void {
  if (outlierDetection !== undefined) checkOutliers(outlierDetection, [...path, "outlierDetection"], faults);
  checkConnectionPool(connectionPool, [...path, "connectionPool"], faults);
  checkLoadBalancer(loadBalancer, [...path, "loadBalancer"], outlierDetection !== undefined, faults);
  checkClientTls(tls, [...path, "tls"], namespace, faults);
}

function checkOutliers(outliers: OutlierDetection, path: ObjectPath, faults: FaultList): void {
  for (const field of ["interval", "baseEjectionTime"] as const) {
    const time = outliers[field];
    const fault = time === undefined ? undefined : durationFault(time);
    if (fault !== undefined) faults.error([...path, field], fault);
  }
  for (const field of ["maxEjectionPercent", "minHealthPercent"] as const) {
    if (outliers[field] < 0 || outliers[field] > 100) faults.error([...path, field], "must be from 0 to 100");
  }
  if (outliers.consecutiveErrors !== 0)
    faults.warning(
      [...path, "consecutiveErrors"],
      "is out of date: use consecutive5xxErrors or consecutiveGatewayErrors",
    );
  if (!outliers.splitExternalLocalOriginErrors && (outliers.consecutiveLocalOriginFailures ?? 0) > 0)
    faults.error([...path, "consecutiveLocalOriginFailures"], "needs splitExternalLocalOriginErrors: true");
}

function checkTunnel(
  { protocol, targetHost, targetPort }: NonNullable<TrafficPolicy["tunnel"]>,
  path: ObjectPath,
  faults: FaultList,
): void {
  if (!["", "CONNECT", "POST"].includes(protocol)) faults.error([...path, "protocol"], "must be CONNECT or POST");
  if (hostFault(targetHost) !== undefined && !isIpAddress(targetHost))
    faults.error([...path, "targetHost"], `"${targetHost}" is neither a whole host name nor an IP address`);
  const port = portFault(targetPort);
  if (port !== undefined) faults.error([...path, "targetPort"], port);
}
