import { beforeEach, describe, expect, it } from "vitest";
import type { XdsEvent } from "../events.ts";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, deltaAds, EDS, encodeContent, FakeStream, LDS, RDS, SDS, sotwAds } from "../testing/fake-stream.ts";
import { grpcStatus, type Peer } from "../transport.ts";
import { createXdsProtocol, type XdsLimits, type XdsProtocol } from "./xds-protocol.ts";

const node = { id: "n", cluster: "c", metadata: { GENERATOR: "grpc" }, userAgentName: "envoy" };
const unknownType = "type.googleapis.com/unknown.Thing";
let cache: SnapshotCache;
let clock: FakeXdsClock;
let events: XdsEvent[];
let protocol: XdsProtocol;

function start(limits: Partial<XdsLimits> = {}): void {
  protocol = createXdsProtocol({ source: cache, clock, limits, onEvent: (event) => events.push(event) });
}

beforeEach(() => {
  cache = new SnapshotCache();
  clock = new FakeXdsClock();
  events = [];
  start();
  cache.setSnapshot("n", new Map([[CDS, [resourceOf("a", encodeContent("a", "1"))]]]));
});

function stream(path = sotwAds, peer?: Peer): FakeStream {
  const fake = new FakeStream(path, undefined, peer);
  fake.open(protocol.accept);
  return fake;
}

const manyNames = (count: number): string[] => Array.from({ length: count }, (_, index) => `name-${index}`);

describe("a malformed request ends its stream with the reason", () => {
  it.each([
    { what: "bytes that are no message", path: sotwAds, bytes: Buffer.from([0xff, 0xff]), reason: /over the end/ },
    { what: "a name that is not UTF-8", path: deltaAds, bytes: Buffer.from([0x1a, 1, 0xff]), reason: /UTF-8/ },
    { what: "a group", path: sotwAds, bytes: Buffer.from([0x0b]), reason: /wire type 3/ },
    { what: "a node that is none", path: sotwAds, bytes: Buffer.from([0x12, 2, 0x0a, 5]), reason: /node/ },
    { what: "no node", path: sotwAds, bytes: Buffer.from([]), reason: /no node/ },
  ])("$what", ({ path, bytes, reason }) => {
    const client = stream(path);
    client.sendBytes(bytes);
    expect(client.ended).toMatchObject({
      code: grpcStatus.invalidArgument,
      message: expect.stringMatching(reason) as string,
    });
    expect(events.map(({ type }) => type)).toContain("refused");
    expect(protocol.status()).toEqual([]);
    client.sotw({ node, typeUrl: CDS });
    expect(client.take()).toEqual([]);
  });

  it.each(["", "envoy.config.cluster.v3.Cluster"])("type %j on an aggregated stream", (typeUrl) => {
    const client = stream();
    client.sotw({ node, typeUrl });
    expect(client.ended).toMatchObject({ code: grpcStatus.invalidArgument });
  });

  it("another type on a stream of one type", () => {
    const client = stream("/envoy.service.cluster.v3.ClusterDiscoveryService/StreamClusters");
    client.sotw({ node, typeUrl: EDS });
    expect(client.ended).toMatchObject({ code: grpcStatus.invalidArgument });
  });
});

describe("a type that nobody has", () => {
  it("is not answered in SotW", () => {
    const client = stream();
    client.sotw({ node, typeUrl: unknownType, resourceNames: ["x"] });
    client.sotw({ typeUrl: unknownType, resourceNames: [] });
    expect(client.take()).toEqual([]);
    expect(client.ended).toBeUndefined();
  });

  it("has no resources in delta", () => {
    const client = stream(deltaAds);
    client.delta({ node, typeUrl: unknownType, resourceNamesSubscribe: ["x"] });
    expect(client.take()).toMatchObject([{ type: unknownType, removed: ["x"] }]);
  });
});

