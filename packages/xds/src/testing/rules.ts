import { checkObject } from "@signalbox/istio-objects";
import { registryId, type ConfigObject } from "@signalbox/model";
import fc from "fast-check";

/** Rules that get in each other's way as often as possible, for the services of the other arbitraries. */
export const rule: fc.Arbitrary<ConfigObject> = fc
  .record({
    namespace: fc.constantFrom("one", "two", "istio-system"),
    name: fc.constantFrom("x", "y"),
    createdAt: fc.constantFrom(1, 2),
    body: fc.oneof(
      { weight: 4, arbitrary: virtualService() },
      { weight: 3, arbitrary: destinationRule() },
      { weight: 1, arbitrary: sidecar() },
    ),
  })
  .map(({ body, createdAt, name, namespace }) => ({
    kind: body.kind,
    namespace,
    name,
    labels: {},
    annotations: {},
    createdAt,
    spec: body.spec,
    provenance: { registry: registryId("test", "one"), object: `${body.kind} ${namespace}/${name}` },
  }))
  // A form that cannot be used leaves the one before it in force, so what holds would depend on the past.
  .filter((object) => checkObject(object).every(({ severity }) => severity !== "error"));

function hosts(): fc.Arbitrary<string> {
  return fc.constantFrom(
    "a.one.svc.cluster.local",
    "b.one.svc.cluster.local",
    "b",
    "b.two.svc.cluster.local",
    "x.io",
    "only.rules.io",
  );
}

function virtualService() {
  const destination = fc.record({
    host: hosts(),
    subset: fc.constantFrom("", "v1"),
    port: fc.constantFrom(undefined, { number: 81 }),
  });
  const match = fc.constantFrom(
    [],
    [{ uri: { prefix: "/a" } }],
    [{ sourceLabels: { app: "web" } }],
    [{ sourceNamespace: "two" }, { headers: { end: { exact: "jason" } } }],
    [{ port: 81 }],
  );
  const http = fc.record({
    match,
    route: fc
      .constantFrom(1, 2)
      .chain((count) =>
        fc
          .tuple(...Array.from({ length: count }, () => destination))
          .map((all) => all.map((one) => ({ destination: one, weight: count === 1 ? 0 : 50 }))),
      ),
  });
  const l4 = fc.array(
    destination.map((one) => ({ route: [{ destination: one }] })),
    { maxLength: 1 },
  );
  const spec = fc.record({
    hosts: fc.uniqueArray(fc.oneof(hosts(), fc.constantFrom("*.io", "*-rules.io", "*.svc.cluster.local")), {
      minLength: 1,
      maxLength: 2,
    }),
    http: fc.array(http, { minLength: 1, maxLength: 3 }),
    tcp: l4,
    exportTo: fc.constantFrom([], ["."], ["two"]),
  });
  return spec.map((fields) => ({ kind: "VirtualService", spec: fields }));
}

function destinationRule() {
  const spec = fc.record({
    host: fc.oneof(hosts(), fc.constant("*.svc.cluster.local")),
    subsets: fc.constantFrom([], [{ name: "v1", labels: { version: "v1" } }]),
    trafficPolicy: fc.constantFrom(
      undefined,
      { loadBalancer: { simple: "RANDOM" } },
      { loadBalancer: { consistentHash: { httpHeaderName: "x-user" } } },
      { connectionPool: { http: { maxRetries: 3 } }, outlierDetection: { consecutive5xxErrors: 3 } },
    ),
    exportTo: fc.constantFrom([], ["."], ["two"]),
    workloadSelector: fc.constantFrom(undefined, undefined, { matchLabels: { app: "web" } }),
  });
  return spec.map((fields) => ({ kind: "DestinationRule", spec: fields }));
}

function sidecar() {
  const spec = fc.record({
    workloadSelector: fc.constantFrom(undefined, { labels: { app: "web" } }),
    egress: fc.constantFrom(
      [{ hosts: ["./*"] }],
      [{ hosts: ["*/b.two.svc.cluster.local", "~/*"] }],
      [{ port: { number: 81, protocol: "HTTP", name: "http" }, hosts: ["*/*"] }],
      [{ port: { number: 80, protocol: "HTTP", name: "http" }, hosts: ["one/*"] }, { hosts: ["*/x.io"] }],
    ),
    outboundTrafficPolicy: fc.constantFrom(undefined, { mode: "REGISTRY_ONLY" }),
  });
  return spec.map((fields) => ({ kind: "Sidecar", spec: fields }));
}
