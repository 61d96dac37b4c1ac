import type { ConfigObject } from "@signalbox/model";
import { checkAnnotations } from "./annotations.ts";
import { checkAuthorizationPolicy } from "./authorization-policy.ts";
import { checkEnvoyFilter } from "./envoy-filter.ts";
import type { Checked, ObjectFault } from "./fault.ts";
import { checkGateway } from "./gateway.ts";
import { checkPeerAuthentication } from "./peer-authentication.ts";
import { checkProxyConfig } from "./proxy-config.ts";
import { checkRequestAuthentication } from "./request-authentication.ts";
import { checkServiceEntry } from "./service-entry.ts";
import { checkSidecar } from "./sidecar.ts";
import { checkTelemetry } from "./telemetry.ts";
import { checkWorkloadEntry } from "./workload-entry.ts";
import { checkWorkloadGroup } from "./workload-group.ts";

/** What checks `spec` of each kind that is known here. */
const checks = new Map<string, (object: ConfigObject) => Checked<unknown>>([
  ["AuthorizationPolicy", checkAuthorizationPolicy],
  ["EnvoyFilter", checkEnvoyFilter],
  ["Gateway", checkGateway],
  ["PeerAuthentication", checkPeerAuthentication],
  ["ProxyConfig", checkProxyConfig],
  ["RequestAuthentication", checkRequestAuthentication],
  ["ServiceEntry", checkServiceEntry],
  ["Sidecar", checkSidecar],
  ["Telemetry", checkTelemetry],
  ["WorkloadEntry", checkWorkloadEntry],
  ["WorkloadGroup", checkWorkloadGroup],
]);

/** Checks an object whose kind is known here by the rules of Istio's admission. Objects of other kinds have no faults. */
export function checkObject(object: ConfigObject): readonly ObjectFault[] {
  const check = checks.get(object.kind);
  return check === undefined ? [] : [...checkAnnotations(object), ...check(object).faults];
}
