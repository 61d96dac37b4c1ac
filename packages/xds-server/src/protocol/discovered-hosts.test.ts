import { beforeEach, describe, expect, it } from "vitest";
import { create, toBinary } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import type { XdsEvent } from "../events.ts";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { CDS, deltaAds, encodeContent, FakeStream, RDS, sotwAds } from "../testing/fake-stream.ts";
import { readTableOrHost } from "../testing/host-client.ts";
import { SwitchingSource } from "../testing/switching-source.ts";
import { createXdsProtocol, type XdsProtocol } from "./xds-protocol.ts";

const VHDS = typeUrls.virtualHost;
const node = { id: "n" };
let cache: SnapshotCache;
let source: SwitchingSource;
let clock: FakeXdsClock;
let events: XdsEvent[];
let protocol: XdsProtocol;

beforeEach(() => {
  cache = new SnapshotCache();
  source = new SwitchingSource(cache, "n");
  clock = new FakeXdsClock();
  events = [];
  protocol = createXdsProtocol({ source, clock, onEvent: (event) => events.push(event) });
});

/** A route table: `vhds` in its content says that its virtual hosts are discovered. */
function encodeTable(name: string, content: string): Uint8Array {
  const vhds = content.includes("vhds") ? { vhds: { configSource: {} } } : {};
  const table = { name, ...vhds, internalOnlyHeaders: [content] };
  return toBinary(RouteConfigurationSchema, create(RouteConfigurationSchema, table));
}

type Contents = Record<string, string | undefined>;

/** Changes tables, virtual hosts and anything else in one event. */
function put(changes: ReadonlyMap<TypeUrl, Contents>, group = "n"): void {
  const change = (type: TypeUrl, contents: Contents) => {
    const encode = type === RDS ? encodeTable : encodeContent;
    const entries = Object.entries(contents);
    return {
      upserted: entries.flatMap(([name, text]) => (text === undefined ? [] : [resourceOf(name, encode(name, text))])),
      removed: entries.flatMap(([name, text]) => (text === undefined ? [name] : [])),
    };
  };
  cache.update(group, new Map([...changes].map(([type, contents]) => [type, change(type, contents)])));
}

const tables = (contents: Contents): void => put(new Map([[RDS, contents]]));
const hosts = (contents: Contents): void => put(new Map([[VHDS, contents]]));
const versionOf = (name: string, text: string): string => resourceOf(name, encodeContent(name, text)).version;
const tableVersion = (name: string, text: string): string => resourceOf(name, encodeTable(name, text)).version;

function stream(path = deltaAds): FakeStream {
  const client = new FakeStream(path, readTableOrHost);
  client.open(protocol.accept);
  return client;
}

/** What came since, each response as `type: +name=content -name`, accepted unless `refuse` is a type. */
function took(client: FakeStream, refuse?: TypeUrl): string[] {
  const responses = client.take();
  for (const { nonce, type } of responses)
    client.delta({
      typeUrl: type,
      responseNonce: nonce,
      ...(type === refuse ? { errorDetail: { message: "no" } } : {}),
    });
  return responses.map(({ removed, resources, type }) =>
    [
      `${type.slice(type.lastIndexOf(".") + 1)}:`,
      ...[...resources].map(([name, text]) => `+${name}=${text}`),
      ...removed.map((name) => `-${name}`),
    ].join(" "),
  );
}

/** A client that has table 80 and asked for virtual hosts. */
function settledClient(): FakeStream {
  tables({ "80": "vhds" });
  hosts({ "80/a": "1", "80/b": "1" });
  const client = stream();
  client.delta({ node, typeUrl: RDS, resourceNamesSubscribe: ["80"] });
  expect(took(client)).toEqual(["RouteConfiguration: +80=vhds"]);
  client.delta({ typeUrl: VHDS });
  expect(took(client)).toEqual(["VirtualHost: +80/a=1 +80/b=1"]);
  return client;
}

