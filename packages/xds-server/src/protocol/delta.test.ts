import { beforeEach, describe, expect, it } from "vitest";
import { create, toBinary } from "@bufbuild/protobuf";
import type { TypeUrl } from "@signalbox/envoy-api";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import type { XdsEvent } from "../events.ts";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import {
  CDS,
  deltaAds,
  EDS,
  encodeContent,
  FakeStream,
  LDS,
  RDS,
  sotwAds,
  type Received,
} from "../testing/fake-stream.ts";
import { createXdsProtocol, type XdsProtocol } from "./xds-protocol.ts";

const node = { id: "n" };
let cache: SnapshotCache;
let clock: FakeXdsClock;
let events: XdsEvent[];
let protocol: XdsProtocol;

beforeEach(() => {
  cache = new SnapshotCache();
  clock = new FakeXdsClock();
  events = [];
  protocol = createXdsProtocol({ source: cache, clock, onEvent: (event) => events.push(event) });
});

const versionOf = (name: string, content: string): string => resourceOf(name, encodeContent(name, content)).version;

function put(type: TypeUrl, contents: Record<string, string | undefined>, encode = encodeContent): void {
  const entries = Object.entries(contents);
  const upserted = entries.flatMap(([name, content]) =>
    content === undefined ? [] : [resourceOf(name, encode(name, content))],
  );
  const removed = entries.flatMap(([name, content]) => (content === undefined ? [name] : []));
  cache.update("n", new Map([[type, { upserted, removed }]]));
}

function stream(): FakeStream {
  const fake = new FakeStream(deltaAds);
  fake.open(protocol.accept);
  return fake;
}

function one(client: FakeStream): {
  resources: Record<string, string>;
  removed: readonly string[];
  response: Received;
} {
  const responses = client.take();
  expect(responses).toHaveLength(1);
  const response = responses[0] as Received;
  client.delta({ typeUrl: response.type, responseNonce: response.nonce });
  return { resources: Object.fromEntries(response.resources), removed: response.removed, response };
}

describe.each([CDS, EDS, LDS, RDS])("names of %s", (typeUrl) => {
  beforeEach(() => put(typeUrl, { a: "1", b: "1", c: "1" }));

  it("are answered one after the other, and only what changes afterwards", () => {
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a"] });
    expect(one(client).resources).toEqual({ a: "1" });
    client.delta({ typeUrl, resourceNamesSubscribe: ["b"] });
    expect(one(client).resources).toEqual({ b: "1" });
    put(typeUrl, { a: "2", c: "2" });
    expect(one(client).resources).toEqual({ a: "2" });
    expect(client.take()).toEqual([]);
  });

  it("that do not exist are said to be gone at once, and sent when they are created", () => {
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a", "z"] });
    expect(one(client)).toMatchObject({ resources: { a: "1" }, removed: ["z"] });
    put(typeUrl, { z: "1" });
    expect(one(client)).toMatchObject({ resources: { z: "1" }, removed: [] });
  });

  it("that are removed are said to be gone, and sent again when they are back", () => {
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a", "b"] });
    one(client);
    put(typeUrl, { a: undefined });
    expect(one(client)).toMatchObject({ resources: {}, removed: ["a"] });
    put(typeUrl, { a: "2" });
    expect(one(client)).toMatchObject({ resources: { a: "2" }, removed: [] });
  });

  it("that are unsubscribed are not sent any more", () => {
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a", "b"] });
    one(client);
    client.delta({ typeUrl, resourceNamesUnsubscribe: ["b", "never"] });
    put(typeUrl, { b: "2" });
    expect(client.take()).toEqual([]);
    client.delta({ typeUrl, resourceNamesUnsubscribe: ["a"] });
    put(typeUrl, { a: "2", c: "2" });
    expect(client.take()).toEqual([]);
  });

  it("that are subscribed again are sent again, because the client may have forgotten them", () => {
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a"] });
    const first = one(client).response;
    client.delta({ typeUrl, resourceNamesSubscribe: ["a"] });
    const again = one(client);
    expect(again.resources).toEqual({ a: "1" });
    expect(again.response.nonce).not.toBe(first.nonce);
  });

  it("count also in a request with a stale nonce", () => {
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a"] });
    one(client);
    client.delta({ typeUrl, resourceNamesSubscribe: ["b"], responseNonce: "stale" });
    expect(one(client).resources).toEqual({ b: "1" });
    expect(events.filter((event) => event.type === "stale-nonce")).toHaveLength(1);
  });

  it("brought from an earlier stream get only what differs and what is gone", () => {
    const client = stream();
    client.delta({
      node,
      typeUrl,
      resourceNamesSubscribe: ["a", "b", "gone"],
      initialResourceVersions: { a: versionOf("a", "1"), b: "old", gone: "1" },
    });
    expect(one(client)).toMatchObject({ resources: { b: "1" }, removed: ["gone"] });
  });

  it("brought from an earlier stream get nothing while nothing differs", () => {
    const client = stream();
    const initialResourceVersions = { a: versionOf("a", "1"), b: versionOf("b", "1") };
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["a", "b"], initialResourceVersions });
    expect(client.take()).toEqual([]);
    put(typeUrl, { b: "2" });
    expect(one(client).resources).toEqual({ b: "2" });
  });
});

