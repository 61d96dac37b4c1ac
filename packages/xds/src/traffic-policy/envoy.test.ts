import { execFile } from "node:child_process";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { BootstrapSchema } from "@signalbox/envoy-api/envoy/config/bootstrap/v3/bootstrap";
import {
  Cluster_DiscoveryType,
  ClusterSchema,
  type Cluster,
} from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ApiConfigSource_ApiType, ApiVersion } from "@signalbox/envoy-api/envoy/config/core/v3/config_source";
import { expect, it } from "vitest";
import { CompiledService } from "../compiled-service.ts";
import { meshSettings } from "../mesh.ts";
import { entryOf } from "../testing/catalog.ts";
import { installedEnvoy } from "../testing/envoy.ts";
import { governedBy, policyOf } from "../testing/policy.ts";

const run = promisify(execFile);
const envoy = installedEnvoy();
// A self-signed certificate with its key, made for this test alone.
const certificates = (folder: string) => ({
  clientCertificate: join(folder, "cert.pem"),
  privateKey: join(folder, "key.pem"),
  caCertificates: join(folder, "cert.pem"),
});

const policies = (folder: string): readonly object[] => {
  const files = certificates(folder);
  return [
    {},
    {
      connectionPool: {
        tcp: {
          maxConnections: 1,
          connectTimeout: "30ms",
          tcpKeepalive: { probes: 1, time: "7s", interval: "1s" },
          maxConnectionDuration: "9s",
          idleTimeout: "8s",
        },
        http: {
          http1MaxPendingRequests: 1,
          http2MaxRequests: 2,
          maxRetries: 3,
          maxRequestsPerConnection: 4,
          h2UpgradePolicy: "UPGRADE",
          maxConcurrentStreams: 5,
          http2KeepAlive: { interval: "10s", timeout: "2s" },
        },
      },
      retryBudget: { percent: 5, minRetryConcurrency: 9, budgetInterval: "2s" },
    },
    { connectionPool: { http: { useClientProtocol: true, idleTimeout: "1s" } } },
    { loadBalancer: { simple: "RANDOM" } },
    { loadBalancer: { simple: "PASSTHROUGH" } },
    { loadBalancer: { simple: "ROUND_ROBIN", warmup: { duration: "30s", aggression: 2, minimumPercent: 50 } } },
    { loadBalancer: { simple: "LEAST_REQUEST", warmupDurationSecs: "30s" } },
    { loadBalancer: { consistentHash: { useSourceIp: true } } },
    { loadBalancer: { consistentHash: { useSourceIp: true, maglev: { tableSize: 101 } } } },
    { loadBalancer: { localityLbSetting: { distribute: [{ from: "*", to: { "r1/*": 100 } }] } } },
    { loadBalancer: { zoneAwareLbSetting: { minClusterSize: 3 } } },
    {
      outlierDetection: {
        consecutive5xxErrors: 3,
        consecutiveGatewayErrors: 2,
        splitExternalLocalOriginErrors: true,
        consecutiveLocalOriginFailures: 2,
        interval: "1s",
        baseEjectionTime: "3s",
        maxEjectionPercent: 90,
        minHealthPercent: 30,
        outlierDetectionHttpErrorCodes: [500, 503],
      },
      loadBalancer: { localityLbSetting: { failover: [{ from: "r1", to: "r2" }] } },
    },
    { outlierDetection: { outlierDetectionHttpErrorCodes: [429] } },
    { tls: { mode: "DISABLE" } },
    {
      tls: {
        mode: "SIMPLE",
        caCertificates: files.caCertificates,
        sni: "web.test",
        subjectAltNames: ["web.test", "spiffe://a/b", "10.0.0.1"],
      },
    },
    { tls: { mode: "SIMPLE", insecureSkipVerify: true } },
    { tls: { mode: "SIMPLE", caCertificates: files.caCertificates } },
    { tls: { mode: "MUTUAL", ...files }, connectionPool: { http: { h2UpgradePolicy: "UPGRADE" } } },
    { tls: { mode: "ISTIO_MUTUAL" }, proxyProtocol: { version: "V2" } },
    { proxyProtocol: { version: "V1" } },
  ];
};

function clustersOf(folder: string): readonly Cluster[] {
  const instances = [
    { address: "10.0.0.1:80", locality: { region: "r1", zone: "z", subzone: "" }, labels: { version: "v1" } },
    { address: "10.0.0.2:80", locality: { region: "r2", zone: "z", subzone: "" } },
  ];
  return policies(folder).flatMap((trafficPolicy, at) =>
    (["STATIC", "DNS", "DNS_ROUND_ROBIN", "NONE", "DYNAMIC_DNS"] as const).flatMap((resolution) => {
      const ports = [
        { number: 80, protocol: "HTTP" },
        { number: 81, protocol: "GRPC" },
        { number: 82, protocol: "UNSUPPORTED" },
      ] as const;
      const all = instances.flatMap((one) =>
        ports.map(({ number }) => ({ ...one, servicePort: `p${String(number)}` })),
      );
      const entry = entryOf({ hostname: `web-${String(at)}.${resolution}.test`, resolution, ports, instances: all });
      const spec = { trafficPolicy, subsets: [{ name: "v1", labels: { version: "v1" } }] };
      const place = { locality: { region: "r1", zone: "z", subzone: "" } };
      const compiled = new CompiledService(
        entry,
        meshSettings({ tcpKeepalive: {} }),
        undefined,
        governedBy(policyOf(spec, place)),
      );
      return compiled.resources("captured").clusters.map(({ bytes }) => fromBinary(ClusterSchema, bytes));
    }),
  );
}

it.skipIf(envoy === undefined)("Envoy loads every kind of governed cluster", async () => {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-clusters-"));
  try {
    const { clientCertificate, privateKey } = certificates(folder);
    const subject = ["-subj", "/CN=web.test", "-days", "2", "-keyout", privateKey, "-out", clientCertificate];
    await run("openssl", ["req", "-x509", "-newkey", "rsa:2048", "-nodes", ...subject]);
    const plain = (name: string) =>
      create(ClusterSchema, {
        name,
        clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.STATIC },
        loadAssignment: { clusterName: name },
      });
    const clusters = clustersOf(folder);
    const names = new Set(clusters.map(({ name }) => name));
    expect(names.size).toBe(clusters.length);
    const bootstrap = create(BootstrapSchema, {
      node: { id: "a", cluster: "b" },
      dynamicResources: {
        adsConfig: {
          apiType: ApiConfigSource_ApiType.GRPC,
          transportApiVersion: ApiVersion.V3,
          grpcServices: [{ targetSpecifier: { case: "envoyGrpc", value: { clusterName: "xds" } } }],
        },
      },
      staticResources: { clusters: [plain("xds"), plain("sds-grpc"), ...clusters] },
    });
    const path = join(folder, "bootstrap.pb");
    await writeFile(path, toBinary(BootstrapSchema, bootstrap));
    const checked = run(envoy ?? "", ["--mode", "validate", "-c", path, "--log-level", "error"]);
    await expect(checked).resolves.toMatchObject({ stdout: expect.stringContaining("OK") as string });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
});