describe("limits", () => {
  it.each([
    { limits: { maxNames: 3 }, resourceNames: manyNames(4) },
    { limits: { maxNameBytes: 5 }, resourceNames: ["äää"] },
    { limits: { maxTotalNames: 3 }, resourceNames: manyNames(4) },
    { limits: { maxTypes: 0 }, resourceNames: [] },
  ])("$limits ends the stream that passes it, in both variants", ({ limits, resourceNames }) => {
    start(limits);
    const sotw = stream();
    sotw.sotw({ node, typeUrl: EDS, resourceNames });
    expect(sotw.ended?.code).toBe(grpcStatus.resourceExhausted);
    const delta = stream(deltaAds);
    delta.delta({ node, typeUrl: EDS, resourceNamesSubscribe: resourceNames });
    expect(delta.ended?.code).toBe(grpcStatus.resourceExhausted);
  });

  it("a client that fills the server pays for it, and not the one that speaks next", () => {
    start({ maxTotalNames: 30 });
    cache.setSnapshot("n", new Map([[EDS, [resourceOf("name-1", encodeContent("name-1", "1"))]]]));
    const early = stream();
    early.sotw({ node, typeUrl: EDS, resourceNames: ["name-1"] });
    const [held] = early.take();
    const hostile = stream();
    hostile.sotw({ node, typeUrl: RDS, resourceNames: manyNames(29) });
    expect(hostile.ended).toBeUndefined();
    early.sotw({ typeUrl: EDS, responseNonce: held?.nonce ?? "", resourceNames: ["name-1"] });
    const late = stream(deltaAds);
    late.delta({ node, typeUrl: EDS, resourceNamesSubscribe: ["name-1", "name-2"] });
    expect(hostile.ended?.code).toBe(grpcStatus.resourceExhausted);
    expect(late.take()).toHaveLength(1);
    expect([early.ended, late.ended]).toEqual([undefined, undefined]);
    expect(events.filter(({ type }) => type === "refused")).toHaveLength(1);
  });

  it("clients that share a large subscription do not pay for one that has its own", () => {
    start({ maxTotalNames: 30 });
    const sharing = [stream(), stream(), stream()];
    for (const client of sharing) client.sotw({ node, typeUrl: EDS, resourceNames: manyNames(20) });
    const alone = stream();
    alone.sotw({ node, typeUrl: EDS, resourceNames: manyNames(9) });
    expect(alone.ended).toBeUndefined();
    alone.sotw({ typeUrl: RDS, resourceNames: ["x", "y"] });
    expect(alone.ended?.code).toBe(grpcStatus.resourceExhausted);
    expect(sharing.map(({ ended }) => ended)).toEqual([undefined, undefined, undefined]);
  });

  it("all streams of a connection have one budget, and get it back", () => {
    start({ maxConnectionNames: 10 });
    const peer = { address: "127.0.0.1:1", identities: [] };
    const [one, two] = [stream(sotwAds, peer), stream(deltaAds, peer)];
    one.sotw({ node, typeUrl: EDS, resourceNames: manyNames(6) });
    two.delta({ node, typeUrl: EDS, resourceNamesSubscribe: manyNames(5) });
    expect(two.ended).toMatchObject({
      code: grpcStatus.resourceExhausted,
      message: expect.stringContaining("one connection") as string,
    });
    expect(one.ended).toBeUndefined();
    const other = stream();
    other.sotw({ node, typeUrl: EDS, resourceNames: manyNames(10) });
    expect(other.ended).toBeUndefined();
    one.close();
    const three = stream(sotwAds, peer);
    three.sotw({ node, typeUrl: EDS, resourceNames: manyNames(10) });
    expect(three.ended).toBeUndefined();
  });

  it.each([sotwAds, deltaAds])("many names of a type that nobody has are refused: %s", (path) => {
    const client = stream(path);
    const names = manyNames(1001);
    if (path === sotwAds) client.sotw({ node, typeUrl: unknownType, resourceNames: names });
    else client.delta({ node, typeUrl: unknownType, resourceNamesSubscribe: names });
    expect(client.ended?.code).toBe(grpcStatus.resourceExhausted);
    cache.update("n", new Map([[unknownType, { upserted: [resourceOf("x", encodeContent("x", "1"))], removed: [] }]]));
    const served = stream(sotwAds);
    served.sotw({ node, typeUrl: unknownType, resourceNames: [...names, "x"] });
    expect(served.take()).toHaveLength(1);
  });

  it.each([sotwAds, deltaAds])("a large node is refused before it is decoded: %s", (path) => {
    start({ nodeBytes: 1000 });
    // Bytes that are no node: decoding them would be another error.
    const field = path === sotwAds ? 2 : 1;
    const client = stream(path);
    client.sendBytes(Buffer.concat([Buffer.of(field * 8 + 2, 0xe9, 0x07), Buffer.alloc(1001, 0xff)]));
    expect(client.ended).toEqual({
      code: grpcStatus.resourceExhausted,
      message: "the node has 1001 bytes, more than 1000",
    });
    start();
    const usual = stream(path);
    const large = { ...node, metadata: { LABELS: "x".repeat(60_000) } };
    if (path === sotwAds) usual.sotw({ node: large, typeUrl: CDS });
    else usual.delta({ node: large, typeUrl: CDS });
    expect(usual.take()).toHaveLength(1);
  });

  it("names that come one by one count together", () => {
    start({ maxNames: 100 });
    const client = stream(deltaAds);
    client.delta({ node, typeUrl: EDS, resourceNamesSubscribe: ["x"] });
    for (const name of manyNames(200)) client.delta({ typeUrl: EDS, resourceNamesSubscribe: [name] });
    expect(client.ended?.code).toBe(grpcStatus.resourceExhausted);
  });

  it("one stream too many is refused and the others stay", () => {
    start({ maxStreams: 1 });
    const first = stream();
    const second = stream();
    expect(second.ended?.code).toBe(grpcStatus.resourceExhausted);
    second.sotw({ node, typeUrl: CDS });
    first.sotw({ node, typeUrl: CDS });
    expect(first.take()).toHaveLength(1);
    first.close();
    expect(stream().ended).toBeUndefined();
  });

  it("100,000 names are served and another client does not notice", () => {
    const other = stream();
    other.sotw({ node, typeUrl: CDS });
    const [clusters] = other.take();
    other.sotw({ typeUrl: CDS, responseNonce: clusters?.nonce ?? "" });
    for (const path of [sotwAds, deltaAds]) {
      const hostile = stream(path);
      const names = manyNames(100_000);
      if (path === sotwAds) hostile.sotw({ node, typeUrl: EDS, resourceNames: names });
      else hostile.delta({ node, typeUrl: EDS, resourceNamesSubscribe: names });
      expect(hostile.ended).toBeUndefined();
    }
    cache.update("n", new Map([[CDS, { upserted: [resourceOf("a", encodeContent("a", "2"))], removed: [] }]]));
    expect(other.take()).toHaveLength(1);
  });
});

