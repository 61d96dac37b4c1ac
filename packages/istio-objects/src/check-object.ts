import type { ConfigObject } from "@signalbox/model";
import { checkAnnotations } from "./check-annotations.ts";
import { checkAuthorizationPolicy } from "./authorization-policy.ts";
import { checkDestinationRule } from "./destination-rule.ts";
import { checkEnvoyFilter } from "./envoy-filter.ts";
import type { Checked, ObjectFault } from "./fault.ts";
import { checkGateway } from "./gateway.ts";
import { checkPeerAuthentication } from "./peer-authentication.ts";
import { checkProxyConfig } from "./proxy-config.ts";
import { checkRequestAuthentication } from "./request-authentication.ts";
import { checkServiceEntry } from "./service-entry.ts";
import { checkSidecar } from "./sidecar.ts";
import { checkTelemetry } from "./telemetry.ts";
import { checkVirtualService } from "./virtual-service.ts";
import { checkWorkloadEntry } from "./workload-entry.ts";
import { checkWorkloadGroup } from "./workload-group.ts";

/** How each kind is checked: one line for each. */
const checks = new Map<string, (object: ConfigObject) => Checked<unknown>>([
  ["AuthorizationPolicy", checkAuthorizationPolicy],
  ["DestinationRule", checkDestinationRule],
  ["EnvoyFilter", checkEnvoyFilter],
  ["Gateway", checkGateway],
  ["PeerAuthentication", checkPeerAuthentication],
  ["ProxyConfig", checkProxyConfig],
  ["RequestAuthentication", checkRequestAuthentication],
  ["ServiceEntry", checkServiceEntry],
  ["Sidecar", checkSidecar],
  ["Telemetry", checkTelemetry],
  ["VirtualService", checkVirtualService],
  ["WorkloadEntry", checkWorkloadEntry],
  ["WorkloadGroup", checkWorkloadGroup],
]);

/** Whether `checkObject` looks at the `spec` of this kind. */
export function isCheckedKind(kind: string): boolean {
  return checks.has(kind);
}

/**
 * Checks an Istio object by the rules of Istio's admission: its annotations and, where its kind is known here (`isCheckedKind`), its `spec`.
 */
export function checkObject(object: ConfigObject): readonly ObjectFault[] {
  return [...checkAnnotations(object), ...(checks.get(object.kind)?.(object).faults ?? [])];
}
