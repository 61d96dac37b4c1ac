import { beforeEach, describe, expect, it } from "vitest";
import type { XdsEvent } from "../events.ts";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import type { ResourceSource } from "../source.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, deltaAds, encodeContent, FakeStream, SDS, sotwAds, type Received } from "../testing/fake-stream.ts";
import type { Peer } from "../transport.ts";
import { createXdsProtocol, type XdsProtocol } from "./xds-protocol.ts";

const node = { id: "n" };
const peer: Peer = { address: "10.0.0.1:1", identities: ["spiffe://cluster.local/ns/edge/sa/r"] };
let cache: SnapshotCache;
let events: XdsEvent[];
let peers: (Peer | undefined)[];
let protocol: XdsProtocol;

beforeEach(() => {
  cache = new SnapshotCache();
  events = [];
  peers = [];
  const source: ResourceSource = {
    acquire: (from, onChange, who) => {
      peers.push(who);
      return cache.acquire(from, onChange);
    },
  };
  protocol = createXdsProtocol({ source, clock: new FakeXdsClock(), onEvent: (event) => events.push(event) });
});

function put(name: string, content: string): void {
  cache.update("n", new Map([[SDS, { upserted: [resourceOf(name, encodeContent(name, content))], removed: [] }]]));
}

/** The two dialects: how a client subscribes, and how it answers. */
const dialects = {
  sotw: {
    path: sotwAds,
    ask: (client: FakeStream) => client.sotw({ node, typeUrl: SDS, resourceNames: ["a"] }),
    answer: (client: FakeStream, { nonce, version }: Received, message?: string) =>
      client.sotw({
        typeUrl: SDS,
        resourceNames: ["a"],
        responseNonce: nonce,
        ...(message === undefined ? { versionInfo: version } : { errorDetail: { code: 3, message } }),
      }),
  },
  delta: {
    path: deltaAds,
    ask: (client: FakeStream) => client.delta({ node, typeUrl: SDS, resourceNamesSubscribe: ["a"] }),
    answer: (client: FakeStream, { nonce }: Received, message?: string) =>
      client.delta({
        typeUrl: SDS,
        responseNonce: nonce,
        ...(message === undefined ? {} : { errorDetail: { code: 3, message } }),
      }),
  },
};

describe.each(Object.entries(dialects))("secrets over one %s stream", (_, { answer, ask, path }) => {
  function open(): FakeStream {
    const client = new FakeStream(path, undefined, peer);
    client.open(protocol.accept);
    return client;
  }

  function one(client: FakeStream): Received {
    const [response, ...more] = client.take().filter(({ resources }) => resources.size > 0);
    expect(more).toEqual([]);
    return response as Received;
  }

  it("are sent by name, and again when they change", () => {
    put("a", "1");
    put("b", "1");
    const client = open();
    ask(client);
    const first = one(client);
    expect([...first.resources]).toEqual([["a", "1"]]);
    answer(client, first);
    put("b", "2");
    expect(client.take()).toEqual([]);
    put("a", "2");
    expect([...one(client).resources]).toEqual([["a", "2"]]);
  });

  it("come once they are there, to a client that asked before", () => {
    cache.update("n", new Map([[CDS, { upserted: [], removed: [] }]]));
    const client = open();
    ask(client);
    for (const empty of client.take()) answer(client, empty);
    put("a", "1");
    expect([...one(client).resources]).toEqual([["a", "1"]]);
  });

  it("that a client refused are not sent again until they change", () => {
    put("a", "bad");
    const client = open();
    ask(client);
    answer(client, one(client), "no key");
    expect(client.take()).toEqual([]);
    expect(events.find(({ type }) => type === "nacked")).toMatchObject({ resourceType: SDS, error: "no key" });
    put("a", "good");
    expect([...one(client).resources]).toEqual([["a", "good"]]);
  });

  it("are asked of the source with who the client is, and no event shows them", () => {
    put("a", "CONTENT");
    const client = open();
    ask(client);
    answer(client, one(client));
    expect(peers).toEqual([peer]);
    expect(events.map(({ type }) => type)).toContain("sent");
    expect(JSON.stringify([events, protocol.status()])).not.toContain("CONTENT");
  });
});