describe("virtual hosts that are discovered", () => {
  it("come with the wildcard request for those tables only that the client asked for", () => {
    hosts({ "8080/x": "1" });
    tables({ "8080": "vhds" });
    settledClient();
  });

  it("cost one resource each when they change, and their table stays", () => {
    const client = settledClient();
    hosts({ "80/a": "2", "8080/x": "1" });
    expect(took(client)).toEqual(["VirtualHost: +80/a=2"]);
    expect(events.filter(({ type }) => type === "sent").at(-1)).toMatchObject({ resources: 1, removed: 0 });
  });

  it("of one event are in one response, with those that are gone", () => {
    const client = settledClient();
    hosts({ "80/a": undefined, "80/b": "2", "80/c": "1" });
    expect(took(client)).toEqual(["VirtualHost: +80/b=2 +80/c=1 -80/a"]);
  });

  it("follow a table that the client asks for later, without a request for them and without waiting for an answer", () => {
    const client = settledClient();
    tables({ "8080": "vhds" });
    hosts({ "8080/x": "1" });
    expect(took(client)).toEqual([]);
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["8080"] });
    expect(took(client)).toEqual(["RouteConfiguration: +8080=vhds", "VirtualHost: +8080/x=1"]);
  });

  it("follow a table also where an earlier response with virtual hosts is not answered", () => {
    const client = settledClient();
    put(
      new Map([
        [RDS, { "8080": "vhds" }],
        [VHDS, { "8080/x": "1", "80/a": "2" }],
      ]),
    );
    expect(client.take()).toHaveLength(1);
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["8080"] });
    expect(took(client)).toEqual(["RouteConfiguration: +8080=vhds", "VirtualHost: +8080/x=1"]);
  });

  it("follow a table before and without changes that wait for clusters", () => {
    put(new Map([[CDS, { c: "1" }]]));
    const client = settledClient();
    tables({ "8080": "vhds" });
    hosts({ "8080/x": "1" });
    client.delta({ typeUrl: CDS });
    expect(took(client)).toEqual(["Cluster: +c=1"]);
    put(
      new Map([
        [CDS, { c: "2" }],
        [VHDS, { "80/a": "2" }],
      ]),
    );
    const [cluster] = client.take();
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["8080"] });
    expect(took(client)).toEqual(["RouteConfiguration: +8080=vhds", "VirtualHost: +8080/x=1"]);
    client.delta({ typeUrl: CDS, responseNonce: cluster?.nonce ?? "" });
    expect(took(client)).toEqual(["VirtualHost: +80/a=2"]);
  });

  it("follow a table again that is asked for again, whatever was accepted before", () => {
    const client = settledClient();
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["80"] });
    expect(took(client)).toEqual(["RouteConfiguration: +80=vhds", "VirtualHost: +80/a=1 +80/b=1"]);
  });

  it("do not follow a table that only changed", () => {
    const client = settledClient();
    tables({ "80": "vhds, changed" });
    expect(took(client)).toEqual(["RouteConfiguration: +80=vhds, changed"]);
  });

  it("follow a table whose earlier form the client refused", () => {
    const client = settledClient();
    tables({ "8080": "vhds, bad" });
    hosts({ "8080/x": "1" });
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["8080"] });
    expect(took(client, RDS)).toEqual(["RouteConfiguration: +8080=vhds, bad", "VirtualHost: +8080/x=1"]);
    tables({ "8080": "vhds, good" });
    expect(took(client)).toEqual(["RouteConfiguration: +8080=vhds, good", "VirtualHost: +8080/x=1"]);
  });

  it("follow a table that had virtual hosts of its own in between", () => {
    const client = settledClient();
    tables({ "80": "inline" });
    expect(took(client)).toEqual(["RouteConfiguration: +80=inline"]);
    tables({ "80": "vhds" });
    expect(took(client)).toEqual(["RouteConfiguration: +80=vhds", "VirtualHost: +80/a=1 +80/b=1"]);
  });

  it("follow a table together with those of it that are gone and of which the client was not told yet", () => {
    const client = settledClient();
    hosts({ "80/b": "2" });
    expect(client.take()).toHaveLength(1);
    hosts({ "80/a": undefined, "80/c": "with the domain of a" });
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["80"] });
    expect(took(client)).toEqual([
      "RouteConfiguration: +80=vhds",
      "VirtualHost: +80/b=2 +80/c=with the domain of a -80/a",
    ]);
  });

  it("are told to be gone when their table is no longer asked for", () => {
    const client = settledClient();
    client.delta({ typeUrl: RDS, resourceNamesUnsubscribe: ["80"] });
    expect(took(client)).toEqual(["VirtualHost: -80/a -80/b"]);
    hosts({ "80/a": "2" });
    expect(took(client)).toEqual([]);
  });

  it("are told to be gone at once, and come again, when their table is left and asked for again", () => {
    const client = settledClient();
    hosts({ "80/a": "2" });
    const [unanswered] = client.take();
    client.delta({ typeUrl: RDS, resourceNamesUnsubscribe: ["80"] });
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["80"] });
    expect(took(client)).toEqual([
      "VirtualHost: -80/a -80/b",
      "RouteConfiguration: +80=vhds",
      "VirtualHost: +80/a=2 +80/b=1",
    ]);
    client.delta({ typeUrl: VHDS, responseNonce: unanswered?.nonce ?? "" });
    expect(took(client)).toEqual([]);
  });

  describe("of a table that is gone", () => {
    let client: FakeStream;
    beforeEach(() => {
      client = settledClient();
      put(
        new Map([
          [RDS, { "80": undefined }],
          [VHDS, { "80/a": undefined, "80/b": undefined }],
        ]),
      );
      expect(took(client)).toEqual(["RouteConfiguration: -80"]);
    });

    it("stay with the client for as long as it asks for the table, as the table does", () => {
      client.delta({ typeUrl: RDS, resourceNamesUnsubscribe: ["80"] });
      expect(took(client)).toEqual(["VirtualHost: -80/a -80/b"]);
    });

    it("stay also over a lost connection", () => {
      client.close();
      const again = stream();
      const initialResourceVersions = { "80": tableVersion("80", "vhds") };
      again.delta({ node, typeUrl: RDS, resourceNamesSubscribe: ["80"], initialResourceVersions });
      again.delta({ typeUrl: VHDS, initialResourceVersions: { "80/a": versionOf("80/a", "1") } });
      expect(took(again)).toEqual(["RouteConfiguration: -80"]);
      again.delta({ typeUrl: RDS, resourceNamesUnsubscribe: ["80"] });
      expect(took(again)).toEqual(["VirtualHost: -80/a"]);
    });

    it("are settled when the table comes back", () => {
      put(
        new Map([
          [RDS, { "80": "vhds" }],
          [VHDS, { "80/b": "1", "80/c": "1" }],
        ]),
      );
      expect(took(client)).toEqual(["RouteConfiguration: +80=vhds", "VirtualHost: +80/b=1 +80/c=1 -80/a"]);
    });
  });

  it("that there are none of is told for each table, first or later", () => {
    tables({ "80": "vhds", "8080": "vhds", own: "inline" });
    const client = stream();
    client.delta({ node, typeUrl: RDS, resourceNamesSubscribe: ["80", "own"] });
    client.delta({ typeUrl: VHDS });
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["8080"] });
    expect(took(client)).toEqual([
      "RouteConfiguration: +80=vhds +own=inline",
      "VirtualHost: -80/none",
      "RouteConfiguration: +8080=vhds",
      "VirtualHost: -8080/none",
    ]);
  });

  it("named by the client are answered whatever tables it has", () => {
    hosts({ "80/a": "1" });
    const client = stream();
    client.delta({ node, typeUrl: VHDS, resourceNamesSubscribe: ["80/a", "80/z"] });
    expect(took(client)).toEqual(["VirtualHost: +80/a=1 -80/z"]);
  });

  it("differ by the view when the client's view becomes another one", () => {
    const client = settledClient();
    put(
      new Map([
        [RDS, { "80": "vhds" }],
        [VHDS, { "80/a": "2", "80/c": "1", "8080/x": "1" }],
      ]),
      "other",
    );
    source.switchTo("other");
    expect(took(client)).toEqual(["VirtualHost: +80/a=2 +80/c=1 -80/b"]);
  });

  it("are no matter of SotW streams, where tables are whole", () => {
    tables({ "80": "inline" });
    hosts({ "80/a": "1" });
    const client = stream(sotwAds);
    client.sotw({ node, typeUrl: RDS, resourceNames: ["80"] });
    expect(client.take().map(({ resources }) => [...resources])).toEqual([[["80", "inline"]]]);
    tables({ "80": "inline, changed" });
    expect(client.take()).toEqual([]);
  });
});

