import { fromBinary, toJson } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { Port } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { CompiledService, type Flavour } from "../compiled-service.ts";
import { meshSettings, type MeshConfig } from "../mesh.ts";
import { entryOf, type ServiceSketch } from "../testing/catalog.ts";
import { governedBy, policyOf } from "../testing/policy.ts";

interface Made {
  readonly flavour?: Flavour;
  readonly mesh?: MeshConfig;
  readonly service?: Partial<ServiceSketch>;
  readonly protocol?: Port["protocol"];
  /** Name of the cluster; that of the whole service by default. */
  readonly name?: string;
}

const instances = [
  { address: "10.0.0.1:8080", labels: { version: "v1" } },
  { address: "10.0.0.2:8080", labels: { version: "v2" } },
];
const sketch = (protocol: Port["protocol"] = "HTTP", service: Partial<ServiceSketch> = {}) =>
  entryOf({ hostname: "web.test", ports: [{ number: 80, protocol }], instances, ...service });

/** The JSON form of a cluster of a service that one DestinationRule governs. */
function clusterOf(spec: object, made: Made = {}): Record<string, unknown> {
  const { flavour = "captured", mesh = {}, name = "outbound|80||web.test", protocol, service } = made;
  const compiled = new CompiledService(
    sketch(protocol, service),
    meshSettings(mesh),
    undefined,
    governedBy(policyOf(spec)),
  );
  const found = compiled.resources(flavour).clusters.find((cluster) => cluster.name === name);
  expect(found, name).toBeDefined();
  const cluster = fromBinary(ClusterSchema, found?.bytes ?? new Uint8Array());
  return toJson(ClusterSchema, cluster, { registry: anyRegistry }) as Record<string, unknown>;
}
const withPolicy = (trafficPolicy: object, made?: Made) => clusterOf({ trafficPolicy }, made);
const http = (cluster: Record<string, unknown>) =>
  (cluster["typedExtensionProtocolOptions"] as Record<string, unknown> | undefined)?.[
    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions"
  ];
const unlimited = 4294967295;
const none = {
  maxConnections: unlimited,
  maxPendingRequests: unlimited,
  maxRequests: unlimited,
  maxRetries: unlimited,
};

it("a rule that says nothing of connections leaves the cluster as it is without rules", () => {
  for (const flavour of ["captured", "direct", "grpc"] as const) {
    for (const protocol of ["HTTP", "GRPC", "TCP", "UNSUPPORTED"] as const) {
      for (const resolution of ["STATIC", "DNS", "DNS_ROUND_ROBIN", "NONE", "DYNAMIC_DNS"] as const) {
        const entry = sketch(protocol, { resolution });
        const plain = new CompiledService(entry, meshSettings({})).resources(flavour);
        const ruled = new CompiledService(entry, meshSettings({}), undefined, governedBy(policyOf({}))).resources(
          flavour,
        );
        expect(ruled, `${flavour} ${protocol} ${resolution}`).toEqual(plain);
      }
    }
  }
});

it("the mesh's keepalive and HTTP/2 upgrade hold for services without rules too", () => {
  const settings = meshSettings({ tcpKeepalive: { time: "9s" }, h2UpgradePolicy: "UPGRADE" });
  for (const protocol of ["HTTP", "GRPC", "TCP", "UNSUPPORTED"] as const) {
    for (const resolution of ["STATIC", "DNS", "NONE"] as const) {
      const entry = sketch(protocol, { resolution });
      const plain = new CompiledService(entry, settings).resources("captured");
      expect(new CompiledService(entry, settings, undefined, governedBy(policyOf({}))).resources("captured")).toEqual(
        plain,
      );
      expect(plain).not.toEqual(new CompiledService(entry, meshSettings({})).resources("captured"));
    }
  }
});

