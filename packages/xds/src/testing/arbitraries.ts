import fc from "fast-check";
import type { MeshConfig } from "../mesh.ts";
import { parseNode, type ProxyNode } from "../node.ts";
import type { InstanceSketch, ServiceSketch } from "./catalog.ts";

/** One node of each kind of client. */
export const clients: Readonly<Record<string, ProxyNode>> = {
  sidecar: parseNode({ id: "sidecar~10.0.0.1~a.one~one.svc.cluster.local" }),
  "sidecar of another namespace": parseNode({ id: "sidecar~10.0.0.2~b.two~two.svc.cluster.local" }),
  "dual-stack sidecar": parseNode({
    id: "sidecar~10.0.0.3~b.two~two.svc.cluster.local",
    metadata: { INSTANCE_IPS: "::3" },
  }),
  "binding sidecar": parseNode({
    id: "sidecar~10.0.0.1~a.one~one.svc.cluster.local",
    metadata: { INTERCEPTION_MODE: "NONE" },
  }),
  router: parseNode({ id: "router~10.0.0.9~gw.two~two.svc.cluster.local" }),
  plain: parseNode({ id: "edge" }),
  "plain without listeners": parseNode({ id: "edge", metadata: { SIGNALBOX_LISTENERS: "none" } }),
  grpc: parseNode({ id: "client", metadata: { GENERATOR: "grpc", NAMESPACE: "one" } }),
};

const hostnames = [
  "a.one.svc.cluster.local",
  "b.one.svc.cluster.local",
  "b.two.svc.cluster.local",
  "b",
  "A.one.svc.cluster.local",
  "*.x.io",
  "x.io",
];
const instance: fc.Arbitrary<InstanceSketch> = fc.record({
  address: fc.constantFrom(
    "10.0.0.1:80",
    "10.0.0.2:80",
    "10.0.0.3:8080",
    "[::3]:81",
    "x.io:80",
    "a.one.svc.cluster.local:1",
    "b:1",
    "unix:/a",
  ),
  weight: fc.constantFrom(0, 1, 5),
  servicePort: fc.constantFrom("p80", "p81"),
  priority: fc.constantFrom(0, 2),
  healthStatus: fc.constantFrom("HEALTHY", "UNHEALTHY", "UNKNOWN"),
});
/** Services that get in each other's way as often as possible. */
export const service: fc.Arbitrary<ServiceSketch> = fc.record({
  hostname: fc.constantFrom(...hostnames),
  namespace: fc.constantFrom("one", "two"),
  resolution: fc.constantFrom("STATIC", "STATIC", "DNS", "DNS_ROUND_ROBIN", "NONE", "ALIAS", "DYNAMIC_DNS"),
  addresses: fc.subarray([
    "10.9.0.1",
    "10.9.0.2",
    "10.9.0.0/16",
    "10.9.1.0/16",
    "::9",
    "127.0.0.9",
    "127.0.0.1",
    "0:0::9",
    "0.0.0.0",
  ]),
  exportTo: fc.constantFrom([], ["*"], ["."], ["one"], ["~"]),
  createdAt: fc.constantFrom(1, 2),
  ports: fc.uniqueArray(
    fc.record({
      number: fc.constantFrom(80, 81, 15001, 15080),
      protocol: fc.constantFrom("HTTP", "GRPC", "TCP", "TLS", "UNSUPPORTED", "UDP", "HTTPS"),
    }),
    { selector: ({ number }) => number, maxLength: 3 },
  ),
  instances: fc.uniqueArray(instance, {
    selector: ({ address, servicePort }) => `${address} ${String(servicePort)}`,
    maxLength: 4,
  }),
});
/** Mesh settings that change what is built. */
export const mesh: fc.Arbitrary<MeshConfig> = fc.record({
  proxyHttpPort: fc.constantFrom(0, 15080),
  outboundTrafficPolicy: fc.record({ mode: fc.constantFrom("ALLOW_ANY", "REGISTRY_ONLY") }),
});