describe("a stream whose transport fails", () => {
  it("ends alone", () => {
    const [broken, healthy] = [stream(), stream()];
    for (const client of [broken, healthy]) {
      client.sotw({ node, typeUrl: CDS });
      const [response] = client.take();
      client.sotw({ typeUrl: CDS, responseNonce: response?.nonce ?? "" });
    }
    broken.write = () => {
      throw new Error("no socket");
    };
    cache.update("n", new Map([[CDS, { upserted: [resourceOf("a", encodeContent("a", "2"))], removed: [] }]]));
    expect(broken.ended?.code).toBe(grpcStatus.internal);
    expect(healthy.take()).toHaveLength(1);
    expect(protocol.status()).toHaveLength(1);
  });
});

describe("the separate services", () => {
  it.each([
    ["cluster.v3.ClusterDiscoveryService", "Clusters", CDS],
    ["endpoint.v3.EndpointDiscoveryService", "Endpoints", EDS],
    ["listener.v3.ListenerDiscoveryService", "Listeners", LDS],
    ["route.v3.RouteDiscoveryService", "Routes", RDS],
    ["secret.v3.SecretDiscoveryService", "Secrets", SDS],
  ])("%s carries its type in both variants, also without a type_url", (service, noun, type) => {
    cache.setSnapshot("n", new Map([[type, [resourceOf("a", encodeContent("a", "1"))]]]));
    const sotw = stream(`/envoy.service.${service}/Stream${noun}`);
    sotw.sotw({ node, resourceNames: ["a"] });
    expect(sotw.take()).toMatchObject([{ type, resources: new Map([["a", "1"]]) }]);
    const delta = stream(`/envoy.service.${service}/Delta${noun}`);
    delta.delta({ node, typeUrl: type, resourceNamesSubscribe: ["a"] });
    expect(delta.take()).toMatchObject([{ type, resources: new Map([["a", "1"]]) }]);
  });
});