describe("connection pools", () => {
  it("set the limits that are given, and no others", () => {
    const cluster = withPolicy({
      connectionPool: {
        tcp: { maxConnections: 7 },
        http: { http1MaxPendingRequests: 1, http2MaxRequests: 2, maxRetries: 3 },
      },
    });
    expect(cluster["circuitBreakers"]).toEqual({
      thresholds: [{ maxConnections: 7, maxPendingRequests: 1, maxRequests: 2, maxRetries: 3 }],
    });
    expect(withPolicy({ connectionPool: { tcp: { maxConnections: 0 } } })["circuitBreakers"]).toEqual({
      thresholds: [none],
    });
  });

  it("set a retry budget with Istio's defaults of 20 percent and 3 retries", () => {
    expect(withPolicy({ retryBudget: {} })["circuitBreakers"]).toEqual({
      thresholds: [{ ...none, retryBudget: { budgetPercent: { value: 20 }, minRetryConcurrency: 3 } }],
    });
    expect(withPolicy({ retryBudget: { percent: 5, minRetryConcurrency: 9 } })).toMatchObject({
      circuitBreakers: { thresholds: [{ retryBudget: { budgetPercent: { value: 5 }, minRetryConcurrency: 9 } }] },
    });
  });

  it("set the connect timeout, else the mesh's", () => {
    expect(withPolicy({ connectionPool: { tcp: { connectTimeout: "30ms" } } })["connectTimeout"]).toBe("0.030s");
    expect(withPolicy({ connectionPool: { tcp: {} } }, { mesh: { connectTimeout: "4s" } })["connectTimeout"]).toBe(
      "4s",
    );
  });

  it.each([
    [
      "the rule's over the mesh's, member by member",
      { time: "7200s" },
      { probes: 2, interval: "5s" },
      { keepaliveProbes: 2, keepaliveTime: 7200, keepaliveInterval: 5 },
    ],
    ["an empty one, which has the system's values", {}, undefined, {}],
    ["the mesh's alone", undefined, { time: "9s" }, { keepaliveTime: 9 }],
  ])("set keepalive: %s", (_, tcpKeepalive, mesh, expected) => {
    const cluster = withPolicy(
      { connectionPool: { tcp: tcpKeepalive === undefined ? {} : { tcpKeepalive } } },
      { mesh: mesh === undefined ? {} : { tcpKeepalive: mesh } },
    );
    expect(cluster["upstreamConnectionOptions"]).toEqual({ tcpKeepalive: expected });
  });

  it("set what HTTP connections have in common, an HTTP idle timeout before a TCP one", () => {
    const tcp = { maxConnectionDuration: "60s", idleTimeout: "5s" };
    expect(http(withPolicy({ connectionPool: { tcp, http: { maxRequestsPerConnection: 4 } } }))).toMatchObject({
      commonHttpProtocolOptions: { idleTimeout: "5s", maxConnectionDuration: "60s", maxRequestsPerConnection: 4 },
      explicitHttpConfig: { httpProtocolOptions: {} },
    });
    expect(http(withPolicy({ connectionPool: { tcp, http: { idleTimeout: "3s" } } }))).toMatchObject({
      commonHttpProtocolOptions: { idleTimeout: "3s" },
    });
  });

  const h2 = { explicitHttpConfig: { http2ProtocolOptions: {} } };
  const asClient = { useDownstreamProtocolConfig: { httpProtocolOptions: {}, http2ProtocolOptions: {} } };
  it.each([
    ["HTTP", { h2UpgradePolicy: "UPGRADE" }, undefined, h2],
    ["TCP", { h2UpgradePolicy: "UPGRADE" }, undefined, h2],
    ["UNSUPPORTED", { h2UpgradePolicy: "UPGRADE" }, undefined, asClient],
    ["HTTP", { h2UpgradePolicy: "DEFAULT" }, "UPGRADE", h2],
    ["TCP", { h2UpgradePolicy: "DEFAULT" }, "UPGRADE", undefined],
    ["HTTP", { h2UpgradePolicy: "DO_NOT_UPGRADE" }, "UPGRADE", undefined],
    ["HTTP", { h2UpgradePolicy: "UPGRADE", useClientProtocol: true }, undefined, asClient],
    ["GRPC", { useClientProtocol: true }, undefined, asClient],
    ["GRPC", { h2UpgradePolicy: "DO_NOT_UPGRADE" }, undefined, h2],
  ] as const)("choose the HTTP version of %s with %o and the mesh's %s", (protocol, pool, mesh, expected) => {
    const cluster = withPolicy(
      { connectionPool: { http: pool } },
      { protocol, mesh: mesh === undefined ? {} : { h2UpgradePolicy: mesh } },
    );
    if (expected === undefined) expect(http(cluster)).toBeUndefined();
    else expect(http(cluster)).toMatchObject(expected);
  });

  it("set streams and keepalive of HTTP/2 connections, which others do not have", () => {
    const pool = { maxConcurrentStreams: 5, http2KeepAlive: { interval: "10s", timeout: "2s" } };
    expect(http(withPolicy({ connectionPool: { http: pool } }, { protocol: "HTTP2" }))).toMatchObject({
      explicitHttpConfig: {
        http2ProtocolOptions: { maxConcurrentStreams: 5, connectionKeepalive: { interval: "10s", timeout: "2s" } },
      },
    });
    expect(http(withPolicy({ connectionPool: { http: pool } }))).toBeUndefined();
  });
});

