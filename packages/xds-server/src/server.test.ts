import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { credentials, status as grpcCode } from "@grpc/grpc-js";
import { typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { readFileSync } from "node:fs";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { XdsEvent } from "./events.ts";
import type { Resource } from "./resource.ts";
import { resourceOf } from "./resource.ts";
import { createXdsServer } from "./server.ts";
import type { XdsServer, XdsServerOptions } from "./server.ts";
import { SnapshotCache } from "./snapshot-cache.ts";
import { openDelta, openSotw } from "./testing/ads-client.ts";
import { waitFor } from "./testing/wait.ts";

const certificates = join(import.meta.dirname, "../../../test/certificates");
const plain = credentials.createInsecure();
const open: (() => Promise<void> | void)[] = [];

afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close();
});

function cluster(name: string, seconds = 1): Resource {
  const message = create(ClusterSchema, { name, connectTimeout: { seconds: BigInt(seconds) } });
  return resourceOf(name, toBinary(ClusterSchema, message));
}

interface Started {
  readonly server: XdsServer;
  readonly cache: SnapshotCache;
  readonly address: string;
  readonly events: XdsEvent[];
}

async function start(options: Partial<XdsServerOptions> = {}): Promise<Started> {
  const cache = new SnapshotCache({ groupOf: (node) => node.cluster });
  cache.setSnapshot("web", new Map([[typeUrls.cluster, [cluster("a"), cluster("b")]]]));
  const events: XdsEvent[] = [];
  const server = createXdsServer({
    source: cache,
    onEvent: (event) => events.push(event),
    ...(options.tls === undefined ? { plaintext: { port: 0 } } : {}),
    ...options,
  });
  open.push(() => server.close());
  const { plaintext, tls } = await server.listen();
  return { server, cache, address: `127.0.0.1:${(plaintext ?? tls)?.port ?? 0}`, events };
}

const node = { id: "web-1", cluster: "web" };

describe("an ADS client over grpc-js", () => {
  it("gets SotW snapshots, changes, and counts as in sync after its ACK", async () => {
    const { server, cache, address } = await start();
    const client = openSotw(address, plain);
    open.push(client.close);
    client.send({ node, typeUrl: typeUrls.cluster });
    const first = await waitFor(() => client.responses[0], "a response");
    expect(first.resources.map(({ value }) => fromBinary(ClusterSchema, value).name)).toEqual(["a", "b"]);
    client.send({ typeUrl: typeUrls.cluster, versionInfo: first.versionInfo, responseNonce: first.nonce });
    await waitFor(() => server.status().clients[0]?.subscriptions[0]?.ackedNonce === first.nonce, "the ACK");

    cache.update("web", new Map([[typeUrls.cluster, { upserted: [cluster("c")], removed: ["a"] }]]));
    const second = await waitFor(() => client.responses[1], "the change");
    expect(second.resources.map(({ value }) => fromBinary(ClusterSchema, value).name)).toEqual(["b", "c"]);
    expect(second.versionInfo).not.toBe(first.versionInfo);
    client.send({ typeUrl: typeUrls.endpoint, resourceNames: ["b", "a"] });
    const stream = server.status().clients[0]?.stream ?? 0;
    const watched = () => server.watchedNames(stream).get(typeUrls.endpoint);
    expect(await waitFor(watched, "the names")).toEqual(["a", "b"]);
    expect(server.status()).toMatchObject({
      clients: [{ nodeId: "web-1", protocol: "sotw" }],
      plaintext: { sockets: 1, connections: 1, streams: 1 },
    });
  });

  it("gets only the difference over delta, also after it came back with what it has", async () => {
    const { cache, address } = await start();
    const client = openDelta(address, plain);
    open.push(client.close);
    client.send({ node, typeUrl: typeUrls.cluster });
    const first = await waitFor(() => client.responses[0], "a response");
    expect(first.resources.map(({ name }) => name)).toEqual(["a", "b"]);
    client.send({ typeUrl: typeUrls.cluster, responseNonce: first.nonce });

    cache.update("web", new Map([[typeUrls.cluster, { upserted: [cluster("b", 2)], removed: ["a"] }]]));
    const second = await waitFor(() => client.responses[1], "the change");
    expect(second.resources.map(({ name }) => name)).toEqual(["b"]);
    expect(second.removedResources).toEqual(["a"]);

    client.close();
    const again = openDelta(address, plain);
    open.push(again.close);
    const known = Object.fromEntries(first.resources.map(({ name, version }) => [name, version]));
    again.send({ node, typeUrl: typeUrls.cluster, initialResourceVersions: known });
    const third = await waitFor(() => again.responses[0], "the difference");
    expect(third.resources.map(({ name }) => name)).toEqual(["b"]);
    expect(third.removedResources).toEqual(["a"]);
  });

  it("is told about 5,000 clusters of a megabyte together, and so are 20 others", async () => {
    const { cache, address } = await start();
    const many = Array.from({ length: 5_000 }, (_, index) => cluster(`cluster-${index}-${"x".repeat(200)}`));
    cache.setSnapshot("web", new Map([[typeUrls.cluster, many]]));
    const clients = Array.from({ length: 20 }, () => openSotw(address, plain));
    for (const client of clients) {
      open.push(client.close);
      client.send({ node, typeUrl: typeUrls.cluster });
    }
    await waitFor(() => clients.every(({ responses }) => responses.length === 1), "20 responses", 20_000);
    expect(clients.every(({ responses }) => responses[0]?.resources.length === 5_000)).toBe(true);
  }, 30_000);

  it("sees UNAVAILABLE when the server drains, and the port is free afterwards", async () => {
    const { server, address } = await start();
    const client = openSotw(address, plain);
    client.send({ node, typeUrl: typeUrls.cluster });
    await waitFor(() => client.responses[0], "a response");
    await server.drain(20);
    expect((await client.status).code).toBe(grpcCode.UNAVAILABLE);
    client.close();
    expect(server.status()).toEqual({ clients: [], plaintext: { sockets: 0, connections: 0, streams: 0 } });
    const next = createXdsServer({ source: new SnapshotCache(), plaintext: { port: Number(address.split(":")[1]) } });
    await next.listen();
    await next.close();
  });
});

