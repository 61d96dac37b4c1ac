import { beforeEach, describe, expect, it } from "vitest";
import type { TypeUrl } from "@signalbox/envoy-api";
import type { XdsEvent } from "../events.ts";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, EDS, encodeContent, FakeStream, LDS, RDS, SDS, sotwAds, type Received } from "../testing/fake-stream.ts";
import { createXdsProtocol, type XdsProtocol, type XdsProtocolOptions } from "./xds-protocol.ts";

const node = { id: "n" };
let cache: SnapshotCache;
let clock: FakeXdsClock;
let events: XdsEvent[];
let protocol: XdsProtocol;

function start(options: Partial<XdsProtocolOptions> = {}): void {
  protocol = createXdsProtocol({ source: cache, clock, onEvent: (event) => events.push(event), ...options });
}

beforeEach(() => {
  cache = new SnapshotCache();
  clock = new FakeXdsClock();
  events = [];
  start();
});

/** `{ a: "1" }` sets, `{ a: undefined }` removes. */
function put(type: TypeUrl, contents: Record<string, string | undefined>): void {
  putAll(new Map([[type, contents]]));
}

function putAll(types: ReadonlyMap<TypeUrl, Record<string, string | undefined>>): void {
  cache.update(
    "n",
    new Map(
      [...types].map(([type, contents]) => {
        const entries = Object.entries(contents);
        return [
          type,
          {
            upserted: entries.flatMap(([name, content]) =>
              content === undefined ? [] : [resourceOf(name, encodeContent(name, content))],
            ),
            removed: entries.flatMap(([name, content]) => (content === undefined ? [name] : [])),
          },
        ];
      }),
    ),
  );
}

function stream(path = sotwAds): FakeStream {
  const fake = new FakeStream(path);
  fake.open(protocol.accept);
  return fake;
}

/** The one response since the last look, and its ACK. */
function one(client: FakeStream): Received {
  const responses = client.take();
  expect(responses).toHaveLength(1);
  return responses[0] as Received;
}

function ack(client: FakeStream, response: Received, resourceNames: string[] = []): void {
  client.sotw({ typeUrl: response.type, versionInfo: response.version, responseNonce: response.nonce, resourceNames });
}

function contents(response: Received): Record<string, string> {
  return Object.fromEntries(response.resources);
}

function nack(client: FakeStream, response: Received, message: string, resourceNames: string[] = []): void {
  const { type: typeUrl, nonce: responseNonce } = response;
  client.sotw({ typeUrl, responseNonce, resourceNames, errorDetail: { code: 3, message } });
}

describe.each([CDS, LDS])("wildcard subscription to %s", (typeUrl) => {
  it.each([
    { form: "old", resourceNames: [] },
    { form: "new", resourceNames: ["*"] },
  ])("answers the $form form with everything, and an ACK with nothing", ({ resourceNames }) => {
    put(typeUrl, { b: "1", a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames });
    const response = one(client);
    expect([...response.resources.keys()]).toEqual(["a", "b"]);
    ack(client, response, resourceNames);
    ack(client, response, resourceNames);
    expect(client.take()).toEqual([]);
  });

  it("sends all resources in one response when one changes, appears or goes", () => {
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl });
    ack(client, one(client));
    put(typeUrl, { a: "2" });
    const changed = one(client);
    expect(contents(changed)).toEqual({ a: "2", b: "1" });
    ack(client, changed);
    put(typeUrl, { c: "1" });
    const added = one(client);
    expect(contents(added)).toEqual({ a: "2", b: "1", c: "1" });
    ack(client, added);
    put(typeUrl, { b: undefined });
    expect(contents(one(client))).toEqual({ a: "2", c: "1" });
  });

  it("answers an empty set, so that the client does not wait", () => {
    put(SDS, { unrelated: "1" });
    const client = stream();
    client.sotw({ node, typeUrl });
    expect(contents(one(client))).toEqual({});
  });

  it("ends when names are given without the star, and stays ended when they are taken back", () => {
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl });
    const everything = one(client);
    ack(client, everything, ["*", "a"]);
    const again = one(client);
    expect(contents(again)).toEqual({ a: "1", b: "1" });
    ack(client, again, ["a"]);
    expect(client.take()).toEqual([]);
    put(typeUrl, { b: "2" });
    expect(client.take()).toEqual([]);
    ack(client, again, []);
    put(typeUrl, { a: "2", b: "3" });
    expect(client.take()).toEqual([]);
  });

  it("names only what was asked for, all of it when one changes", () => {
    put(typeUrl, { a: "1", b: "1", c: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a", "b"] });
    const first = one(client);
    expect(contents(first)).toEqual({ a: "1", b: "1" });
    ack(client, first, ["a", "b"]);
    put(typeUrl, { c: "2" });
    expect(client.take()).toEqual([]);
    put(typeUrl, { b: "2" });
    expect(contents(one(client))).toEqual({ a: "1", b: "2" });
  });
});