describe("load balancers", () => {
  const bias = { activeRequestBias: { runtimeKey: "signalbox.active_request_bias" } };
  it.each([
    ["least requests by default", {}, { lbPolicy: "LEAST_REQUEST", leastRequestLbConfig: bias }],
    ["LEAST_CONN", { simple: "LEAST_CONN" }, { lbPolicy: "LEAST_REQUEST", leastRequestLbConfig: bias }],
    ["LEAST_REQUEST", { simple: "LEAST_REQUEST" }, { lbPolicy: "LEAST_REQUEST", leastRequestLbConfig: bias }],
    ["RANDOM", { simple: "RANDOM" }, { lbPolicy: "RANDOM" }],
    [
      "a ring of at least 1024 by default",
      { consistentHash: { useSourceIp: true } },
      { lbPolicy: "RING_HASH", ringHashLbConfig: { minimumRingSize: "1024" } },
    ],
    [
      "the older size of a ring",
      { consistentHash: { useSourceIp: true, minimumRingSize: 5 } },
      { lbPolicy: "RING_HASH", ringHashLbConfig: { minimumRingSize: "5" } },
    ],
    [
      "a ring with its size",
      { consistentHash: { httpHeaderName: "x", ringHash: { minimumRingSize: 64 } } },
      { lbPolicy: "RING_HASH", ringHashLbConfig: { minimumRingSize: "64" } },
    ],
    [
      "Maglev with its size",
      { consistentHash: { httpHeaderName: "x", maglev: { tableSize: 101 } } },
      { lbPolicy: "MAGLEV", maglevLbConfig: { tableSize: "101" } },
    ],
    ["Maglev", { consistentHash: { httpHeaderName: "x", maglev: {} } }, { lbPolicy: "MAGLEV" }],
    [
      "warmup",
      { simple: "LEAST_REQUEST", warmup: { duration: "30s" } },
      {
        leastRequestLbConfig: {
          ...bias,
          slowStartConfig: {
            slowStartWindow: "30s",
            aggression: { defaultValue: 1, runtimeKey: "signalbox.slow_start_aggression" },
            minWeightPercent: { value: 10 },
          },
        },
      },
    ],
    [
      "warmup of round robin",
      { simple: "ROUND_ROBIN", warmup: { duration: "1s", aggression: 2, minimumPercent: 50 } },
      { roundRobinLbConfig: { slowStartConfig: { aggression: { defaultValue: 2 }, minWeightPercent: { value: 50 } } } },
    ],
    [
      "the older warmup",
      { warmupDurationSecs: "5s" },
      { leastRequestLbConfig: { slowStartConfig: { slowStartWindow: "5s" } } },
    ],
  ])("are Envoy's: %s", (_, loadBalancer, expected) => {
    expect(withPolicy({ loadBalancer })).toMatchObject(expected);
  });

  it("PASSTHROUGH follows the dialled address where there is one", () => {
    const loadBalancer = { simple: "PASSTHROUGH" };
    expect(withPolicy({ loadBalancer })).toMatchObject({ type: "ORIGINAL_DST", lbPolicy: "CLUSTER_PROVIDED" });
    expect(withPolicy({ loadBalancer })["edsClusterConfig"]).toBeUndefined();
    expect(withPolicy({ loadBalancer }, { flavour: "direct" })).toMatchObject({
      type: "EDS",
      lbPolicy: "LEAST_REQUEST",
    });
  });

  it("leave clusters alone that do not choose", () => {
    const service = { resolution: "NONE" } as const;
    const cluster = withPolicy({ loadBalancer: { simple: "RANDOM" } }, { service });
    expect(cluster).toMatchObject({ type: "ORIGINAL_DST", lbPolicy: "CLUSTER_PROVIDED" });
  });
});