describe("virtual hosts that the client brings from an earlier stream", () => {
  const brought = { "80/a": versionOf("80/a", "1"), "80/gone": "1", "9999/x": "1" };

  beforeEach(() => {
    tables({ "80": "vhds", "8080": "vhds" });
    hosts({ "80/a": "1", "80/b": "1", "8080/x": "1" });
  });

  it("are compared, and those removed that do not exist or whose table it does not ask for", () => {
    const client = stream();
    client.delta({
      node,
      typeUrl: RDS,
      resourceNamesSubscribe: ["80"],
      initialResourceVersions: { "80": tableVersion("80", "vhds") },
    });
    client.delta({ typeUrl: VHDS, initialResourceVersions: brought });
    expect(took(client)).toEqual(["VirtualHost: +80/b=1 -80/gone -9999/x"]);
  });

  it("are judged when it has asked for tables, whichever request comes first", () => {
    const client = stream();
    client.delta({ node, typeUrl: VHDS, initialResourceVersions: brought });
    expect(took(client)).toEqual([]);
    client.delta({
      typeUrl: RDS,
      resourceNamesSubscribe: ["80"],
      initialResourceVersions: { "80": tableVersion("80", "vhds") },
    });
    expect(took(client)).toEqual(["VirtualHost: +80/b=1 -80/gone -9999/x"]);
  });

  it("are sent all the same for a table that it does not bring", () => {
    const client = stream();
    client.delta({
      node,
      typeUrl: RDS,
      resourceNamesSubscribe: ["80", "8080"],
      initialResourceVersions: { "80": tableVersion("80", "vhds") },
    });
    const held = { ...brought, "8080/x": versionOf("8080/x", "1") };
    client.delta({ typeUrl: VHDS, initialResourceVersions: held });
    expect(took(client)).toEqual(["RouteConfiguration: +8080=vhds", "VirtualHost: +80/b=1 +8080/x=1 -80/gone -9999/x"]);
  });
});