describe.each([EDS, RDS, SDS])("named subscription to %s", (typeUrl) => {
  it("answers what exists, then only what changes", () => {
    put(typeUrl, { a: "1", b: "1", c: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a", "b"] });
    const first = one(client);
    expect(contents(first)).toEqual({ a: "1", b: "1" });
    ack(client, first, ["a", "b"]);
    put(typeUrl, { a: "2", c: "2" });
    const second = one(client);
    expect(contents(second)).toEqual({ a: "2" });
    expect(second.version).not.toBe(first.version);
  });

  it("gives everything to nobody who names nothing", () => {
    put(typeUrl, { a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl });
    expect(client.take()).toEqual([]);
  });

  it("answers newly named resources with the others left out", () => {
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a"] });
    ack(client, one(client), ["a", "b"]);
    expect(contents(one(client))).toEqual({ b: "1" });
  });

  it("says nothing in SotW when a resource goes, and sends it again when it comes back", () => {
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a", "b"] });
    ack(client, one(client), ["a", "b"]);
    put(typeUrl, { a: undefined });
    expect(client.take()).toEqual([]);
    put(typeUrl, { a: "1" });
    expect(contents(one(client))).toEqual({ a: "1" });
  });
});

describe.each([CDS, EDS, LDS, RDS])("names of %s that do not exist", (typeUrl) => {
  it("are answered when they are created", () => {
    put(typeUrl, { a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a", "z"] });
    const first = one(client);
    expect(contents(first)).toEqual({ a: "1" });
    ack(client, first, ["a", "z"]);
    expect(client.take()).toEqual([]);
    put(typeUrl, { z: "1" });
    expect(one(client).resources.get("z")).toBe("1");
  });

  it("are not answered while none of them exists", () => {
    put(typeUrl, { a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["y", "z"] });
    expect(client.take()).toEqual([]);
    put(typeUrl, { y: "1" });
    expect(contents(one(client))).toEqual({ y: "1" });
  });

  it("wait for the node to become known", () => {
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a"] });
    expect(client.take()).toEqual([]);
    put(typeUrl, { a: "1", b: "1" });
    expect(contents(one(client))).toEqual({ a: "1" });
  });

  it("are all given up by one empty name", () => {
    put(typeUrl, { a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames: ["a"] });
    const first = one(client);
    ack(client, first, [""]);
    put(typeUrl, { a: "2" });
    expect(client.take()).toEqual([]);
    ack(client, first, ["a"]);
    expect(contents(one(client))).toEqual({ a: "2" });
  });
});

describe("versions and nonces", () => {
  it("are kept for each type of an aggregated stream", () => {
    put(CDS, { c: "1" });
    put(LDS, { l: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: CDS });
    const clusters = one(client);
    client.sotw({ typeUrl: LDS });
    const listeners = one(client);
    expect(listeners.type).toBe(LDS);
    expect(listeners.nonce).not.toBe(clusters.nonce);
    ack(client, listeners);
    ack(client, clusters);
    expect(client.take()).toEqual([]);
    expect(events.filter((event) => event.type === "stale-nonce")).toEqual([]);
    expect(events.filter((event) => event.type === "acked")).toHaveLength(2);
  });

  it("a stale nonce is ignored, names and all", () => {
    put(EDS, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: EDS, resourceNames: ["a"] });
    const first = one(client);
    ack(client, first, ["a"]);
    put(EDS, { a: "2" });
    const second = one(client);
    ack(client, first, ["a", "b"]);
    expect(client.take()).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "stale-nonce", resourceType: EDS, nonce: first.nonce });
    ack(client, second, ["a", "b"]);
    expect(contents(one(client))).toEqual({ b: "1" });
  });

  it("the same content has the same version in every server, for wildcards and for names", () => {
    const versions = [0, 1].map((round) => {
      cache = new SnapshotCache();
      start();
      if (round === 1) put(CDS, { c: "0", x: "1" });
      put(CDS, { b: "1", a: "1" });
      put(CDS, { c: "1", x: undefined });
      put(EDS, { e: "1", f: `${round}` });
      const client = stream();
      client.sotw({ node, typeUrl: CDS });
      client.sotw({ node, typeUrl: EDS, resourceNames: ["e"] });
      return client.take().map((response) => response.version);
    });
    expect(versions[0]).toEqual(versions[1]);
    expect(new Set(versions[0]).size).toBe(2);
  });

  it("a refused response is recorded and not sent again before its content changes", () => {
    put(CDS, { a: "bad", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: CDS });
    const refused = one(client);
    nack(client, refused, "no such filter");
    expect(client.take()).toEqual([]);
    expect(events.at(-1)).toMatchObject({ type: "nacked", error: "no such filter", nonce: refused.nonce });
    expect(protocol.status()[0]?.subscriptions[0]).toMatchObject({ error: "no such filter", sentNonce: refused.nonce });
    expect(protocol.status()[0]?.subscriptions[0]).not.toHaveProperty("ackedVersion");
    put(CDS, { a: "good" });
    const fixed = one(client);
    expect(contents(fixed)).toEqual({ a: "good", b: "1" });
    ack(client, fixed);
    expect(protocol.status()[0]?.subscriptions[0]).toMatchObject({ ackedVersion: fixed.version });
    expect(protocol.status()[0]?.subscriptions[0]).not.toHaveProperty("error");
  });

  it.each([EDS, RDS])("what a client refused of %s stays refused, and a new stream is sent it", (typeUrl) => {
    const resourceNames = ["a", "b"];
    put(typeUrl, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl, resourceNames });
    ack(client, one(client), resourceNames);
    put(typeUrl, { a: "bad" });
    nack(client, one(client), "no", resourceNames);
    put(typeUrl, { b: "2" });
    const later = one(client);
    ack(client, later, resourceNames);
    expect(protocol.status()[0]?.subscriptions[0]).toMatchObject({ error: "no", ackedVersion: later.version });
    client.close();
    const again = stream();
    again.sotw({ node, typeUrl, resourceNames, versionInfo: later.version });
    const all = one(again);
    expect(contents(all)).toEqual({ a: "bad", b: "2" });
    ack(again, all, resourceNames);
    expect(protocol.status()[0]?.subscriptions[0]).not.toHaveProperty("error");
  });

  it("what was refused and then accepted is not sent to a new stream", () => {
    const resourceNames = ["a", "b"];
    put(EDS, { a: "bad", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: EDS, resourceNames });
    nack(client, one(client), "no", resourceNames);
    put(EDS, { a: "good" });
    const fixed = one(client);
    ack(client, fixed, resourceNames);
    expect(protocol.status()[0]?.subscriptions[0]).toMatchObject({ error: "no" });
    put(EDS, { b: "2" });
    const rest = one(client);
    ack(client, rest, resourceNames);
    expect(protocol.status()[0]?.subscriptions[0]).not.toHaveProperty("error");
    client.close();
    for (const [response, sent] of [
      [fixed, 1],
      [rest, 0],
    ] as const) {
      const again = stream();
      again.sotw({ node, typeUrl: EDS, resourceNames, versionInfo: response.version });
      expect(again.take()).toHaveLength(sent);
    }
  });

  it("a refusal that comes after a newer response counts too", () => {
    const resourceNames = ["a", "b"];
    put(EDS, { a: "1", b: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: EDS, resourceNames });
    ack(client, one(client), resourceNames);
    put(EDS, { a: "bad" });
    const refused = one(client);
    clock.advance(5000);
    put(EDS, { b: "2" });
    const newer = one(client);
    nack(client, refused, "no", resourceNames);
    ack(client, newer, resourceNames);
    expect(events.filter(({ type }) => type === "nacked")).toMatchObject([{ nonce: refused.nonce, error: "no" }]);
    client.close();
    const again = stream();
    again.sotw({ node, typeUrl: EDS, resourceNames, versionInfo: newer.version });
    expect(contents(one(again))).toEqual({ a: "bad", b: "2" });
  });

  it("an update that changes nothing is not sent", () => {
    put(CDS, { a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: CDS });
    ack(client, one(client));
    put(CDS, { a: "1" });
    put(CDS, { nothing: undefined });
    expect(client.take()).toEqual([]);
  });
});