describe("outlier detection", () => {
  it.each([
    ["nothing but that success rates do not eject", {}, { enforcingSuccessRate: 0 }],
    [
      "errors in a row",
      {
        consecutive5xxErrors: 3,
        consecutiveGatewayErrors: 0,
        interval: "1s",
        baseEjectionTime: "3m",
        maxEjectionPercent: 90,
      },
      {
        enforcingSuccessRate: 0,
        consecutive5xx: 3,
        enforcingConsecutive5xx: 100,
        consecutiveGatewayFailure: 0,
        enforcingConsecutiveGatewayFailure: 0,
        interval: "1s",
        baseEjectionTime: "180s",
        maxEjectionPercent: 90,
      },
    ],
    [
      "errors of the client's own side",
      { splitExternalLocalOriginErrors: true, consecutiveLocalOriginFailures: 4 },
      {
        enforcingSuccessRate: 0,
        splitExternalLocalOriginErrors: true,
        consecutiveLocalOriginFailure: 4,
        enforcingConsecutiveLocalOriginFailure: 100,
        enforcingLocalOriginSuccessRate: 0,
      },
    ],
    ["those only where they are split", { consecutiveLocalOriginFailures: 4 }, { enforcingSuccessRate: 0 }],
  ])("says %s", (_, outlierDetection, expected) => {
    expect(withPolicy({ outlierDetection })["outlierDetection"]).toEqual(expected);
  });

  it("sets the panic threshold, which is 0 otherwise", () => {
    const threshold = (outlierDetection: object) => withPolicy({ outlierDetection })["commonLbConfig"];
    expect(threshold({ minHealthPercent: 40 })).toMatchObject({ healthyPanicThreshold: { value: 40 } });
    expect(threshold({})).toMatchObject({ healthyPanicThreshold: {} });
  });
});

describe("subsets", () => {
  const subsets = [
    { name: "v1", labels: { version: "v1" }, trafficPolicy: { loadBalancer: { simple: "RANDOM" } } },
    { name: "v2", labels: { version: "v2" } },
  ];

  it("have clusters and assignments beside the whole service's", () => {
    const compiled = new CompiledService(sketch(), meshSettings({}), undefined, governedBy(policyOf({ subsets })));
    for (const flavour of ["captured", "direct", "grpc"] as const) {
      const { assignments, clusters } = compiled.resources(flavour);
      const names = ["outbound|80||web.test", "outbound|80|v1|web.test", "outbound|80|v2|web.test"];
      expect(clusters.map(({ name }) => name)).toEqual(names);
      expect(assignments.map(({ name }) => name)).toEqual(names);
    }
  });

  it("put what they say over what the host says", () => {
    const spec = {
      trafficPolicy: { loadBalancer: { simple: "ROUND_ROBIN" }, connectionPool: { tcp: { maxConnections: 1 } } },
      subsets,
    };
    expect(clusterOf(spec)["lbPolicy"]).toBeUndefined();
    expect(clusterOf(spec, { name: "outbound|80|v1|web.test" })).toMatchObject({
      lbPolicy: "RANDOM",
      edsClusterConfig: { serviceName: "outbound|80|v1|web.test" },
      circuitBreakers: { thresholds: [{ maxConnections: 1 }] },
    });
  });

  it("let settings of a port stand for all others", () => {
    const port = { port: { number: 80 }, connectionPool: { tcp: { maxConnections: 2 } } };
    const cluster = withPolicy({ loadBalancer: { simple: "RANDOM" }, portLevelSettings: [port] });
    expect(cluster).toMatchObject({
      lbPolicy: "LEAST_REQUEST",
      circuitBreakers: { thresholds: [{ maxConnections: 2 }] },
    });
  });

  it("hold their endpoints in the cluster where names are looked up", () => {
    const service = { resolution: "DNS" } as const;
    const text = JSON.stringify(clusterOf({ subsets }, { service, name: "outbound|80|v2|web.test" })["loadAssignment"]);
    expect(text).toContain("10.0.0.2");
    expect(text).not.toContain("10.0.0.1");
  });

  it("have none where the hosts come with the requests", () => {
    const entry = sketch("HTTP", { hostname: "*.test", resolution: "DYNAMIC_DNS" });
    const compiled = new CompiledService(entry, meshSettings({}), undefined, governedBy(policyOf({ subsets })));
    expect(compiled.resources("captured").clusters).toHaveLength(1);
  });
});

