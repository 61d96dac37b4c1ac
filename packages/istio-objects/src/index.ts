export { checkObject, isCheckedKind } from "./check-object.ts";
export { isIstioVersion, isObjectDocument, parseConfigObject } from "./config-object.ts";
export { customResourceDefinitions } from "./custom-resources.ts";
export { FaultList } from "./fault.ts";
export { istioKinds } from "./istio-kinds.ts";
export { re2Fault } from "./re2.ts";
export { readDestinationRule } from "./schema/destination-rule.ts";
export { readEnvoyFilter } from "./schema/envoy-filter.ts";
export { readGateway } from "./schema/gateway.ts";
export { readSidecar } from "./schema/sidecar.ts";
export { readVirtualService } from "./schema/virtual-service.ts";
export { serviceEntryToRecords } from "./service-entry-records.ts";
export { checkServiceEntry } from "./service-entry.ts";
export { workloadEntryToWorkload } from "./workload-entry-workload.ts";
export { checkWorkloadEntry } from "./workload-entry.ts";
export type { CustomResourceDefinition, CustomResourceVersion } from "./custom-resources.ts";
export type { Checked, ObjectFault, ObjectPath } from "./fault.ts";
export type { IstioKind, PrinterColumn } from "./istio-kinds.ts";
export type { Read, ReadSchema } from "./proto-json.ts";
export type { ConnectionPool, Destination, ServerTls } from "./schema/common.ts";
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
export type { ServiceEntry, ServiceEntryPort } from "./service-entry.ts";
export type { WorkloadContext } from "./workload-entry-workload.ts";
export type { WorkloadEntry } from "./workload-entry.ts";