describe.each([CDS, LDS])("wildcard on %s", (typeUrl) => {
  it.each([
    { form: "old", resourceNamesSubscribe: [] },
    { form: "new", resourceNamesSubscribe: ["*"] },
  ])("sends everything for the $form form, then changes only", ({ resourceNamesSubscribe }) => {
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe });
    expect(one(client).resources).toEqual({ a: "1", b: "1" });
    put(typeUrl, { b: undefined, c: "1" });
    const changed = [...client.take()];
    for (const { type, nonce } of changed) client.delta({ typeUrl: type, responseNonce: nonce });
    changed.push(...client.take());
    expect(changed.flatMap(({ resources }) => [...resources.keys()])).toEqual(["c"]);
    expect(changed.flatMap(({ removed }) => removed)).toEqual(["b"]);
  });

  it("answers an empty set once, so that the client does not wait", () => {
    put(RDS, { unrelated: "1" });
    const client = stream();
    client.delta({ node, typeUrl });
    expect(one(client)).toMatchObject({ resources: {}, removed: [] });
    expect(client.take()).toEqual([]);
  });

  it("goes on beside names until it is unsubscribed", () => {
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.delta({ node, typeUrl });
    one(client);
    client.delta({ typeUrl, resourceNamesSubscribe: ["a"] });
    expect(one(client).resources).toEqual({ a: "1" });
    put(typeUrl, { b: "2" });
    expect(one(client).resources).toEqual({ b: "2" });
    client.delta({ typeUrl, resourceNamesUnsubscribe: ["*"] });
    put(typeUrl, { b: "3" });
    expect(client.take()).toEqual([]);
    put(typeUrl, { a: "2" });
    expect(one(client).resources).toEqual({ a: "2" });
    client.delta({ typeUrl, resourceNamesUnsubscribe: ["a"] });
    put(typeUrl, { a: "3" });
    expect(client.take()).toEqual([]);
  });

  it("tells what becomes of a name that is unsubscribed beside it", () => {
    put(typeUrl, { a: "1" });
    const client = stream();
    client.delta({ node, typeUrl, resourceNamesSubscribe: ["*", "a", "z"] });
    one(client);
    client.delta({ typeUrl, resourceNamesUnsubscribe: ["a", "z"] });
    expect(one(client)).toMatchObject({ resources: { a: "1" }, removed: ["z"] });
  });

  it("brought from an earlier stream learns what is gone", () => {
    put(typeUrl, { a: "1", b: "2" });
    const client = stream();
    const initialResourceVersions = { a: versionOf("a", "1"), b: versionOf("b", "1"), gone: "1" };
    client.delta({ node, typeUrl, initialResourceVersions });
    expect(one(client)).toMatchObject({ resources: { b: "2" }, removed: ["gone"] });
  });
});

describe("a refused response", () => {
  it("is recorded and not repeated", () => {
    put(CDS, { a: "bad" });
    const client = stream();
    client.delta({ node, typeUrl: CDS });
    const [refused] = client.take();
    client.delta({ typeUrl: CDS, responseNonce: refused?.nonce ?? "", errorDetail: { message: "bad cluster" } });
    expect(client.take()).toEqual([]);
    expect(protocol.status()[0]).toMatchObject({ protocol: "delta", subscriptions: [{ error: "bad cluster" }] });
    put(CDS, { a: "good" });
    expect(one(client).resources).toEqual({ a: "good" });
  });
});

