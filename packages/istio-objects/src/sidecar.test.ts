import { describe, expect, it } from "vitest";
import { checkSidecar } from "./sidecar.ts";
import { faultLines } from "./testing/faults.ts";

const faultsOf = (spec: object) => faultLines(checkSidecar({ namespace: "shop", spec }).faults);
const web = { number: 8080, name: "web", protocol: "HTTP" };
const hosts = ["./*"];

describe("checkSidecar", () => {
  it.each([
    ["an outbound listener for all", { egress: [{ hosts: ["./*", "istio-system/*", "~other/a.test"] }] }],
    ["a selector", { workloadSelector: { labels: { app: "a" } }, egress: [{ hosts }] }],
    ["a listener of a socket", { egress: [{ port: { number: 0 }, bind: "unix:///run/a", hosts }, { hosts }] }],
    ["an inbound listener", { ingress: [{ port: web, defaultEndpoint: "127.0.0.1:8080" }] }],
    ["an endpoint of IPv6", { ingress: [{ port: web, bind: "::1", defaultEndpoint: "[::1]:80" }] }],
    ["an endpoint without a host", { ingress: [{ port: web, defaultEndpoint: ":80" }] }],
    ["a socket as endpoint", { ingress: [{ port: web, defaultEndpoint: "unix:///run/app" }] }],
    [
      "TLS of an inbound listener",
      {
        ingress: [
          { port: { ...web, protocol: "HTTPS" }, tls: { mode: "SIMPLE", serverCertificate: "/c", privateKey: "/k" } },
        ],
      },
    ],
    ["a pool", { inboundConnectionPool: { tcp: { maxConnections: 1, idleTimeout: "0s" } } }],
    [
      "a proxy for the rest",
      { outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "a.test", port: { number: 80 } } } },
    ],
  ])("accepts %s", (_name, spec) => {
    expect(faultsOf(spec)).toEqual([]);
  });

  it.each([
    [{}, "error spec: needs ingress, egress"],
    [{ workloadSelector: {}, egress: [{ hosts }] }, "warning spec.workloadSelector: has no labels"],
    [{ workloadSelector: { labels: { a: "*" } }, egress: [{ hosts }] }, "error spec.workloadSelector.labels.a"],
    [{ egress: [{ hosts }, { hosts }] }, "error spec.egress.0: a listener without a port must be the last"],
    [{ egress: [{}] }, "error spec.egress.0.hosts: at least one host"],
    [{ egress: [{ hosts: ["a.test"] }] }, "is not of the form namespace/host"],
    [{ egress: [{ hosts: ["a b/a.test"] }] }, 'error spec.egress.0.hosts.0: "a b" is not a DNS label'],
    [{ egress: [{ hosts: ["./10.0.0.1"] }] }, "is not a host name"],
    [{ egress: [{ hosts: ["./a.test", "shop/a.test"] }] }, "warning spec.egress.0.hosts.1"],
    [{ egress: [{ hosts: ["*/*", "./a.test"] }] }, "warning spec.egress.0.hosts: */* has every host"],
    [
      {
        egress: [
          { port: web, hosts },
          { port: web, hosts },
        ],
      },
      "error spec.egress.1.port.number: another port",
    ],
    [{ egress: [{ port: { number: 0 }, hosts }] }, "error spec.egress.0.bind: a port of number 0 needs a Unix socket"],
    [
      { egress: [{ port: {}, bind: "unix:///a", captureMode: "IPTABLES", hosts }] },
      "error spec.egress.0.captureMode: must be DEFAULT or NONE",
    ],
    [
      {
        egress: [
          { port: {}, bind: "unix:///a", hosts },
          { port: {}, bind: "unix:///a", hosts },
        ],
      },
      "error spec.egress.1.bind: another listener",
    ],
    [{ egress: [{ port: { number: 80, protocol: "x" }, hosts }] }, "error spec.egress.0.port.protocol"],
    [{ ingress: [{}] }, "error spec.ingress.0.port: is required"],
    [{ ingress: [{ port: { number: 0 } }] }, "error spec.ingress.0.port.number"],
    [{ ingress: [{ port: { ...web, targetPort: 1 } }] }, "rejected spec.ingress.0.port.targetPort"],
    [{ ingress: [{ port: { ...web, name: "a b" } }] }, "error spec.ingress.0.port.name"],
    [{ ingress: [{ port: web, bind: "unix:///a" }] }, "error spec.ingress.0.bind"],
    [{ ingress: [{ port: web }, { port: web }] }, "error spec.ingress.1.port.number: another port"],
    [{ ingress: [{ port: web, defaultEndpoint: "10.0.0.1:80" }] }, "error spec.ingress.0.defaultEndpoint"],
    [{ ingress: [{ port: web, defaultEndpoint: "127.0.0.1" }] }, "error spec.ingress.0.defaultEndpoint"],
    [{ ingress: [{ port: web, defaultEndpoint: "127.0.0.1:http" }] }, "is not the number of a port"],
    [{ ingress: [{ port: web, tls: { mode: "SIMPLE" } }] }, "error spec.ingress.0.tls: needs a port of HTTPS"],
    [{ ingress: [{ port: web, tls: { credentialName: "a" } }] }, "error spec.ingress.0.tls.credentialName"],
    [{ ingress: [{ port: web, tls: { mode: "ISTIO_MUTUAL" } }] }, "error spec.ingress.0.tls.mode"],
    [
      { ingress: [{ port: { ...web, protocol: "TCP" }, connectionPool: { http: { maxRetries: 1 } } }] },
      "warning spec.ingress.0.connectionPool.http",
    ],
    [{ inboundConnectionPool: {} }, "error spec.inboundConnectionPool: needs http or tcp"],
    [{ inboundConnectionPool: { http: { maxRetries: -1 } } }, "http.maxRetries: must be at least 0"],
    [{ inboundConnectionPool: { tcp: { connectTimeout: "1ns" } } }, "tcp.connectTimeout: must be at least 1ms"],
    [{ inboundConnectionPool: { http: { idleTimeout: "1.5ms" } } }, "http.idleTimeout: must be whole milliseconds"],
    [{ inboundConnectionPool: { http: { http2KeepAlive: {} } } }, "http2KeepAlive.interval: is required"],
    [
      { inboundConnectionPool: { http: { h2UpgradePolicy: "UPGRADE", useClientProtocol: true } } },
      "http.useClientProtocol: cannot stand",
    ],
    [{ outboundTrafficPolicy: { egressProxy: { host: "a.test" } } }, "egressProxy: needs mode ALLOW_ANY"],
    [
      { outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "a.test" } } },
      "error spec.outboundTrafficPolicy.egressProxy.port: is required",
    ],
    [
      { outboundTrafficPolicy: { mode: "ALLOW_ANY", egressProxy: { host: "*.test", port: { number: 80 } } } },
      "error spec.outboundTrafficPolicy.egressProxy.host",
    ],
  ])("reports of %j: %s", (spec, fault) => {
    expect(faultsOf(spec)).toContainEqual(expect.stringContaining(fault));
  });

  it("takes a duration with decimals that floating point does not hold exactly", () => {
    expect(faultsOf({ inboundConnectionPool: { tcp: { connectTimeout: "1.001s" } } })).toEqual([]);
  });
});
