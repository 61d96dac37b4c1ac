import { create, toBinary } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { AggregatedConfigSourceSchema } from "@signalbox/envoy-api/envoy/config/core/v3/config_source";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { connect, deltaStream, resourceNames, sotwStream } from "@signalbox/test-servers";
import { createXdsServer, resourceOf, SnapshotCache, type Resource, type XdsServer } from "@signalbox/xds-server";
import { afterEach, beforeEach, describe, expect, it } from "vitest";

// What the xDS protocol asks of a server, tried over the network with a gRPC client that is not ours.

const { cluster, endpoint, route } = typeUrls;
const group = "everyone";

const ads = { case: "ads", value: create(AggregatedConfigSourceSchema) } as const;

function clusterNamed(name: string, connectSeconds = 1): Resource {
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { edsConfig: { configSourceSpecifier: ads } },
    connectTimeout: { seconds: BigInt(connectSeconds) },
  });
  return resourceOf(name, toBinary(ClusterSchema, message));
}
function assignment(name: string, overprovisioningFactor = 140): Resource {
  const message = create(ClusterLoadAssignmentSchema, { clusterName: name, policy: { overprovisioningFactor } });
  return resourceOf(name, toBinary(ClusterLoadAssignmentSchema, message));
}
function routeTable(name: string, mostSpecific = false): Resource {
  const message = create(RouteConfigurationSchema, { name, mostSpecificHeaderMutationsWins: mostSpecific });
  return resourceOf(name, toBinary(RouteConfigurationSchema, message));
}

let cache: SnapshotCache;
let server: XdsServer;
let client: ReturnType<typeof connect>;

beforeEach(async () => {
  cache = new SnapshotCache({ groupOf: () => group });
  server = createXdsServer({ source: cache, plaintext: { port: 0 } });
  const { plaintext } = await server.listen();
  client = connect(plaintext?.port ?? 0);
});
afterEach(async () => {
  client.close();
  await server.close();
});

const has = (resources: Partial<Record<TypeUrl, readonly Resource[]>>) =>
  cache.setSnapshot(group, new Map(Object.entries(resources) as [TypeUrl, readonly Resource[]][]));

/** What the server says this client was sent and made of it. */
const subscription = (type: TypeUrl) =>
  server.status().clients[0]?.subscriptions.find(({ resourceType }) => resourceType === type);

describe("state of the world", () => {
  it("answers the wildcard, takes the ACK and stays silent", async () => {
    has({ [cluster]: [clusterNamed("a"), clusterNamed("b")] });
    const stream = sotwStream(client, "n");
    stream.subscribe(cluster);
    const response = await stream.next(cluster);
    expect(resourceNames(response)).toEqual(["a", "b"]);
    await expect.poll(() => subscription(cluster)?.ackedNonce).toBe(response.nonce);
    expect(stream.responses.length).toBe(1);
  });

  it("sends all clusters when one changes, in one response", async () => {
    has({ [cluster]: [clusterNamed("a"), clusterNamed("b")] });
    const stream = sotwStream(client, "n");
    stream.subscribe(cluster);
    const first = await stream.next(cluster);
    has({ [cluster]: [clusterNamed("a"), clusterNamed("b", 2)] });
    const second = await stream.next(cluster);
    expect(resourceNames(second)).toEqual(["a", "b"]);
    expect(second.versionInfo).not.toBe(first.versionInfo);
    expect(second.nonce).not.toBe(first.nonce);
  });

  it("keeps versions and nonces of two types on one stream apart", async () => {
    has({ [endpoint]: [assignment("a")], [route]: [routeTable("80")] });
    const stream = sotwStream(client, "n");
    stream.subscribe(endpoint, ["a"]);
    stream.subscribe(route, ["80"]);
    const [one, other] = [await stream.next(endpoint), await stream.next(route)];
    expect(one.nonce).not.toBe(other.nonce);
    expect(one.versionInfo).not.toBe(other.versionInfo);
  });

  it("sends a resource that did not exist when it was asked for, once it does", async () => {
    has({ [endpoint]: [assignment("a")] });
    const stream = sotwStream(client, "n");
    stream.subscribe(endpoint, ["a", "later"]);
    expect(resourceNames(await stream.next(endpoint))).toEqual(["a"]);
    has({ [endpoint]: [assignment("a"), assignment("later")] });
    expect(resourceNames(await stream.next(endpoint))).toContain("later");
  });

  it("answers names added to a subscription and forgets those taken away", async () => {
    has({ [endpoint]: [assignment("a"), assignment("b")] });
    const stream = sotwStream(client, "n");
    stream.subscribe(endpoint, ["a"]);
    await stream.next(endpoint);
    stream.subscribe(endpoint, ["a", "b"]);
    expect(resourceNames(await stream.next(endpoint))).toContain("b");
    stream.subscribe(endpoint, ["b"]);
    await expect.poll(() => subscription(endpoint)?.names).toBe(1);
    has({ [endpoint]: [assignment("a", 200), assignment("b")] });
    has({ [endpoint]: [assignment("a", 200), assignment("b", 200)] });
    expect(resourceNames(await stream.next(endpoint))).toEqual(["b"]);
  });

  it("records a NACK with its words and sends nothing until the content changes", async () => {
    has({ [cluster]: [clusterNamed("a")] });
    const stream = sotwStream(client, "n", {}, { refuse: () => "no such transport" });
    stream.subscribe(cluster);
    await stream.next(cluster);
    await expect.poll(() => subscription(cluster)?.error).toContain("no such transport");
    has({ [cluster]: [clusterNamed("a")] });
    has({ [cluster]: [clusterNamed("a", 3)] });
    await stream.next(cluster);
    expect(stream.responses.length).toBe(2);
  });

  it("ignores a stale nonce", async () => {
    has({ [endpoint]: [assignment("a"), assignment("b")] });
    const stream = sotwStream(client, "n");
    stream.subscribe(endpoint, ["a"]);
    const first = await stream.next(endpoint);
    has({ [endpoint]: [assignment("a", 200), assignment("b")] });
    const second = await stream.next(endpoint);
    stream.send({
      typeUrl: endpoint,
      versionInfo: first.versionInfo,
      responseNonce: first.nonce,
      resourceNames: ["b"],
    });
    stream.subscribe(endpoint, ["a", "b"]);
    expect(resourceNames(await stream.next(endpoint))).toContain("b");
    expect(second.nonce).not.toBe(first.nonce);
    expect(stream.responses.length).toBe(3);
  });

  it("takes no names after names, and one empty name, as nothing wanted", async () => {
    has({ [endpoint]: [assignment("a")] });
    for (const none of [[], [""]]) {
      const stream = sotwStream(client, "n");
      stream.subscribe(endpoint, ["a"]);
      await stream.next(endpoint);
      stream.subscribe(endpoint, none);
      await expect.poll(() => subscription(endpoint)?.names).toBe(0);
      has({ [endpoint]: [assignment("a", 200 + none.length)] });
      stream.subscribe(endpoint, ["a"]);
      await stream.next(endpoint);
      expect(stream.responses.length).toBe(2);
      stream.close();
      await expect.poll(() => server.status().clients.length).toBe(0);
    }
  });
});

