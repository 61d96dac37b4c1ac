// An xDS server for the Envoys of cluster "web": node examples/xds-server-only/server.mjs
import { fromJson, toBinary } from "@bufbuild/protobuf";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { createXdsServer, resourceOf, SnapshotCache } from "@signalbox/xds-server";

const port = Number(process.env.PORT ?? 15010);
const ads = { ads: {}, resourceApiVersion: "V3" };
const socket = (address, portValue) => ({ socketAddress: { address, portValue } });
const resource = (schema, name, json) =>
  resourceOf(name, toBinary(schema, fromJson(schema, json, { registry: anyRegistry })));
const http = "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";
const router = { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" };

const cluster = { name: "backend", type: "EDS", edsClusterConfig: { edsConfig: ads }, connectTimeout: "1s" };
const assignment = (...ports) => ({
  clusterName: "backend",
  endpoints: [{ lbEndpoints: ports.map((at) => ({ endpoint: { address: socket("127.0.0.1", at) } })) }],
});
const everything = { name: "all", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster: "backend" } }] };
const filters = [{ name: "router", typedConfig: router }];
const manager = { "@type": http, statPrefix: "web", httpFilters: filters };
const rds = { routeConfigName: "web", configSource: ads };
const chain = { filters: [{ name: "http", typedConfig: { ...manager, rds } }] };

const cache = new SnapshotCache({ groupOf: (node) => node.cluster });
const snapshot = new Map([
  [typeUrls.cluster, [resource(ClusterSchema, "backend", cluster)]],
  [typeUrls.endpoint, [resource(ClusterLoadAssignmentSchema, "backend", assignment(8080))]],
  [
    typeUrls.listener,
    [resource(ListenerSchema, "web", { name: "web", address: socket("127.0.0.1", 10000), filterChains: [chain] })],
  ],
  [typeUrls.route, [resource(RouteConfigurationSchema, "web", { name: "web", virtualHosts: [everything] })]],
]);
cache.setSnapshot("web", snapshot);

const server = createXdsServer({
  source: cache,
  plaintext: { port },
  onEvent: (event) => console.log(event.type, event),
});
console.log("xDS on", (await server.listen()).plaintext);
process.once("SIGTERM", () => void server.drain(1_000));
