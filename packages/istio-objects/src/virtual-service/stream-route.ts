import type { FaultList, ObjectPath } from "../fault.ts";
import { isIpAddress, portFault, subnetFault, wildcardHostFault } from "../names.ts";
import type { TcpRoute, TlsRoute } from "../schema/virtual-service.ts";
import { checkLabels } from "../workload-entry.ts";
import { checkTargets } from "./destinations.ts";
import { checkGatewayNames } from "./gateways.ts";
import { sniHostFault, type CoveredHosts } from "./hosts.ts";

/** What the VirtualService says of a rule for connections. */
export interface StreamRouteContext {
  readonly forGateways: boolean;
  readonly hosts: CoveredHosts;
  readonly gatewaySemantics: boolean;
}

/** Checks one rule for TLS connections. */
export function checkTlsRoute(route: TlsRoute, path: ObjectPath, context: StreamRouteContext, faults: FaultList): void {
  if (route.match.length === 0) faults.error([...path, "match"], "at least one match is required");
  for (const [index, match] of route.match.entries()) {
    const at = [...path, "match", index];
    if (match.sniHosts.length === 0) faults.error([...at, "sniHosts"], "at least one host is required");
    for (const [number, host] of match.sniHosts.entries())
      checkSniHost(host, [...at, "sniHosts", number], context, faults);
    checkConnectionMatch(match, at, faults);
  }
  checkTargetsOf(route, path, context, faults);
}

/** Checks one rule for other connections. */
export function checkTcpRoute(
  route: TcpRoute,
  path: ObjectPath,
  context: Pick<StreamRouteContext, "gatewaySemantics">,
  faults: FaultList,
): void {
  for (const [index, match] of route.match.entries()) checkConnectionMatch(match, [...path, "match", index], faults);
  checkTargetsOf(route, path, context, faults);
}

function checkTargetsOf(
  { route }: TlsRoute | TcpRoute,
  path: ObjectPath,
  { gatewaySemantics }: Pick<StreamRouteContext, "gatewaySemantics">,
  faults: FaultList,
): void {
  if (route.length === 0) faults.error([...path, "route"], "at least one destination is required");
  checkTargets(route, [...path, "route"], faults, { anyHost: gatewaySemantics });
}

function checkConnectionMatch(
  match: TlsRoute["match"][number] | TcpRoute["match"][number],
  path: ObjectPath,
  faults: FaultList,
): void {
  for (const [index, subnet] of match.destinationSubnets.entries()) {
    const fault = subnetFault(subnet);
    if (fault !== undefined) faults.error([...path, "destinationSubnets", index], fault);
  }
  const port = match.port === 0 ? undefined : portFault(match.port);
  if (port !== undefined) faults.error([...path, "port"], port);
  checkLabels(match.sourceLabels, [...path, "sourceLabels"], faults);
  checkGatewayNames(match.gateways, [...path, "gateways"], faults);
}

function checkSniHost(
  host: string,
  path: ObjectPath,
  { forGateways, hosts }: StreamRouteContext,
  faults: FaultList,
): void {
  const fault = forGateways ? sniHostFault(host) : wildcardHostFault(host);
  if (fault !== undefined && isIpAddress(host))
    faults.warning(path, `"${host}" is an address: clients send no server name for addresses`);
  else if (fault !== undefined) faults.error(path, fault);
  else if (!hosts.cover(host)) faults.error(path, `"${host}" is not covered by the hosts of the VirtualService`);
}
