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
    rootNamespace: "istio-system",
    retry: {
      attempts: 2,
      retryOn: "connect-failure,refused-stream,unavailable,cancelled,retriable-status-codes",
      perTryTimeout: undefined,
    },
    dnsRefreshRate: 60_000,
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
  ["defaultHttpRetryPolicy.perTryTimeout", { defaultHttpRetryPolicy: { perTryTimeout: "soon" } }],
])("refuses a bad %s with its name", (field, mesh) => {
  expect(() => meshSettings(mesh)).toThrow(MeshConfigError);
  expect(() => meshSettings(mesh)).toThrow(expect.objectContaining({ code: "SBX_MESH_CONFIG", field }));
});
