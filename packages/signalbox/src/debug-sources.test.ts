import type { ClientView } from "@signalbox/debug";
import { createInProcessBus } from "@signalbox/event-bus";
import { objectKey, registryId, type Catalog, type ConfigObject } from "@signalbox/model";
import { createTranslator, createXdsPublisher } from "@signalbox/xds";
import { describe, expect, it } from "vitest";
import { debugSources, type DebuggedStages } from "./debug-sources.ts";
import { eventually } from "./testing/eventually.ts";

function route(name: string, host: string): ConfigObject {
  return {
    ...{ kind: "VirtualService", namespace: "shop", name, labels: {}, annotations: {} },
    spec: { hosts: [host], exportTo: ["."], http: [{ route: [{ destination: { host } }] }] },
    provenance: { registry: registryId("static", "a"), object: name },
  };
}

function catalogOf(objects: readonly ConfigObject[], sequence = 1): Catalog {
  return {
    revision: { epoch: "e", sequence },
    entries: new Map(),
    workloads: new Map(),
    objects: new Map(objects.map((object) => [objectKey(object), object])),
  };
}

function sourcesOf(stages: Partial<DebuggedStages>) {
  return debugSources({
    ...{ role: "all", mesh: {}, known: () => true, catalog: () => catalogOf([]), draining: () => false },
    ...{ aggregate: () => undefined, journal: () => undefined, publisher: () => undefined, xds: () => undefined },
    bus: createInProcessBus(),
    ...stages,
  });
}

function clientAt(nodeId: string, stream: number): ClientView {
  return {
    ...{ stream, nodeId, peer: "", identities: [], method: "", protocol: "delta", nodeCluster: "", metadata: {} },
    ...{ userAgent: "", connectedAt: 0, subscriptions: [] },
  };
}

describe("the users of rules", () => {
  it("are those of the clients whose node gets something of them", async () => {
    const stop = new AbortController();
    const bus = createInProcessBus();
    const publisher = createXdsPublisher({ name: "xds", translator: createTranslator() });
    const running = publisher.run(bus, stop.signal);
    const { revision: _, ...world } = catalogOf([route("v", "a.test")]);
    await bus.lead(() => world, stop.signal);
    await eventually("the catalog", () => publisher.status().revision !== undefined);
    const sources = sourcesOf({ publisher: () => publisher });
    const clients = ["shop", "far"].map((name, at) =>
      clientAt(`sidecar~10.0.0.1~a.${name}~${name}.svc.cluster.local`, at),
    );
    const key = "VirtualService/shop/v";
    expect(sources.rules?.()).toMatchObject([{ key, accepted: true, inForce: true }]);
    expect(sources.ruleUsers?.([key], clients)).toEqual(new Map([[key, clients.slice(0, 1)]]));
    stop.abort();
    await running;
  });

  it("are nobody, and rules are not known, where another process publishes", () => {
    const sources = sourcesOf({ role: "discover" });
    expect(sources.rules?.()).toBeUndefined();
    expect(sources.ruleUsers?.(["Gateway/a/b"], [])).toEqual(new Map());
  });
});

describe("the analysis", () => {
  it("is of the catalog as it is now, made once for each revision", () => {
    let catalog = catalogOf([route("v", "a.test")]);
    const sources = sourcesOf({ catalog: () => catalog });
    const first = sources.analysis?.();
    expect(first).toMatchObject([{ code: "IST0101", object: "VirtualService/shop/v" }]);
    expect(sources.analysis?.()).toBe(first);
    catalog = catalogOf([], 2);
    expect(sources.analysis?.()).toEqual([]);
  });

  it.each([
    ["Gateway", "far", { selector: { app: "edge" } }, true],
    ["Gateway", "shop", { selector: { app: "other" } }, false],
    ["Sidecar", "shop", { workloadSelector: { labels: { app: "edge" } }, egress: [{ hosts: ["*/*"] }] }, true],
    ["Sidecar", "far", { workloadSelector: { labels: { app: "edge" } }, egress: [{ hosts: ["*/*"] }] }, false],
  ])("misses no workload of a %s in %s where a connected proxy is one: %j is %s", (kind, namespace, spec, served) => {
    const object = { ...route("v", "a.test"), kind, namespace, spec };
    const client = {
      ...clientAt("router~10.0.0.1~a.shop~shop.svc.cluster.local", 1),
      metadata: { LABELS: { app: "edge" } },
    };
    const clients: ClientView[] = [];
    const xds = () => ({ status: () => ({ clients }) }) as unknown as ReturnType<DebuggedStages["xds"]>;
    const sources = sourcesOf({ catalog: () => catalogOf([object]), xds });
    const missed = () => (sources.analysis?.() ?? []).some(({ message }) => message.startsWith("no workload"));
    expect(missed()).toBe(true);
    clients.push(client);
    expect(missed()).toBe(!served);
  });

  it("is not there before the catalog is", () => {
    expect(sourcesOf({ known: () => false }).analysis?.()).toBeUndefined();
  });
});

describe("the configuration of a proxy", () => {
  const client = clientAt("sidecar~10.0.0.1~a.shop~shop.svc.cluster.local", 1);
  const request = { types: undefined, includeEds: false };

  it("is waited for while the first view of the proxy's kind is made in slices", async () => {
    const stop = new AbortController();
    const bus = createInProcessBus();
    // Each look at the clock takes long, so that every step is a slice.
    let now = 0;
    const clock = { now: () => (now += 5) };
    const publisher = createXdsPublisher({ name: "xds", translator: createTranslator(), clock });
    const running = publisher.run(bus, stop.signal);
    const { revision: _, ...world } = catalogOf([route("v", "a.test"), route("w", "b.test")]);
    await bus.lead(() => world, stop.signal);
    await eventually("the catalog", () => publisher.status().revision !== undefined);
    const dump = sourcesOf({ publisher: () => publisher }).configDump?.(client, request);
    expect(publisher.status()).toMatchObject({ clients: 1, views: 0 });
    expect(await dump).toHaveProperty("configs");
    expect(publisher.status()).toMatchObject({ clients: 0, views: 0 });
    stop.abort();
    await running;
  });

  it("is nothing at once before there is a catalog, and where another process publishes", async () => {
    const publisher = createXdsPublisher({ name: "xds", translator: createTranslator() });
    const early = sourcesOf({ publisher: () => publisher, known: () => false });
    expect(await early.configDump?.(client, request)).toBeUndefined();
    expect(await sourcesOf({ role: "discover" }).configDump?.(client, request)).toBeUndefined();
  });
});
