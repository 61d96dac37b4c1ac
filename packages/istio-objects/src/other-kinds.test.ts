import { describe, expect, it } from "vitest";
import { registryId } from "@signalbox/model";
import { checkEnvoyFilter } from "./envoy-filter.ts";
import { checkObject } from "./check-object.ts";
import { checkProxyConfig } from "./proxy-config.ts";
import { checkTelemetry } from "./telemetry.ts";
import { faultLines } from "./testing/faults.ts";
import { checkWorkloadGroup } from "./workload-group.ts";

describe("checkWorkloadGroup", () => {
  const faultsOf = (spec: object) => faultLines(checkWorkloadGroup({ spec: { template: {}, ...spec } }).faults);

  it.each([
    {},
    { metadata: { labels: { app: "a" } } },
    { probe: { httpGet: { port: 80, scheme: "HTTPS", httpHeaders: [{ name: "x-a" }] } } },
    { probe: { tcpSocket: { port: 80 }, periodSeconds: 1 } },
    { probe: { exec: { command: ["true"] } } },
  ])("accepts %j", (spec) => {
    expect(faultsOf(spec)).toEqual([]);
  });

  it.each([
    [{ template: null }, "error spec.template: is required"],
    [{ metadata: { labels: { "a b": "" } } }, "error spec.metadata.labels.a b"],
    [{ probe: {} }, "error spec.probe: needs httpGet, tcpSocket or exec"],
    [{ probe: { grpc: { port: 80 } } }, "rejected spec.probe.grpc"],
    [{ probe: { tcpSocket: {} } }, "error spec.probe.tcpSocket.port"],
    [{ probe: { exec: {} } }, "error spec.probe.exec.command: is required"],
    [{ probe: { httpGet: { port: 80, scheme: "ftp" } } }, "error spec.probe.httpGet.scheme"],
    [{ probe: { httpGet: { port: 80, httpHeaders: [{ name: "a_b" }] } } }, "httpHeaders.0.name"],
    [{ probe: { tcpSocket: { port: 80 }, failureThreshold: -1 } }, "error spec.probe.failureThreshold"],
  ])("reports of %j: %s", (spec, fault) => {
    expect(faultsOf(spec)).toContainEqual(expect.stringContaining(fault));
  });
});

describe("checkProxyConfig", () => {
  it.each([
    [{}, []],
    [{ concurrency: 0 }, []],
    [{ concurrency: -1 }, ["error spec.concurrency: must be at least 0"]],
    [{ selector: { matchLabels: { "": "a" } } }, ["error spec.selector.matchLabels.: a label needs a key"]],
  ])("says of %j: %j", (spec, faults) => {
    expect(faultLines(checkProxyConfig({ spec }).faults)).toEqual(faults);
  });
});

describe("checkTelemetry", () => {
  const faultsOf = (spec: object) => faultLines(checkTelemetry({ spec }).faults);
  const override = (value: object) => ({ metrics: [{ overrides: [value] }] });
  const tag = (value: object) => ({ tracing: [{ customTags: { a: value } }] });

  it.each([
    {},
    { tracing: [{ providers: [{ name: "a" }], randomSamplingPercentage: 0.5 }] },
    tag({ literal: { value: "b" } }),
    override({ match: { metric: "REQUEST_COUNT" }, tagOverrides: { a: { operation: "REMOVE" } } }),
    { accessLogging: [{ providers: [{ name: "a" }], filter: { expression: "true" } }] },
  ])("accepts %j", (spec) => {
    expect(faultsOf(spec)).toEqual([]);
  });

  it.each([
    [{ tracing: [{}, {}] }, "warning spec.tracing: only the first"],
    [{ tracing: [{ providers: [{ name: "a" }, { name: "b" }] }] }, "warning spec.tracing.0.providers"],
    [{ tracing: [{ randomSamplingPercentage: 101 }] }, "error spec.tracing.0.randomSamplingPercentage"],
    [{ tracing: [{ customTags: { "": {} } }] }, "error spec.tracing.0.customTags.: a tag needs a name"],
    [tag({ literal: {} }), "error spec.tracing.0.customTags.a.literal.value"],
    [tag({ header: {} }), "error spec.tracing.0.customTags.a.header.name"],
    [tag({ environment: {} }), "error spec.tracing.0.customTags.a.environment.name"],
    [{ metrics: [{ providers: [{}] }] }, "error spec.metrics.0.providers.0.name"],
    [{ accessLogging: [{ providers: [{}] }] }, "error spec.accessLogging.0.providers.0.name"],
    [override({ tagOverrides: { a: {} } }), "operation UPSERT needs it"],
    [override({ tagOverrides: { a: { operation: "REMOVE", value: "b" } } }), "operation REMOVE does not take it"],
    [override({ tagOverrides: { "": { value: "b" } } }), "warning spec.metrics.0.overrides.0.tagOverrides."],
    [override({ match: { customMetric: "" } }), "error spec.metrics.0.overrides.0.match.customMetric"],
  ])("reports of %j: %s", (spec, fault) => {
    expect(faultsOf(spec)).toContainEqual(expect.stringContaining(fault));
  });
});

