import {
  adsBootstrap,
  freePorts,
  startDaemon,
  startEnvoy,
  startHttpBackend,
  type Backend,
} from "@signalbox/test-servers";
import { expect, it } from "vitest";
import { fileRegistry, hostname } from "./services.ts";

const everyKind = ({ address: own, port }: Backend) => ({
  services: [
    {
      name: "web",
      namespace: "shop",
      addresses: ["240.0.0.1"],
      ports: [
        { name: "http", number: 8000 },
        { name: "grpc", number: 7000 },
      ],
      endpoints: [{ address: "127.0.0.1", port: { http: port, grpc: port } }],
    },
    {
      name: "auto",
      namespace: "shop",
      addresses: ["240.0.0.2"],
      ports: [{ name: "any", number: 8000, protocol: "UNSUPPORTED" }],
      endpoints: [own],
    },
    {
      name: "database",
      namespace: "shop",
      addresses: ["240.0.0.3"],
      ports: [{ name: "tcp", number: 3306 }],
      endpoints: [own],
    },
    { name: "queue", namespace: "shop", ports: [{ name: "tcp", number: 5672 }], endpoints: [own] },
    { name: "secure", namespace: "shop", ports: [{ name: "https", number: 8443 }], endpoints: [own] },
    {
      name: "clash",
      namespace: "other",
      addresses: ["240.0.0.4"],
      ports: [{ name: "tcp", number: 8000 }],
      endpoints: [own],
    },
  ],
});
const serviceEntry = (name: string, spec: object) => ({
  apiVersion: "networking.istio.io/v1",
  kind: "ServiceEntry",
  metadata: { name, namespace: "shop" },
  spec,
});
const external = [
  serviceEntry("dns", {
    hosts: ["api.example.com"],
    location: "MESH_EXTERNAL",
    resolution: "DNS",
    ports: [{ number: 443, name: "tls", protocol: "TLS" }],
  }),
  serviceEntry("round-robin", {
    hosts: ["rr.example.com"],
    resolution: "DNS_ROUND_ROBIN",
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
    endpoints: [{ address: "backend.example.com" }],
  }),
  serviceEntry("none", {
    hosts: ["*.wild.example.com"],
    resolution: "NONE",
    ports: [{ number: 80, name: "http", protocol: "HTTP" }],
  }),
  serviceEntry("uds", {
    hosts: ["uds.example.com"],
    resolution: "STATIC",
    ports: [{ number: 6553, name: "grpc", protocol: "GRPC" }],
    endpoints: [{ address: "unix:///tmp/none.sock" }],
  }),
  serviceEntry("vip", {
    hosts: ["vip.example.com"],
    addresses: ["240.1.0.0/24"],
    resolution: "STATIC",
    ports: [{ number: 9000, name: "tcp", protocol: "TCP" }],
    endpoints: [{ address: "127.0.0.9" }],
  }),
];

it.each(["sotw", "delta"] as const)("a captured sidecar accepts every kind of service over %s", async (mode) => {
  const backend = await startHttpBackend({ name: "web" });
  const [outbound = 0, inbound = 0] = await freePorts(2);
  const daemon = await startDaemon({
    config: {
      registries: fileRegistry,
      rules: [{ files: "rules.yaml" }],
      mesh: { proxyListenPort: outbound, proxyInboundListenPort: inbound },
    },
    files: {
      "services.json": JSON.stringify(everyKind(backend)),
      "rules.yaml": external.map((object) => JSON.stringify(object)).join("\n---\n"),
    },
  });
  const node = { id: "sidecar~127.0.0.1~web-1.shop~shop.svc.cluster.local", metadata: { NAMESPACE: "shop" } };
  const envoy = await startEnvoy({ bootstrap: adsBootstrap({ node, xdsPort: daemon.xdsPort, mode }) });
  try {
    expect(await envoy.nacks()).toBe(0);
    const dump = JSON.stringify(await envoy.configDump());
    const expected = [
      `outbound|8000||${hostname("web")}`,
      "outbound|443||api.example.com",
      `inbound|${backend.port}||`,
      "PassthroughCluster",
      "BlackHoleCluster",
      "virtualOutbound",
      "virtualInbound",
      "0.0.0.0_8000",
      "240.0.0.3_3306",
    ];
    expect(expected.filter((name) => !dump.includes(`"${name}"`))).toEqual([]);
  } finally {
    await envoy.stop();
    await daemon.stop();
    await backend.stop();
  }
});
