import { registryId, type ConfigObject } from "@signalbox/model";

const provenance = { registry: registryId("test", "valid"), object: "valid" };

/** An object of this kind with this spec, for tests. */
export function objectOf(
  kind: string,
  spec: unknown,
  annotations: Readonly<Record<string, string>> = {},
): ConfigObject & { readonly spec: unknown } {
  return { kind, namespace: "shop", name: "test", labels: {}, annotations, spec, provenance };
}

/** One object of each kind with rules that uses nearly every field, and has no fault. */
export const validSpecs = {
  VirtualService: {
    hosts: ["web.shop.svc.cluster.local", "*.example.com"],
    gateways: ["mesh", "edge/public"],
    http: [
      {
        name: "api",
        match: [
          {
            uri: { prefix: "/api" },
            method: { exact: "GET" },
            headers: { "x-user": { regex: "^(?i)[[:alpha:]]+$" }, ":authority": { prefix: "web" } },
            withoutHeaders: { "x-test": { regex: "*" } },
            queryParams: { page: { exact: "1" } },
            sourceLabels: { app: "client", "shop.example/tier": "" },
            sourceNamespace: "clients",
            gateways: ["mesh"],
            port: 80,
          },
          { uri: { regex: "/v\\d{1,3}/.*" }, scheme: { exact: "https" } },
        ],
        route: [
          {
            destination: { host: "web", subset: "v1", port: { number: 8080 } },
            weight: 90,
            headers: { response: { set: { "x-version": "%PROTOCOL% 100%%" } } },
          },
          { destination: { host: "web", subset: "v2" }, weight: 10 },
        ],
        timeout: "5s",
        retries: { attempts: 3, perTryTimeout: "250ms", retryOn: "5xx,reset,503", backoff: "10ms" },
        fault: {
          delay: { percentage: { value: 0.5 }, fixedDelay: "1s" },
          abort: { percentage: { value: 1 }, grpcStatus: "UNAVAILABLE" },
        },
        mirrors: [{ destination: { host: "shadow" }, percentage: { value: 12.5 } }],
        corsPolicy: {
          allowOrigins: [{ regex: "https://.*\\.example\\.com" }, { exact: "https://example.com" }],
          allowMethods: ["GET", "*"],
          allowHeaders: ["*", "x-token"],
          exposeHeaders: ["x-id"],
          maxAge: "1h",
        },
        headers: { request: { add: { "x-via": "mesh" }, set: { Host: "web.internal" }, remove: ["x-debug"] } },
        rewrite: { uriRegexRewrite: { match: "^/api/(.*)", rewrite: "/\\1" } },
      },
      { match: [{ uri: { exact: "/old" } }], redirect: { uri: "/new", redirectCode: 301, scheme: "https" } },
      { match: [{ uri: { prefix: "/teapot" } }], directResponse: { status: 418, body: { string: "short" } } },
      { match: [{ uri: { prefix: "/team" } }], delegate: { name: "team", namespace: "team" } },
      { route: [{ destination: { host: "web" } }] },
    ],
    tls: [
      {
        match: [{ sniHosts: ["a.example.com", "*.b.example.com"], port: 443, destinationSubnets: ["10.0.0.0/8"] }],
        route: [{ destination: { host: "tls.example.com", port: { number: 443 } } }],
      },
    ],
    tcp: [
      {
        match: [{ port: 5432, sourceLabels: { app: "client" } }],
        route: [
          { destination: { host: "db" }, weight: 1 },
          { destination: { host: "db-2" }, weight: 3 },
        ],
      },
    ],
    exportTo: [".", "clients"],
  },
  DestinationRule: {
    host: "*.shop.svc.cluster.local",
    trafficPolicy: {
      loadBalancer: {
        consistentHash: {
          httpCookie: { name: "user", ttl: "0s", attributes: [{ name: "SameSite", value: "Strict" }] },
          maglev: { tableSize: 65537 },
        },
        localityLbSetting: {
          distribute: [
            { from: "eu/a/*", to: { "eu/a/*": 80, "eu/b": 20 } },
            { from: "us", to: { us: 100 } },
          ],
        },
        warmup: { duration: "30s", minimumPercent: 10, aggression: 1.5 },
      },
      connectionPool: {
        tcp: { maxConnections: 100, connectTimeout: "30ms", idleTimeout: "0s", tcpKeepalive: { time: "7200s" } },
        http: {
          http2MaxRequests: 1000,
          maxRetries: 3,
          idleTimeout: "1m",
          http2KeepAlive: { interval: "10s", timeout: "1s" },
        },
      },
      outlierDetection: {
        splitExternalLocalOriginErrors: true,
        consecutiveLocalOriginFailures: 5,
        consecutive_5xx_errors: 7,
        interval: "5m",
        baseEjectionTime: "15m",
        maxEjectionPercent: 50,
      },
      tls: { mode: "MUTUAL", clientCertificate: "/c.pem", privateKey: "/k.pem", subjectAltNames: ["web"], sni: "web" },
      portLevelSettings: [
        { port: { number: 80 }, loadBalancer: { simple: "LEAST_REQUEST", localityLbSetting: { enabled: false } } },
        { port: { number: 443 }, tls: { mode: "SIMPLE", credentialName: "configmap://shop/ca" } },
      ],
      tunnel: { protocol: "CONNECT", targetHost: "proxy.example.com", targetPort: 3128 },
    },
    subsets: [
      { name: "v1", labels: { version: "v1" } },
      {
        name: "v2",
        labels: { version: "v2" },
        trafficPolicy: {
          loadBalancer: {
            simple: "ROUND_ROBIN",
            zoneAwareLbSetting: { enabled: true, failover: [{ from: "eu", to: "us" }], failoverPriority: ["tier=x"] },
          },
          outlierDetection: { interval: "1s" },
        },
      },
      { name: "v3", trafficPolicy: { proxyProtocol: { version: "V2" } } },
    ],
    exportTo: ["*"],
  },
} as const;