describe("checkEnvoyFilter", () => {
  const patch = { operation: "MERGE", value: {} };
  const faultsOf = (configPatch: object) =>
    faultLines(checkEnvoyFilter({ spec: { configPatches: [configPatch] } }).faults).slice(1);
  const chain = (filter: object) => ({ listener: { filterChain: { filter } } });

  it("warns that what proxies are made of may change", () => {
    expect(faultLines(checkEnvoyFilter({ spec: {} }).faults)).toEqual([
      expect.stringContaining("warning spec: depends on how proxies are configured"),
    ]);
  });

  it.each([
    { applyTo: "CLUSTER", match: { context: "ANY", cluster: { service: "a" } }, patch },
    { applyTo: "LISTENER", patch: { operation: "REMOVE" } },
    { applyTo: "BOOTSTRAP", patch },
    { applyTo: "CLUSTER", match: { proxy: { proxyVersion: "^1\\.2[0-9].*" } }, patch },
    {
      applyTo: "HTTP_FILTER",
      match: chain({ name: "envoy.filters.network.http_connection_manager", subFilter: { name: "a" } }),
      patch,
    },
    { match: { context: "WAYPOINT" } },
  ])("accepts %j", (configPatch) => {
    expect(faultsOf(configPatch)).toEqual([]);
  });

  it.each([
    [{ patch }, "error spec.configPatches.0.applyTo: is required"],
    [{ applyTo: "CLUSTER" }, "error spec.configPatches.0.patch: is required"],
    [{ applyTo: "CLUSTER", patch: { value: {} } }, "error spec.configPatches.0.patch.operation: is required"],
    [{ applyTo: "CLUSTER", patch: { operation: "ADD" } }, "operation ADD needs it"],
    [{ applyTo: "CLUSTER", patch: { operation: "ADD", value: [] } }, "patch.value: must be a map"],
    [{ applyTo: "CLUSTER", match: { listener: {} }, patch }, 'applyTo CLUSTER takes a match of "cluster"'],
    [{ applyTo: "LISTENER", match: { cluster: {} }, patch }, 'applyTo LISTENER takes a match of "listener"'],
    [{ applyTo: "HTTP_ROUTE", match: { cluster: {} }, patch }, 'takes a match of "routeConfiguration"'],
    [
      { applyTo: "CLUSTER", match: { proxy: { proxyVersion: "(" } }, patch },
      'proxyVersion: "(" is not a regular expression of RE2: a ( has no )',
    ],
    [{ applyTo: "CLUSTER", match: { proxy: { proxyVersion: "a".repeat(1025) } }, patch }, "warning spec.configPatches"],
    [{ applyTo: "LISTENER", match: chain({ name: "a" }), patch }, "has no effect with applyTo LISTENER"],
    [{ applyTo: "NETWORK_FILTER", match: chain({}), patch }, "filter.name: is required"],
    [{ applyTo: "NETWORK_FILTER", match: chain({ name: "a", subFilter: {} }), patch }, "needs applyTo HTTP_FILTER"],
    [{ applyTo: "HTTP_FILTER", match: chain({ name: "a", subFilter: { name: "b" } }), patch }, "a subFilter needs"],
    [
      { applyTo: "HTTP_FILTER", match: chain({ name: "envoy.http_connection_manager", subFilter: {} }), patch },
      "subFilter.name: is required",
    ],
    [{ applyTo: "NETWORK_FILTER", match: chain({ name: "envoy.tcp_proxy" }), patch }, "is the name of old"],
  ])("reports of %j: %s", (configPatch, fault) => {
    expect(faultsOf(configPatch)).toContainEqual(expect.stringContaining(fault));
  });
});

describe("checkObject", () => {
  const faultsOf = (kind: string, spec: object, annotations: Readonly<Record<string, string>>) => {
    const provenance = { registry: registryId("test", "a"), object: "a" };
    const object = { kind, namespace: "a", name: "a", labels: {}, annotations, spec, provenance };
    return faultLines(checkObject(object));
  };

  it.each([
    ["Telemetry", {}, { "istio.io/dry-run": "true" }, ["for AuthorizationPolicies only"]],
    ["Telemetry", {}, { "internal.istio.io/parents": "a" }, ["for Istio's own use only"]],
    ["AuthorizationPolicy", {}, { "istio.io/dry-run": "true" }, []],
    ["AuthorizationPolicy", {}, { "istio.io/dry-run": "yes" }, ["must be true or false"]],
    ["AuthorizationPolicy", { action: "AUDIT" }, { "istio.io/dry-run": "true" }, ["ALLOW and DENY only"]],
    ["SomethingElse", { any: "thing" }, { "istio.io/dry-run": "true" }, ["for AuthorizationPolicies only"]],
  ])("says of a %s %j with %j: %j", (kind, spec, annotations, faults) => {
    expect(faultsOf(kind, spec, annotations)).toEqual(faults.map((fault) => expect.stringContaining(fault) as unknown));
  });
});