describe("a server that is closed", () => {
  const tls = {
    port: 0,
    certFile: join(certificates, "server.crt"),
    keyFile: join(certificates, "server.key"),
    caFile: join(certificates, "ca.crt"),
  };
  const listening = (): number =>
    process.getActiveResourcesInfo().filter((resource) => resource === "TCPServerWrap").length;

  it.each([0, 1, 2, 3, 5, 10, 30])(
    "while it opens its ports leaves none open, %i turns of the loop later",
    async (turns) => {
      const before = listening();
      const server = createXdsServer({ source: new SnapshotCache(), plaintext: { port: 0 }, tls });
      const opened = server.listen().then(
        () => "opened",
        (error: unknown) => error,
      );
      for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
      await server.close();
      const result = await opened;
      if (result !== "opened") expect(result).toMatchObject({ code: "SBX_XDS_LISTEN" });
      await waitFor(() => listening() <= before, "no more listeners than before");
      await expect(server.listen()).rejects.toMatchObject({ code: "SBX_XDS_LISTEN" });
    },
  );

  it("during a long drain is closed soon", async () => {
    const { server, address } = await start({ limits: { connectionGraceMs: 100 } });
    const clients = [openSotw(address, plain), openSotw(address, plain), openSotw(address, plain)];
    for (const client of clients) {
      client.send({ node, typeUrl: typeUrls.cluster });
      await waitFor(() => client.responses[0], "a response");
    }
    const drained = server.drain(600_000);
    await server.close();
    await drained;
    for (const client of clients) expect((await client.status).code).toBe(grpcCode.UNAVAILABLE);
  });
});

describe("an authorized client", () => {
  it("is served, and any other is refused with the reason", async () => {
    const { address, events } = await start({
      authorize: ({ id }, { address: from }) => (id === "web-1" && from !== "" ? undefined : "not you"),
    });
    const [one, two] = [openSotw(address, plain), openSotw(address, plain)];
    open.push(one.close, two.close);
    one.send({ node, typeUrl: typeUrls.cluster });
    two.send({ node: { ...node, id: "web-2" }, typeUrl: typeUrls.cluster });
    await waitFor(() => one.responses[0], "a response");
    expect(await two.status).toMatchObject({ code: grpcCode.PERMISSION_DENIED, details: "not you" });
    expect(events.filter(({ type }) => type === "refused")).toMatchObject([{ reason: "not you" }]);
  });
});

describe("mutual TLS", () => {
  const files = (certFile: string, keyFile: string) => ({
    port: 0,
    certFile: join(certificates, certFile),
    keyFile: join(certificates, keyFile),
    caFile: join(certificates, "ca.crt"),
  });

  it("serves a client with a certificate and knows its names", async () => {
    const { server, address } = await start({ tls: files("server.crt", "server.key") });
    const pem = (name: string): Buffer => readFileSync(join(certificates, name));
    const client = openSotw(address, credentials.createSsl(pem("ca.crt"), pem("client.key"), pem("client.crt")));
    open.push(client.close);
    client.send({ node, typeUrl: typeUrls.cluster });
    await waitFor(() => client.responses[0], "a response");
    expect(server.status().clients[0]?.identities).toEqual(["spiffe://cluster.local/ns/default/sa/web", "web.default"]);
  });

  it("does not start with files that do not belong together, and leaves no port open", async () => {
    const server = createXdsServer({
      source: new SnapshotCache(),
      plaintext: { port: 0 },
      tls: files("server.crt", "renewed.key"),
    });
    await expect(server.listen()).rejects.toMatchObject({ name: "XdsServerError", code: "SBX_XDS_CERTIFICATE" });
    expect(server.status().plaintext).toEqual({ sockets: 0, connections: 0, streams: 0 });
  });
});

describe("an address", () => {
  const source = new SnapshotCache();

  it.each(["0.0.0.0", "::", "192.0.2.1", "example.com", "127.0.0.1.example.com"])(
    "beyond loopback is refused without insecure: %s",
    (host) => {
      expect(() => createXdsServer({ source, plaintext: { host, port: 0 } })).toThrow(
        expect.objectContaining({ code: "SBX_XDS_INSECURE" }) as Error,
      );
      expect(() => createXdsServer({ source, plaintext: { host, port: 0 }, insecure: true })).not.toThrow();
    },
  );

  it("is needed", () => {
    expect(() => createXdsServer({ source })).toThrow(expect.objectContaining({ code: "SBX_XDS_NO_ADDRESS" }) as Error);
  });

  it("that is taken rejects with the system's error as cause", async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    open.push(() => {
      taken.close();
    });
    const server = createXdsServer({ source, plaintext: { port: (taken.address() as AddressInfo).port } });
    await expect(server.listen()).rejects.toMatchObject({ code: "SBX_XDS_LISTEN", cause: { code: "EADDRINUSE" } });
    await expect(server.listen()).rejects.toMatchObject({ code: "SBX_XDS_LISTEN" });
  });
});