describe("delta", () => {
  it("sends what differs from initial_resource_versions and says what is gone", async () => {
    const [a, b] = [clusterNamed("a"), clusterNamed("b")];
    has({ [cluster]: [a, b] });
    const stream = deltaStream(client, "n");
    stream.subscribe(cluster, ["*"], { a: a.version, b: "old", gone: "x" });
    const response = await stream.next(cluster);
    expect(response.resources.map(({ name, version }) => [name, version])).toEqual([["b", b.version]]);
    expect(response.removedResources).toEqual(["gone"]);
  });

  it("adds, changes and removes one by one under the wildcard", async () => {
    has({ [cluster]: [clusterNamed("a")] });
    const stream = deltaStream(client, "n");
    stream.subscribe(cluster);
    await stream.next(cluster);
    has({ [cluster]: [clusterNamed("a"), clusterNamed("b")] });
    expect((await stream.next(cluster)).resources.map(({ name }) => name)).toEqual(["b"]);
    has({ [cluster]: [clusterNamed("b")] });
    expect((await stream.next(cluster)).removedResources).toEqual(["a"]);
  });

  it("tells at once that a named resource does not exist, and sends it when it does", async () => {
    has({ [endpoint]: [assignment("a")] });
    const stream = deltaStream(client, "n");
    stream.subscribe(endpoint, ["a", "later"]);
    const first = await stream.next(endpoint);
    expect(first.resources.map(({ name }) => name)).toEqual(["a"]);
    expect(first.removedResources).toEqual(["later"]);
    has({ [endpoint]: [assignment("a"), assignment("later")] });
    expect((await stream.next(endpoint)).resources.map(({ name }) => name)).toEqual(["later"]);
  });

  it("sends nothing for a name that was unsubscribed", async () => {
    has({ [endpoint]: [assignment("a"), assignment("b")] });
    const stream = deltaStream(client, "n");
    stream.subscribe(endpoint, ["a", "b"]);
    await stream.next(endpoint);
    stream.send({ typeUrl: endpoint, resourceNamesUnsubscribe: ["a"] });
    await expect.poll(() => subscription(endpoint)?.names).toBe(1);
    has({ [endpoint]: [assignment("a", 200), assignment("b")] });
    has({ [endpoint]: [assignment("a", 200), assignment("b", 200)] });
    expect((await stream.next(endpoint)).resources.map(({ name }) => name)).toEqual(["b"]);
  });
});
