export { checkObject, isCheckedKind } from "./check-object.ts";
export { checkAuthorizationPolicy } from "./authorization-policy.ts";
export { checkEnvoyFilter } from "./envoy-filter.ts";
export { checkGateway } from "./gateway.ts";
export { checkPeerAuthentication } from "./peer-authentication.ts";
export { checkProxyConfig } from "./proxy-config.ts";
export { checkRequestAuthentication } from "./request-authentication.ts";
export { checkSidecar } from "./sidecar.ts";
export { checkTelemetry } from "./telemetry.ts";
export { checkWorkloadGroup } from "./workload-group.ts";
export { isIstioVersion, isObjectDocument, parseConfigObject } from "./config-object.ts";
export { checkDestinationRule } from "./destination-rule.ts";
export { serviceEntryToRecords } from "./service-entry-records.ts";
export { checkServiceEntry } from "./service-entry.ts";
export { checkVirtualService } from "./virtual-service.ts";
export { workloadEntryToWorkload } from "./workload-entry-workload.ts";
export { customResourceDefinitions } from "./custom-resources.ts";
export { istioKinds } from "./istio-kinds.ts";
export { checkWorkloadEntry } from "./workload-entry.ts";
export type { Checked, ObjectFault, ObjectPath } from "./fault.ts";
export type { ServiceEntry, ServiceEntryPort } from "./service-entry.ts";
export type { WorkloadContext } from "./workload-entry-workload.ts";
export type { WorkloadEntry } from "./workload-entry.ts";
export { readAuthorizationPolicy, readPeerAuthentication, readRequestAuthentication } from "./schema/security.ts";
export { readDestinationRule } from "./schema/destination-rule.ts";
export { readEnvoyFilter } from "./schema/envoy-filter.ts";
export { readGateway } from "./schema/gateway.ts";
export { readProxyConfig, readTelemetry } from "./schema/telemetry.ts";
export { readSidecar } from "./schema/sidecar.ts";
export { readVirtualService } from "./schema/virtual-service.ts";
export { readWorkloadGroup } from "./schema/workload-group.ts";
export { FaultList } from "./fault.ts";
export type { Read } from "./proto-json.ts";
export type { ConnectionPool, Destination, ServerTls, TargetReference } from "./schema/common.ts";
export type { AuthorizationPolicy, PeerAuthentication, RequestAuthentication } from "./schema/security.ts";
export type {
  ClientTls,
  DestinationRule,
  LoadBalancer,
  OutlierDetection,
  Subset,
  TrafficPolicy,
} from "./schema/destination-rule.ts";
export type { ConfigPatch, EnvoyFilter } from "./schema/envoy-filter.ts";
export type { Gateway, GatewayServer } from "./schema/gateway.ts";
export type { EgressListener, IngressListener, Sidecar } from "./schema/sidecar.ts";
export type { ProxyConfig, Telemetry } from "./schema/telemetry.ts";
export type {
  HeadersPolicy,
  HttpMatch,
  HttpRoute,
  RouteDestination,
  StringMatch,
  TcpRoute,
  TlsRoute,
  VirtualService,
} from "./schema/virtual-service.ts";
export type { WorkloadGroup } from "./schema/workload-group.ts";
export type { CustomResourceDefinition, CustomResourceVersion } from "./custom-resources.ts";
export type { IstioKind, PrinterColumn } from "./istio-kinds.ts";
export type { ReadSchema } from "./proto-json.ts";