describe("endpoints of a cluster in warming", () => {
  const { EDS: byEds } = Cluster_DiscoveryType;
  const encodeCluster = (name: string, content: string): Uint8Array =>
    toBinary(
      ClusterSchema,
      create(ClusterSchema, {
        name,
        altStatName: content,
        clusterDiscoveryType: { case: "type", value: byEds },
        edsClusterConfig: { serviceName: `eds-${name}` },
      }),
    );
  const clusters = (contents: Record<string, string>): void => put(CDS, contents, encodeCluster);
  const raw = (bytes: Uint8Array): [string, string] => {
    const text = Buffer.from(bytes).toString();
    return /^\n/.test(text) ? ["c", "cluster"] : ["eds-c", "endpoints"];
  };
  const types = (client: FakeStream): TypeUrl[] => client.take().map(({ type }) => type);

  beforeEach(() => {
    clusters({ c: "1" });
    put(EDS, { "eds-c": "1" });
  });

  it.each(["sotw", "delta"] as const)(
    "follow it in %s, though they did not change and are not asked for",
    (variant) => {
      const client = new FakeStream(variant === "sotw" ? sotwAds : deltaAds, raw);
      client.open(protocol.accept);
      const send = (typeUrl: TypeUrl, names: string[], first: boolean, responseNonce = ""): void => {
        const from = first ? { node } : {};
        if (variant === "sotw") client.sotw({ ...from, typeUrl, resourceNames: names, responseNonce });
        else
          client.delta({ ...from, typeUrl, resourceNamesSubscribe: responseNonce === "" ? names : [], responseNonce });
      };
      const ackAll = (): TypeUrl[] => {
        const received = client.take();
        for (const { type, nonce } of received) send(type, type === EDS ? ["eds-c"] : [], false, nonce);
        return received.map(({ type }) => type);
      };
      send(CDS, [], true);
      send(EDS, ["eds-c"], false);
      expect(ackAll()).toEqual([CDS, EDS]);
      expect(types(client)).toEqual([]);
      clusters({ c: "2" });
      expect(ackAll()).toEqual([CDS, EDS]);
      expect(types(client)).toEqual([]);
    },
  );

  it("are sent on a new stream though the client holds them, when their cluster was sent there", () => {
    const [endpoints] = [resourceOf("eds-c", encodeContent("eds-c", "1"))];
    const client = new FakeStream(deltaAds, raw);
    client.open(protocol.accept);
    client.delta({ node, typeUrl: CDS, initialResourceVersions: { c: "other" } });
    expect(types(client)).toEqual([CDS]);
    const initialResourceVersions = { "eds-c": endpoints.version };
    client.delta({ typeUrl: EDS, resourceNamesSubscribe: ["eds-c"], initialResourceVersions });
    expect(types(client)).toEqual([EDS]);
  });
});

describe("removal on an aggregated stream", () => {
  it("comes after what referred to it is answered", () => {
    for (const type of [CDS, EDS, LDS, RDS]) put(type, { old: "1" });
    const client = stream();
    for (const typeUrl of [CDS, EDS, LDS, RDS]) {
      client.delta({ ...{ node }, typeUrl, resourceNamesSubscribe: ["old", "new"] });
      one(client);
    }
    cache.update(
      "n",
      new Map(
        [CDS, EDS, LDS, RDS].map((type) => [
          type,
          { upserted: [resourceOf("new", encodeContent("new", "1"))], removed: ["old"] },
        ]),
      ),
    );
    const seen: string[] = [];
    for (let round = 0; round < 10; round++) {
      for (const { type, nonce, resources, removed } of client.take()) {
        seen.push(...[...resources.keys()].map((name) => `${type.split(".").at(-1) ?? ""} +${name}`));
        seen.push(...removed.map((name) => `${type.split(".").at(-1) ?? ""} -${name}`));
        client.delta({ typeUrl: type, responseNonce: nonce });
      }
    }
    expect(seen).toEqual([
      "Cluster +new",
      "ClusterLoadAssignment +new",
      "Listener +new",
      "Listener -old",
      "RouteConfiguration +new",
      "RouteConfiguration -old",
      "Cluster -old",
      "ClusterLoadAssignment -old",
    ]);
  });
});

