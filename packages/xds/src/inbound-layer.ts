import { typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { portPolicy, type RuleBook } from "@signalbox/traffic";
import { resourceOf } from "@signalbox/xds-server";
import { inboundClusters } from "./clusters.ts";
import type { Directory } from "./directory.ts";
import { withLimits } from "./inbound-limits.ts";
import { inboundPorts, virtualInbound, type InboundPort } from "./inbound.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { inboundCluster } from "./names.ts";
import type { NodeScope } from "./node-scope.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import { atEndpoint, ingressPorts } from "./sidecar-ingress.ts";
import { LayeredView, type StagedView, type TableView } from "./views.ts";

/** The ports at which a workload is called: those of its Sidecar's ingress listeners, else those of its services. */
export function inboundOf(
  { client, node, sidecar }: NodeScope,
  directory: Directory,
  book: Pick<RuleBook, "destination">,
): readonly InboundPort[] {
  if (sidecar !== undefined && sidecar.spec.ingress.length > 0) return ingressPorts(sidecar.spec);
  const pool = sidecar?.spec.inboundConnectionPool;
  return inboundPorts(directory.servicesAt(node.addresses), node.addresses, (service, { number }) => {
    const rules = book.destination(service.hostname.toLowerCase(), service.namespace, client);
    const policy = portPolicy(rules, number, "");
    return { retryBudget: policy?.retryBudget, connectionPool: pool ?? policy?.connectionPool };
  });
}

/** A view with what a proxy has for the calls that its workload gets. */
export function inboundLayer(
  base: TableView,
  ports: readonly InboundPort[],
  style: ListenerStyle,
  settings: MeshSettings,
): StagedView {
  const byName = new Map(ports.map((port) => [inboundCluster(port.number), port]));
  const clusters = inboundClusters(ports, settings).map((cluster) => {
    const { endpoint, limits, protocol = "UNSUPPORTED" } = byName.get(cluster.name) ?? {};
    const limited = limits === undefined ? cluster : withLimits(cluster, protocol, limits, settings);
    return endpoint === undefined ? limited : atEndpoint(limited, endpoint);
  });
  const listener = virtualInbound(ports, style, settings);
  return new LayeredView(
    base,
    new Map([
      [typeUrls.cluster, clusters.map((cluster) => resourceOf(cluster.name, encoded(ClusterSchema, cluster)))],
      [typeUrls.listener, [resourceOf(listener.name, encoded(ListenerSchema, listener))]],
    ]),
  );
}
