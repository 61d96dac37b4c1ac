import { typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { resourceOf, type ResourceView } from "@signalbox/xds-server";
import { inboundClusters } from "./clusters.ts";
import type { Directory } from "./directory.ts";
import { inboundPorts, virtualInbound, type InboundPort } from "./inbound.ts";
import type { MeshSettings } from "./mesh.ts";
import { encoded } from "./messages.ts";
import { inboundCluster } from "./names.ts";
import type { NodeScope } from "./node-scope.ts";
import type { ListenerStyle } from "./outbound-listeners.ts";
import { atEndpoint, ingressPorts } from "./sidecar-ingress.ts";
import { LayeredView, type TableView } from "./views.ts";

/** The ports at which a workload is called: those of its Sidecar's ingress listeners, else those of its services. */
export function inboundOf({ node, sidecar }: NodeScope, directory: Directory): readonly InboundPort[] {
  if (sidecar !== undefined && sidecar.spec.ingress.length > 0) return ingressPorts(sidecar.spec);
  return inboundPorts(directory.servicesAt(node.addresses), node.addresses);
}

/** A view with what a proxy has for the calls that its workload gets. */
export function inboundLayer(
  base: TableView,
  ports: readonly InboundPort[],
  style: ListenerStyle,
  settings: MeshSettings,
): ResourceView {
  const endpoints = new Map(ports.map(({ endpoint, number }) => [inboundCluster(number), endpoint]));
  const clusters = inboundClusters(ports, settings).map((cluster) => {
    const endpoint = endpoints.get(cluster.name);
    return endpoint === undefined ? cluster : atEndpoint(cluster, endpoint);
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
