import type { ConfigObject } from "@signalbox/model";
import { checkRuleExportTo } from "./export-to.ts";
import { FaultList, type Checked } from "./fault.ts";
import { readVirtualService, type VirtualService } from "./schema/virtual-service.ts";
import { checkGatewayNames } from "./virtual-service/gateways.ts";
import { checkHosts, CoveredHosts, isForGateways } from "./virtual-service/hosts.ts";
import { checkHttpRoute } from "./virtual-service/http-route.ts";
import { checkTcpRoute, checkTlsRoute } from "./virtual-service/stream-route.ts";
import { warnOfCoveredPrefixes, warnOfUnreachable } from "./virtual-service/unreachable.ts";

/**
 * Reads and checks `spec` of a VirtualService by the rules of Istio's admission. Paths begin with `spec`. Whether hosts, subsets, gateways and
 * delegates are there is not asked: that takes more than one object.
 */
export function checkVirtualService(
  object: Pick<ConfigObject, "spec" | "namespace" | "annotations">,
): Checked<VirtualService> {
  const faults = new FaultList();
  const value = readVirtualService(object.spec, ["spec"], faults);
  const { exportTo, gateways, hosts, http, tcp, tls } = value;
  const delegated = hosts.length === 0;
  const gatewaySemantics = object.annotations["internal.istio.io/route-semantics"] === "gateway";
  const forGateways = isForGateways(value);
  if (delegated) checkDelegated(value, faults);
  checkGatewayNames(gateways, ["spec", "gateways"], faults, { anyName: gatewaySemantics });
  checkHosts(value, faults);
  if (http.length === 0 && tls.length === 0 && tcp.length === 0)
    faults.error(["spec"], "needs at least one rule in http, tls or tcp");
  for (const [index, route] of http.entries())
    checkHttpRoute(route, ["spec", "http", index], { forGateways, delegated, gatewaySemantics }, faults);
  const context = { forGateways, gatewaySemantics, hosts: new CoveredHosts(hosts) };
  for (const [index, route] of tls.entries()) checkTlsRoute(route, ["spec", "tls", index], context, faults);
  for (const [index, route] of tcp.entries()) checkTcpRoute(route, ["spec", "tcp", index], context, faults);
  checkRuleExportTo(exportTo, object.namespace, faults);
  for (const kind of ["http", "tls", "tcp"] as const) warnOfUnreachable(value[kind], ["spec", kind], faults);
  warnOfCoveredPrefixes(http, ["spec", "http"], faults);
  return { value, faults: faults.faults };
}

/** Checks a VirtualService without hosts, which others delegate HTTP requests to. Served, only its HTTP rules would count. */
function checkDelegated({ gateways, tcp, tls }: VirtualService, faults: FaultList): void {
  for (const [field, list] of Object.entries({ gateways, tls, tcp })) {
    if (list.length > 0) faults.rejected(["spec", field], "cannot be in a VirtualService without hosts");
  }
}