describe("virtual hosts of a table after which the stream broke, before they came", () => {
  const initialTables = { "80": tableVersion("80", "vhds, new") };
  const old = versionOf("80/a", "0");

  it.each([
    { has: "none of them", there: { "80/a": "1", "80/b": "1" }, held: {}, told: "+80/a=1 +80/b=1" },
    { has: "an old one", there: { "80/a": "1", "80/b": "1" }, held: { "80/a": old }, told: "+80/a=1 +80/b=1" },
    { has: "one that is gone", there: { "80/b": "1" }, held: { "80/a": old }, told: "+80/b=1 -80/a" },
    { has: "none, as there are none", there: {}, held: {}, told: "-80/none" },
    { has: "one, and there are none", there: {}, held: { "80/a": old }, told: "-80/a" },
    { has: "one of another table", there: {}, held: { "8080/x": old }, told: "-80/none -8080/x" },
  ])("come when the client comes back with the table and has $has", ({ there, held, told }) => {
    tables({ "80": "vhds, new" });
    hosts(there);
    for (const tablesFirst of [true, false]) {
      const client = stream();
      const asks = [
        { node, typeUrl: RDS, resourceNamesSubscribe: ["80"], initialResourceVersions: initialTables },
        { node, typeUrl: VHDS, initialResourceVersions: held },
      ];
      for (const ask of tablesFirst ? asks : asks.reverse()) client.delta(ask);
      expect(took(client)).toEqual([`VirtualHost: ${told}`]);
    }
  });

  it("are told to be gone before the table is sent that the client left and wants again, so that it never has the table and believes to have them", () => {
    const client = settledClient();
    client.stuck = true;
    tables({ "80": "vhds, new" });
    client.delta({ typeUrl: RDS, resourceNamesUnsubscribe: ["80"] });
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["80"] });
    client.stuck = false;
    client.finishWrite();
    expect(took(client)).toEqual([
      "RouteConfiguration: +80=vhds, new",
      "VirtualHost: -80/a -80/b",
      "RouteConfiguration: +80=vhds, new",
      "VirtualHost: +80/a=1 +80/b=1",
    ]);
  });

  it("are told to be gone before the table is sent that the client does not bring, where it says first that it has them", () => {
    tables({ "80": "vhds" });
    hosts({ "80/a": "1" });
    const client = stream();
    client.delta({ node, typeUrl: VHDS, initialResourceVersions: { "80/a": versionOf("80/a", "1") } });
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["80"] });
    expect(took(client)).toEqual(["VirtualHost: -80/a", "RouteConfiguration: +80=vhds", "VirtualHost: +80/a=1"]);
  });
});

describe("virtual hosts that the client refused", () => {
  it("are not repeated, and keep none from it that change afterwards", () => {
    const client = settledClient();
    hosts({ "80/a": "bad", "80/b": "2" });
    expect(took(client, VHDS)).toEqual(["VirtualHost: +80/a=bad +80/b=2"]);
    expect(took(client)).toEqual([]);
    hosts({ "80/c": "1" });
    expect(took(client)).toEqual(["VirtualHost: +80/c=1"]);
  });

  it("come all again when one of them changes, because the others of the table were dropped with it", () => {
    tables({ "8080": "vhds" });
    hosts({ "8080/x": "1" });
    const client = settledClient();
    client.delta({ typeUrl: RDS, resourceNamesSubscribe: ["8080"] });
    took(client);
    hosts({ "80/a": "bad", "80/b": "2", "80/z": undefined, "8080/x": "2" });
    took(client, VHDS);
    hosts({ "80/a": "good" });
    expect(took(client)).toEqual(["VirtualHost: +80/a=good +80/b=2"]);
    hosts({ "80/a": "better" });
    expect(took(client)).toEqual(["VirtualHost: +80/a=better"]);
  });
});