describe("a method that is not served", () => {
  it.each(["/envoy.service.discovery.v2.AggregatedDiscoveryService/StreamAggregatedResources", "/x", ""])(
    "%j",
    (path) => {
      expect(new FakeStream(path).open(protocol.accept)).toBe(false);
    },
  );
});

describe("a client that is not authorized", () => {
  it.each([sotwAds, deltaAds])("is refused with the reason, and the source does not hear of it: %s", (path) => {
    const acquired: string[] = [];
    const peer: Peer = { address: "192.0.2.1:1", identities: ["spiffe://cluster.local/ns/a/sa/b"] };
    protocol = createXdsProtocol({
      source: {
        acquire: (asking, onChange) => {
          acquired.push(asking.id);
          return cache.acquire(asking, onChange);
        },
      },
      authorize: (asking, { identities }) => (asking.id === "n" ? undefined : `not for ${identities.join()}`),
    });
    const send = (client: FakeStream, id: string): void => {
      if (path === sotwAds) client.sotw({ node: { id }, typeUrl: CDS });
      else client.delta({ node: { id }, typeUrl: CDS });
    };
    const refused = stream(path, peer);
    send(refused, "other");
    expect(refused.ended).toEqual({
      code: grpcStatus.permissionDenied,
      message: "not for spiffe://cluster.local/ns/a/sa/b",
    });
    const served = stream(path, peer);
    send(served, "n");
    expect(served.take()).toHaveLength(1);
    expect(acquired).toEqual(["n"]);
    expect(protocol.status()).toHaveLength(1);
  });
});

describe("a source that throws", () => {
  it("ends the stream without its words", () => {
    protocol = createXdsProtocol({
      source: {
        acquire: () => {
          throw new Error("secret");
        },
      },
    });
    const client = stream();
    client.sotw({ node, typeUrl: CDS });
    expect(client.ended).toEqual({ code: grpcStatus.internal, message: "internal error" });
    expect(protocol.status()).toEqual([]);
  });
});

describe("status", () => {
  it("tells who is connected and what was sent and accepted", () => {
    const client = stream();
    client.sotw({ node, typeUrl: LDS, resourceNames: ["*", "x"] });
    client.sotw({ typeUrl: CDS });
    const clusters = client.take().find(({ type }) => type === CDS);
    clock.advance(5);
    client.sotw({ typeUrl: CDS, responseNonce: clusters?.nonce ?? "", versionInfo: clusters?.version ?? "" });
    expect(protocol.status()).toMatchObject([
      {
        protocol: "sotw",
        nodeId: "n",
        nodeCluster: "c",
        metadata: { GENERATOR: "grpc" },
        userAgent: "envoy",
        connectedAt: 1_000_000,
        subscriptions: [
          {
            resourceType: CDS,
            wildcard: true,
            names: 0,
            sentAt: 1_000_000,
            ackedAt: 1_000_005,
            ackedVersion: clusters?.version,
          },
          { resourceType: LDS, wildcard: true, names: 1 },
        ],
      },
    ]);
  });
});