describe("a client that comes back", () => {
  const names = ["a", "b"];
  it.each([
    { type: CDS, resourceNames: [] },
    { type: LDS, resourceNames: [] },
    { type: EDS, resourceNames: names },
    { type: RDS, resourceNames: names },
  ])(
    "is sent nothing of $type while that is what it holds, and the next change",
    ({ type: typeUrl, resourceNames }) => {
      put(typeUrl, { a: "1", b: "1", c: "1" });
      const before = stream();
      before.sotw({ node, typeUrl, resourceNames });
      const { version: versionInfo } = one(before);
      before.close();
      start();
      const client = stream();
      client.sotw({ node, typeUrl, resourceNames, versionInfo });
      expect(client.take()).toEqual([]);
      expect(protocol.status()[0]?.subscriptions[0]).toMatchObject({ ackedVersion: versionInfo });
      put(typeUrl, { a: "2" });
      expect(one(client).resources.get("a")).toBe("2");
    },
  );

  it("holds all it named even when the last response carried only some", () => {
    put(EDS, { a: "1", b: "1" });
    const before = stream();
    before.sotw({ node, typeUrl: EDS, resourceNames: names });
    ack(before, one(before), names);
    put(EDS, { b: "2" });
    const { version: versionInfo } = one(before);
    start();
    const client = stream();
    client.sotw({ node, typeUrl: EDS, resourceNames: names, versionInfo });
    expect(client.take()).toEqual([]);
  });

  it("is sent everything when it names more than before", () => {
    put(EDS, { a: "1", b: "1" });
    const before = stream();
    before.sotw({ node, typeUrl: EDS, resourceNames: ["a"] });
    const { version: versionInfo } = one(before);
    const client = stream();
    client.sotw({ node, typeUrl: EDS, resourceNames: names, versionInfo });
    expect(contents(one(client))).toEqual({ a: "1", b: "1" });
  });

  it("is compared with what is there when its view becomes known", () => {
    put(CDS, { a: "1" });
    const before = stream();
    before.sotw({ node, typeUrl: CDS });
    const { version: versionInfo } = one(before);
    cache = new SnapshotCache();
    start();
    const client = stream();
    client.sotw({ node, typeUrl: CDS, versionInfo });
    expect(client.take()).toEqual([]);
    put(CDS, { a: "1" });
    expect(client.take()).toEqual([]);
    put(CDS, { a: "2" });
    expect(contents(one(client))).toEqual({ a: "2" });
  });
});

