import { registryId, type ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";
import { renderView } from "./render.ts";
import { catalogOf, entryOf } from "./testing/catalog.ts";
import { createTranslator, type Translator } from "./translator.ts";

const node = parseNode({ id: "sidecar~10.0.0.1~a.default~default.svc.cluster.local" });
const web = entryOf({
  hostname: "web.default.svc.cluster.local",
  namespace: "default",
  ports: [{ number: 80, protocol: "HTTP" }],
  instances: [{ address: "10.0.0.1:8080" }],
});

function object(kind: string, spec: Readonly<Record<string, unknown>>): ConfigObject {
  const provenance = { registry: registryId("static", "test"), object: kind };
  return { kind, namespace: "default", name: "one", labels: {}, annotations: {}, spec, provenance };
}

function destinationRule(trafficPolicy: object): ConfigObject {
  return object("DestinationRule", { host: web.service.hostname, trafficPolicy });
}

function apply(translator: Translator, ...upserted: readonly ConfigObject[]) {
  const none = { upserted: [], removed: [] };
  const previous = translator.revision ?? { epoch: "1", sequence: 0 };
  const revision = { epoch: previous.epoch, sequence: previous.sequence + 1 };
  const delta = { entries: none, workloads: none, objects: { upserted, removed: [] } };
  return translator.apply({ v: 1, type: "delta", previous, revision, delta });
}

function started(...objects: readonly ConfigObject[]): Translator {
  const translator = createTranslator();
  translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([web]) });
  if (objects.length > 0) apply(translator, ...objects);
  return translator;
}

function clusterOf(translator: Translator, port = 8080): unknown {
  const { clusters } = renderView(translator.view(node)) as unknown as { clusters: readonly { name: string }[] };
  return clusters.find(({ name }) => name === `inbound|${String(port)}||`);
}

const noLimit = 4_294_967_295;
const limited = (maxConnections: number): object => ({
  circuitBreakers: { thresholds: [{ maxConnections, maxRequests: noLimit }] },
});

describe("limits of connections to the workload", () => {
  it("are none without rules", () => {
    expect(clusterOf(started())).toMatchObject(limited(noLimit));
  });

  it("are those of the DestinationRule of its own service, and no more of it", () => {
    const translator = started(
      destinationRule({
        connectionPool: { tcp: { maxConnections: 7, connectTimeout: "3s" }, http: { h2UpgradePolicy: "UPGRADE" } },
        outlierDetection: { consecutive5xxErrors: 3 },
        loadBalancer: { simple: "RANDOM" },
        tls: { mode: "SIMPLE" },
      }),
    );
    const cluster = clusterOf(translator);
    expect(cluster).toMatchObject({ ...limited(7), connectTimeout: "3s", lbPolicy: "CLUSTER_PROVIDED" });
    for (const field of ["outlierDetection", "transportSocket", "typedExtensionProtocolOptions"])
      expect(cluster).not.toHaveProperty(field);
  });

  it("are those of the service's port, whatever the port of the workload", () => {
    const portLevelSettings = [{ port: { number: 80 }, connectionPool: { tcp: { maxConnections: 5 } } }];
    const translator = started(destinationRule({ connectionPool: { tcp: { maxConnections: 7 } }, portLevelSettings }));
    expect(clusterOf(translator)).toMatchObject(limited(5));
  });

  it("change with the DestinationRule, and the event says for which addresses", () => {
    const translator = started();
    const before = translator.view(node);
    const { addresses } = apply(translator, destinationRule({ connectionPool: { tcp: { maxConnections: 7 } } }));
    expect(addresses.has("10.0.0.1")).toBe(true);
    expect(translator.view(node)).not.toBe(before);
    expect(clusterOf(translator)).toMatchObject(limited(7));
  });

  it("are the Sidecar's where it has some", () => {
    const translator = started(
      destinationRule({ connectionPool: { tcp: { maxConnections: 7 } } }),
      object("Sidecar", { inboundConnectionPool: { tcp: { maxConnections: 3 } } }),
    );
    expect(clusterOf(translator)).toMatchObject(limited(3));
  });

  it("are those of an ingress listener before those of its Sidecar", () => {
    const listener = (number: number) => ({ port: { number, protocol: "HTTP", name: `http-${String(number)}` } });
    const translator = started(
      object("Sidecar", {
        inboundConnectionPool: { tcp: { maxConnections: 3 } },
        ingress: [
          { ...listener(9000), connectionPool: { tcp: { maxConnections: 2 }, http: { idleTimeout: "4s" } } },
          { ...listener(9001), defaultEndpoint: "127.0.0.1:9901" },
        ],
      }),
    );
    expect(clusterOf(translator, 9000)).toMatchObject(limited(2));
    expect(JSON.stringify(clusterOf(translator, 9000))).toContain('"idleTimeout":"4s"');
    expect(clusterOf(translator, 9001)).toMatchObject({ ...limited(3), type: "STATIC" });
  });
});
