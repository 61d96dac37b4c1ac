import { expect, it } from "vitest";
import { MeshConfigError, meshSettings } from "./mesh.ts";

it("has Istio's defaults", () => {
  expect(meshSettings({})).toEqual({
    proxyHttpPort: 0,
    proxyListenPort: 15001,
    proxyInboundListenPort: 15006,
    connectTimeout: 10_000,
    protocolDetectionTimeout: 0,
    registryOnly: false,
    retry: {
      attempts: 2,
      retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
      perTryTimeout: undefined,
      retryRemoteLocalities: false,
      retryIgnorePreviousHosts: undefined,
      backoff: undefined,
    },
    dnsRefreshRate: 60_000,
    tcpKeepalive: undefined,
    h2Upgrade: false,
    localityLb: { enabled: true, distribute: [], failover: [], failoverPriority: [] },
    rootNamespace: "istio-system",
  });
});

it.each([
  ["1h2m3.5s", 3_723_500],
  ["250ms", 250],
  ["0s", 0],
])("reads the duration %s", (text, milliseconds) => {
  expect(meshSettings({ connectTimeout: text }).connectTimeout).toBe(milliseconds);
});

it.each([
  ["connectTimeout", { connectTimeout: "10" }],
  ["connectTimeout", { connectTimeout: "" }],
  ["connectTimeout", { connectTimeout: "1s x" }],
  ["proxyHttpPort", { proxyHttpPort: 70_000 }],
  ["proxyListenPort", { proxyListenPort: 1.5 }],
  ["defaultHttpRetryPolicy.backoff", { defaultHttpRetryPolicy: { backoff: "later" } }],
  ["tcpKeepalive.time", { tcpKeepalive: { time: "" } }],
  ["tcpKeepalive.probes", { tcpKeepalive: { probes: -1 } }],
  ["defaultHttpRetryPolicy.perTryTimeout", { defaultHttpRetryPolicy: { perTryTimeout: "soon" } }],
])("refuses a bad %s with its name", (field, mesh) => {
  expect(() => meshSettings(mesh)).toThrow(MeshConfigError);
  expect(() => meshSettings(mesh)).toThrow(expect.objectContaining({ code: "SBX_MESH_CONFIG", field }));
});

it("fills in what a locality setting leaves out, and reads keepalive times as milliseconds", () => {
  const settings = meshSettings({
    localityLbSetting: { distribute: [{ from: "r/*", to: { "r/*": 100 } }], failover: [{ from: "r" }] },
    tcpKeepalive: { probes: 3, time: "1m" },
  });
  expect(settings.localityLb).toEqual({
    enabled: true,
    distribute: [{ from: "r/*", to: { "r/*": 100 } }],
    failover: [{ from: "r", to: "" }],
    failoverPriority: [],
  });
  expect(settings.tcpKeepalive).toEqual({ probes: 3, time: 60_000, interval: undefined });
});