describe("flow control", () => {
  it("writes once at a time and then only the newest", () => {
    put(CDS, { a: "1" });
    const client = stream();
    client.stuck = true;
    client.sotw({ node, typeUrl: CDS });
    const first = one(client);
    ack(client, first);
    for (let round = 2; round < 50; round++) put(CDS, { a: `${round}` });
    expect(client.take()).toEqual([]);
    client.finishWrite();
    expect(contents(one(client))).toEqual({ a: "49" });
  });

  it("waits for the ACK of a type, and not for ever", () => {
    put(CDS, { a: "1" });
    const client = stream();
    client.sotw({ node, typeUrl: CDS });
    one(client);
    put(CDS, { a: "2" });
    put(CDS, { a: "3" });
    expect(client.take()).toEqual([]);
    clock.advance(4999);
    expect(client.take()).toEqual([]);
    clock.advance(1);
    expect(contents(one(client))).toEqual({ a: "3" });
    client.close();
    expect(clock.timers).toBe(0);
  });

  it("shares the encoded response between streams", () => {
    put(CDS, { a: "1" });
    const frames = [0, 1, 2].map(() => {
      const client = stream();
      const written: (readonly Uint8Array[])[] = [];
      client.write = (frame, done) => {
        written.push(frame);
        done();
      };
      client.sotw({ node, typeUrl: CDS });
      return written[0]?.[0];
    });
    expect(frames[0]).toBeInstanceOf(Uint8Array);
    expect(frames[1]).toBe(frames[0]);
    expect(frames[2]).toBe(frames[0]);
  });

  it("one stuck client does not hold back another", () => {
    put(CDS, { a: "1" });
    const stuck = stream();
    stuck.stuck = true;
    stuck.sotw({ node, typeUrl: CDS });
    const client = stream();
    client.sotw({ node, typeUrl: CDS });
    ack(client, one(client));
    put(CDS, { a: "2" });
    expect(contents(one(client))).toEqual({ a: "2" });
    expect(stuck.received).toHaveLength(1);
  });
});

