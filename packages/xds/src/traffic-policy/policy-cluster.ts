import { Cluster_LbPolicy } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { byCodeUnit, type CatalogInstance, type Port, type Service } from "@signalbox/model";
import type { PortPolicy } from "@signalbox/traffic";
import type { ClusterInit } from "../cluster-init.ts";
import {
  assignmentOf,
  clusterDiscovery,
  httpOptionsName,
  serviceCluster,
  type Capture,
  type ClusterDiscovery,
} from "../clusters.ts";
import { localityGroups, type LocalityGroup } from "../endpoints.ts";
import { grpcCluster } from "../grpc.ts";
import type { MeshSettings } from "../mesh.ts";
import { duration } from "../messages.ts";
import { keepalive, thresholds } from "./connection-pool.ts";
import { httpOptions, upstreamHttp } from "./http-options.ts";
import { balancing, ringHash } from "./load-balancer.ts";
import { localityConfig, localityRule, placed, type LocalityRule, type Place } from "./locality.ts";
import { outlierDetection } from "./outlier-detection.ts";
import { automaticNames, noNames, proxyProtocolSocket, tlsSocket } from "./tls.ts";

/** A cluster that a DestinationRule governs: one port of a service, all of its endpoints or those of a subset. */
export interface PolicyTarget {
  readonly name: string;
  readonly service: Service;
  readonly port: Port;
  readonly subset: string;
  /** The endpoints of the service, or of the subset. */
  readonly instances: readonly CatalogInstance[];
  readonly policy: PortPolicy | undefined;
  readonly place: Place;
  readonly settings: MeshSettings;
}

/** How the endpoints are found. `PASSTHROUGH` follows the dialled address, which only captured connections have. */
export function policyDiscovery(
  { instances, policy, port, service }: PolicyTarget,
  capture: Capture,
): ClusterDiscovery {
  const found = clusterDiscovery(service, port, instances, capture);
  const passes = policy?.loadBalancer?.simple === "PASSTHROUGH" && capture === "captured";
  return passes && found !== "DYNAMIC_FORWARD_PROXY" ? "ORIGINAL_DST" : found;
}

/** The cluster for an Envoy. */
export function policyCluster(target: PolicyTarget, discovery: ClusterDiscovery, capture: Capture): ClusterInit {
  const { instances, name, policy, port, service, settings } = target;
  const base = serviceCluster(service, port, instances, settings, discovery, name);
  const pool = policy?.connectionPool;
  const ejection = policy?.outlierDetection;
  const upstream = upstreamHttp(port.protocol, pool?.http, settings.h2Upgrade);
  const dynamic = discovery === "DYNAMIC_FORWARD_PROXY";
  const tls = policy?.tls;
  const secured =
    tls === undefined
      ? undefined
      : tlsSocket(tls, {
          istioSni: dynamic ? "" : istioSni(target),
          serviceAccounts: acceptedAccounts(target),
          http2: upstream === "http2",
          credentials: capture === "direct",
        });
  const socket = policy?.proxyProtocol === undefined ? secured : proxyProtocolSocket(policy.proxyProtocol, secured);
  const options = httpOptions({
    upstream,
    pool,
    outlierDetection: ejection,
    names: tls === undefined || secured === undefined ? noNames : automaticNames(tls, dynamic),
  });
  const connections = keepalive(settings.tcpKeepalive, pool);
  const chooses = discovery === "EDS" || discovery === "STRICT_DNS" || discovery === "LOGICAL_DNS";
  const { typedExtensionProtocolOptions: _, ...kept } = base;
  return {
    ...kept,
    connectTimeout: duration(pool?.tcp?.connectTimeout ?? settings.connectTimeout),
    circuitBreakers: { thresholds: [thresholds(policy ?? nothing)] },
    commonLbConfig: {
      healthyPanicThreshold: { value: Math.max(0, ejection?.minHealthPercent ?? 0) },
      ...(chooses ? localityConfig(ruleOf(target)) : {}),
    },
    ...(chooses && policy?.loadBalancer !== undefined ? balancing(policy.loadBalancer) : {}),
    ...(ejection === undefined ? {} : { outlierDetection: outlierDetection(ejection) }),
    ...(connections === undefined ? {} : { upstreamConnectionOptions: connections }),
    ...(socket === undefined ? {} : { transportSocket: socket }),
    ...(options === undefined ? {} : { typedExtensionProtocolOptions: { [httpOptionsName]: options } }),
    ...inlined(target, discovery),
  };
}

/**
 * The cluster for a gRPC client: what every gRPC library takes and none refuses. Rings stand for all hashing, round robin for all else;
 * of the limits there is that of requests. A gRPC client brings its own credentials: TLS is not its control plane's matter here.
 */
export function policyGrpcCluster(target: PolicyTarget, discovery: ClusterDiscovery): ClusterInit {
  const { instances, name, policy, port, service, settings } = target;
  const hash = policy?.loadBalancer?.consistentHash;
  const pool = policy?.connectionPool;
  const maxRequests = pool?.http?.http2MaxRequests ?? 0;
  return {
    ...grpcCluster(service, port, instances, settings, discovery, name),
    connectTimeout: duration(pool?.tcp?.connectTimeout ?? settings.connectTimeout),
    ...(hash === undefined ? { lbPolicy: Cluster_LbPolicy.ROUND_ROBIN } : ringHash(hash)),
    ...(maxRequests > 0 ? { circuitBreakers: { thresholds: [{ maxRequests }] } } : {}),
    ...(policy?.outlierDetection === undefined ? {} : { outlierDetection: outlierDetection(policy.outlierDetection) }),
  };
}

/** The endpoints as this client shall prefer them. */
export function policyGroups(
  target: PolicyTarget,
  addresses: Parameters<typeof localityGroups>[2],
): readonly LocalityGroup[] {
  return placed(localityGroups(target.instances, target.port.name, addresses), ruleOf(target), target.place);
}

/** Identities that mutual TLS accepts where the rule names none: those of the service and of its endpoints, sorted. */
export function acceptedAccounts({ instances, policy, service }: PolicyTarget): readonly string[] {
  const mode = policy?.tls?.mode;
  if (mode === undefined || mode === "DISABLE") return [];
  if (mode !== "ISTIO_MUTUAL") return service.serviceAccounts;
  const all = [...service.serviceAccounts, ...instances.map(({ serviceAccount }) => serviceAccount)];
  return [...new Set(all)].filter((account) => account !== "").sort(byCodeUnit);
}

function istioSni({ port, service, subset }: PolicyTarget): string {
  return `outbound_.${String(port.number)}_.${subset}_.${service.hostname}`;
}

function ruleOf({ policy, settings }: PolicyTarget): LocalityRule {
  return localityRule(policy, settings.localityLb);
}

function inlined(target: PolicyTarget, discovery: ClusterDiscovery): Partial<ClusterInit> {
  // LOGICAL_DNS has one endpoint: there is nothing to prefer.
  if (discovery !== "STRICT_DNS") return {};
  return { loadAssignment: assignmentOf(target.name, policyGroups(target, "ip-and-hostname")) };
}

const nothing = { connectionPool: undefined, retryBudget: undefined } as const;