describe("answers to delta responses", () => {
  it("count each on their own, also when a newer response is out", () => {
    put(EDS, { a: "1", b: "1" });
    const client = stream();
    client.delta({ node, typeUrl: EDS, resourceNamesSubscribe: ["a", "b"] });
    one(client);
    put(EDS, { a: "bad" });
    const [refused] = client.take();
    clock.advance(5000);
    put(EDS, { b: "2" });
    const [newer] = client.take();
    client.delta({ typeUrl: EDS, responseNonce: refused?.nonce ?? "", errorDetail: { message: "bad endpoints" } });
    client.delta({ typeUrl: EDS, responseNonce: newer?.nonce ?? "" });
    expect(events.filter(({ type }) => type === "nacked" || type === "stale-nonce")).toMatchObject([
      { type: "nacked", nonce: refused?.nonce, version: refused?.version, error: "bad endpoints" },
    ]);
    expect(protocol.status()[0]?.subscriptions[0]).toMatchObject({ error: "bad endpoints", ackedNonce: newer?.nonce });
    put(EDS, { a: "good" });
    one(client);
    expect(protocol.status()[0]?.subscriptions[0]).not.toHaveProperty("error");
  });

  it("are told apart when the same content is sent twice meanwhile", () => {
    put(EDS, { a: "1", b: "1" });
    const client = stream();
    client.delta({ node, typeUrl: EDS, resourceNamesSubscribe: ["a"] });
    client.delta({ typeUrl: EDS, resourceNamesSubscribe: ["b"] });
    client.delta({ typeUrl: EDS, resourceNamesSubscribe: ["a"] });
    const nonces = client.take().map(({ nonce }) => nonce);
    expect(new Set(nonces).size).toBe(3);
  });

  it("are remembered for a bounded number of responses", () => {
    put(EDS, { a: "first" });
    const client = stream();
    client.delta({ node, typeUrl: EDS, resourceNamesSubscribe: ["a"] });
    one(client);
    const sent: Received[] = [];
    for (let round = 0; round < 40; round++) {
      put(EDS, { a: `${round}` });
      clock.advance(5000);
      sent.push(...client.take());
    }
    expect(sent).toHaveLength(40);
    const answer = (at: number): void =>
      client.delta({ typeUrl: EDS, responseNonce: sent[at]?.nonce ?? "", errorDetail: { message: `no ${at}` } });
    answer(0);
    expect(events.filter(({ type }) => type === "nacked")).toEqual([]);
    answer(8);
    expect(events.filter(({ type }) => type === "nacked")).toMatchObject([{ error: "no 8" }]);
  });
});

describe("the names that a stream watches", () => {
  const streamOf = (at: number) => protocol.status()[at]?.stream ?? 0;

  it("are told by type, sorted and without the wildcard, for delta", () => {
    const client = stream();
    client.delta({ node, typeUrl: CDS });
    client.delta({ typeUrl: EDS, resourceNamesSubscribe: ["b", "a", "c"] });
    client.delta({ typeUrl: EDS, resourceNamesUnsubscribe: ["b"] });
    client.delta({ typeUrl: LDS, resourceNamesSubscribe: ["*", "x"] });
    const id = streamOf(0);
    expect(protocol.watchedNames(id)).toEqual(
      new Map([
        [CDS, []],
        [EDS, ["a", "c"]],
        [LDS, ["x"]],
      ]),
    );
    client.close();
    expect(protocol.watchedNames(id)).toEqual(new Map());
  });

  it("are those of the last request for SotW, and each stream's own", () => {
    const [first, second] = [new FakeStream(sotwAds), new FakeStream(sotwAds)];
    for (const client of [first, second]) client.open(protocol.accept);
    first.sotw({ node, typeUrl: EDS, resourceNames: ["b", "a"] });
    second.sotw({ node, typeUrl: EDS, resourceNames: ["a"] });
    first.sotw({ typeUrl: EDS, resourceNames: ["d", "a"] });
    expect(protocol.watchedNames(streamOf(0))).toEqual(new Map([[EDS, ["a", "d"]]]));
    expect(protocol.watchedNames(streamOf(1))).toEqual(new Map([[EDS, ["a"]]]));
  });
});
