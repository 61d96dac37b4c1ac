// An xDS server for the Envoys of cluster "web": node examples/xds-server-only/server.mjs
import { typeUrls } from "@signalbox/envoy-api";
import { createXdsServer, resourceFromJson, SnapshotCache } from "@signalbox/xds-server";

const { PORT = "15010", LISTENER_PORT = "10000", BACKEND_PORT = "8080" } = process.env;
const extensions = "type.googleapis.com/envoy.extensions.filters";
const socket = (port) => ({ socketAddress: { address: "127.0.0.1", portValue: Number(port) } });
const ads = { ads: {}, resourceApiVersion: "V3" };

const cluster = { name: "backend", type: "EDS", edsClusterConfig: { edsConfig: ads } };
const lbEndpoints = [{ endpoint: { address: socket(BACKEND_PORT) } }];
const routes = [{ match: { prefix: "/" }, route: { cluster: "backend" } }];
const http = {
  "@type": `${extensions}.network.http_connection_manager.v3.HttpConnectionManager`,
  statPrefix: "web",
  rds: { routeConfigName: "web", configSource: ads },
  httpFilters: [{ name: "router", typedConfig: { "@type": `${extensions}.http.router.v3.Router` } }],
};
const filterChains = [{ filters: [{ name: "http", typedConfig: http }] }];
const snapshot = [
  [typeUrls.cluster, cluster],
  [typeUrls.endpoint, { clusterName: "backend", endpoints: [{ lbEndpoints }] }],
  [typeUrls.listener, { name: "web", address: socket(LISTENER_PORT), filterChains }],
  [typeUrls.route, { name: "web", virtualHosts: [{ name: "all", domains: ["*"], routes }] }],
];

const cache = new SnapshotCache({ groupOf: (node) => node.cluster });
cache.setSnapshot("web", new Map(snapshot.map(([type, json]) => [type, [resourceFromJson(type, json)]])));
const server = createXdsServer({ source: cache, plaintext: { port: Number(PORT) }, onEvent: console.log });
console.log("xDS on", (await server.listen()).plaintext);
process.once("SIGTERM", () => void server.drain(1_000));