describe("order of one change on an aggregated stream", () => {
  const everything = [CDS, EDS, LDS, RDS];
  function connected(): FakeStream {
    putAll(new Map(everything.map((type) => [type, { old: "1" }])));
    const client = stream();
    for (const typeUrl of everything) {
      const resourceNames = typeUrl === EDS || typeUrl === RDS ? ["old", "new"] : [];
      client.sotw({ node, typeUrl, resourceNames });
      ack(client, one(client), resourceNames);
    }
    return client;
  }
  const names = (response: Received): string[] =>
    response.type === EDS || response.type === RDS ? ["old", "new"] : [];

  it("is clusters and endpoints, then what refers to them, then removals", () => {
    const client = connected();
    putAll(new Map([...everything].reverse().map((type) => [type, { old: undefined, new: "1" }])));
    const make = client.take();
    expect(make.map(({ type }) => type)).toEqual([CDS, EDS]);
    expect(contents(make[0] as Received)).toEqual({ old: "1", new: "1" });
    ack(client, make[0] as Received);
    expect(client.take()).toEqual([]);
    ack(client, make[1] as Received, ["old", "new"]);
    const refer = client.take();
    expect(refer.map(({ type }) => type)).toEqual([LDS, RDS]);
    expect(contents(refer[0] as Received)).toEqual({ new: "1" });
    for (const response of refer) ack(client, response, names(response));
    const removal = one(client);
    expect(removal.type).toBe(CDS);
    expect(contents(removal)).toEqual({ new: "1" });
    ack(client, removal);
    expect(client.take()).toEqual([]);
  });

  it("a refusal of clusters or endpoints counts as an answer, one of what refers to them keeps the old clusters", () => {
    const client = connected();
    putAll(new Map(everything.map((type) => [type, { old: undefined, new: "1" }])));
    for (const response of client.take()) nack(client, response, "no", names(response));
    const refer = client.take();
    expect(refer.map(({ type }) => type)).toEqual([LDS, RDS]);
    ack(client, refer[0] as Received);
    nack(client, refer[1] as Received, "no", names(refer[1] as Received));
    clock.advance(59_999);
    expect(client.take()).toEqual([]);
    clock.advance(1);
    expect(contents(one(client))).toEqual({ new: "1" });
    expect(events.filter(({ type }) => type === "removed-despite-refusal")).toMatchObject([
      { resourceType: CDS, names: 1 },
    ]);
  });

  it("old clusters go as soon as what was refused is accepted", () => {
    const client = connected();
    putAll(new Map(everything.map((type) => [type, { old: undefined, new: "bad" }])));
    for (const response of client.take()) ack(client, response, names(response));
    const [listeners, routes] = client.take() as [Received, Received];
    ack(client, listeners);
    nack(client, routes, "no", names(routes));
    put(RDS, { new: "good" });
    ack(client, one(client), ["old", "new"]);
    expect(contents(one(client))).toEqual({ new: "bad" });
    expect(events.filter(({ type }) => type === "removed-despite-refusal")).toEqual([]);
  });

  it("goes on without the client's answers after the timeout", () => {
    const client = connected();
    putAll(new Map(everything.map((type) => [type, { old: undefined, new: "1" }])));
    expect(client.take().map(({ type }) => type)).toEqual([CDS, EDS]);
    clock.advance(5000);
    expect(client.take().map(({ type }) => type)).toEqual([LDS, RDS]);
    clock.advance(5000);
    expect(client.take().map(({ type }) => type)).toEqual([CDS]);
  });

  it("a new stream does not see what is being removed", () => {
    const client = connected();
    putAll(new Map(everything.map((type) => [type, { old: undefined, new: "1" }])));
    expect(contents(client.take()[0] as Received)).toEqual({ old: "1", new: "1" });
    const late = stream();
    late.sotw({ node, typeUrl: CDS });
    expect(contents(one(late))).toEqual({ new: "1" });
  });

  it("routes of a later change wait for the endpoints of an earlier one, and not for those of a later one", () => {
    const client = connected();
    put(EDS, { old: "2" });
    const endpoints = one(client);
    put(RDS, { old: "2" });
    expect(client.take()).toEqual([]);
    put(EDS, { old: "3" });
    ack(client, endpoints, ["old", "new"]);
    expect(client.take().map(({ type }) => type)).toEqual([EDS, RDS]);
  });

  it("a removed cluster that comes back is simply updated", () => {
    const client = connected();
    putAll(
      new Map([
        [CDS, { old: undefined }],
        [LDS, { old: "2" }],
      ]),
    );
    const [listeners] = client.take();
    expect(listeners?.type).toBe(LDS);
    put(CDS, { old: "2" });
    const clusters = one(client);
    expect(contents(clusters)).toEqual({ old: "2" });
    ack(client, clusters);
    ack(client, listeners as Received);
    expect(client.take()).toEqual([]);
  });
});