describe("new endpoints", () => {
  const settings = meshSettings({});
  const spec = {
    subsets: [{ name: "v1", labels: { version: "v1" } }],
    trafficPolicy: { tls: { mode: "ISTIO_MUTUAL" } },
  };
  const first = new CompiledService(sketch(), settings, undefined, governedBy(policyOf(spec)));

  it("leave the clusters as they are", () => {
    const more = sketch("HTTP", { instances: instances.slice(1) });
    const next = new CompiledService(more, settings, first, governedBy(policyOf(spec))).resources("captured");
    const before = first.resources("captured");
    next.clusters.forEach((cluster, at) => expect(cluster).toBe(before.clusters[at]));
    expect(next.assignments).not.toEqual(before.assignments);
  });

  it("change the clusters that name their identities", () => {
    const more = sketch("HTTP", {
      instances: instances.map((one) => ({ ...one, serviceAccount: "spiffe://t/ns/a/sa/b" })),
    });
    const next = new CompiledService(more, settings, first, governedBy(policyOf(spec))).resources("captured");
    expect(next.clusters).not.toEqual(first.resources("captured").clusters);
  });

  it("do not keep clusters when the rules are others", () => {
    const next = new CompiledService(sketch(), settings, first, governedBy(policyOf({})));
    expect(next.resources("captured")).toEqual(new CompiledService(sketch(), settings).resources("captured"));
    expect(new CompiledService(sketch(), settings, first).resources("captured")).toEqual(next.resources("captured"));
  });
});

describe("gRPC clients", () => {
  it.each([
    ["round robin, whatever else is asked for", { loadBalancer: { simple: "LEAST_REQUEST" } }, {}],
    [
      "rings for Maglev too",
      { loadBalancer: { consistentHash: { httpHeaderName: "x", maglev: {} } } },
      { lbPolicy: "RING_HASH" },
    ],
    [
      "a limit of requests",
      { connectionPool: { http: { http2MaxRequests: 3 } } },
      { circuitBreakers: { thresholds: [{ maxRequests: 3 }] } },
    ],
    ["outlier detection", { outlierDetection: { interval: "2s" } }, { outlierDetection: { interval: "2s" } }],
    ["no TLS", { tls: { mode: "ISTIO_MUTUAL" } }, {}],
  ])("get %s", (_, trafficPolicy, expected) => {
    const base = { name: "outbound|80||web.test", type: "EDS", connectTimeout: "10s" };
    const cluster = withPolicy(trafficPolicy, { flavour: "grpc" });
    expect(cluster).toMatchObject({ ...base, ...expected });
    expect(cluster["transportSocket"]).toBeUndefined();
    if (!("lbPolicy" in expected)) expect(cluster["lbPolicy"]).toBeUndefined();
  });
});
