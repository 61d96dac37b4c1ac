import { typeUrls } from "@signalbox/envoy-api";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { serviceKey, type ServiceRecord } from "@signalbox/model";
import { serviceRecord } from "@signalbox/registry/conformance";
import type { DiscoveryResponse } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { connect, deltaStream, resourceNames, sotwStream } from "@signalbox/test-servers";
import { startPipeline } from "./pipeline.ts";

const { cluster, endpoint, listener, route } = typeUrls;
const host = (name: string) => `${name}.shop.svc.cluster.local`;
const web = (name: string, instances: readonly string[]): ServiceRecord =>
  serviceRecord({ hostname: host(name), namespace: "shop", ports: [8000], instances });
const clusterOf = (name: string) => `outbound|8000||${host(name)}`;
const sidecar = "sidecar~10.9.9.9~client.shop~shop.svc.cluster.local";

/** Endpoint addresses by cluster name. */
function endpointsIn(response: DiscoveryResponse): Record<string, string[]> {
  const assignments = response.resources.flatMap((any) => anyUnpack(any, ClusterLoadAssignmentSchema) ?? []);
  return Object.fromEntries(
    assignments.map((assignment) => [
      assignment.clusterName,
      assignment.endpoints.flatMap((locality) =>
        locality.lbEndpoints.map(({ hostIdentifier: id }) =>
          id.case === "endpoint" && id.value.address?.address.case === "socketAddress"
            ? id.value.address.address.value.address
            : "?",
        ),
      ),
    ]),
  );
}

describe("a change in a registry", () => {
  let pipeline: Awaited<ReturnType<typeof startPipeline>>;
  let client: ReturnType<typeof connect>;

  beforeEach(async () => {
    pipeline = await startPipeline([web("orders", ["10.0.0.1"]), web("payments", ["10.0.0.2"])]);
    client = connect(pipeline.port);
  });
  afterEach(async () => {
    client.close();
    await pipeline.stop();
  });

  /** A sidecar's usual conversation: all clusters, their endpoints, all listeners, the route tables. */
  async function subscribedSotw() {
    const stream = sotwStream(client, sidecar);
    stream.subscribe(cluster);
    await stream.next(cluster);
    stream.subscribe(endpoint, [clusterOf("orders"), clusterOf("payments")]);
    await stream.next(endpoint);
    stream.subscribe(listener);
    await stream.next(listener);
    stream.subscribe(route, ["8000"]);
    await stream.next(route);
    return stream;
  }

  it("of one endpoint sends that one assignment and nothing else (SotW)", async () => {
    const stream = await subscribedSotw();
    const before = stream.responses.length;
    pipeline.source.set(web("orders", ["10.0.0.1", "10.0.0.7"]));
    expect(endpointsIn(await stream.next(endpoint))).toEqual({ [clusterOf("orders")]: ["10.0.0.1", "10.0.0.7"] });
    pipeline.source.set(web("payments", ["10.0.0.8"]));
    expect(endpointsIn(await stream.next(endpoint))).toEqual({ [clusterOf("payments")]: ["10.0.0.8"] });
    expect(stream.responses.slice(before).map((response) => response.typeUrl)).toEqual([endpoint, endpoint]);
  });

  it("of one endpoint sends that one assignment and nothing else (delta)", async () => {
    const stream = deltaStream(client, sidecar);
    for (const type of [cluster, listener]) {
      stream.subscribe(type);
      await stream.next(type);
    }
    stream.subscribe(endpoint, [clusterOf("orders"), clusterOf("payments")]);
    await stream.next(endpoint);
    const before = stream.responses.length;
    pipeline.source.set(web("orders", ["10.0.0.7"]));
    const response = await stream.next(endpoint);
    expect(response.resources.map((resource) => resource.name)).toEqual([clusterOf("orders")]);
    expect(response.removedResources).toEqual([]);
    expect(stream.responses.length).toBe(before + 1);
  });

  it("that loses the last endpoint answers with an empty assignment, not with silence", async () => {
    const stream = await subscribedSotw();
    pipeline.source.set(web("orders", []));
    expect(endpointsIn(await stream.next(endpoint))).toEqual({ [clusterOf("orders")]: [] });
  });

  it("that says the same again sends nothing", async () => {
    const stream = await subscribedSotw();
    const before = stream.responses.length;
    pipeline.source.set(web("orders", ["10.0.0.1"]));
    pipeline.source.touch();
    // What comes next is the next real change, so nothing came in between.
    pipeline.source.set(web("payments", ["10.0.0.9"]));
    expect(endpointsIn(await stream.next(endpoint))).toEqual({ [clusterOf("payments")]: ["10.0.0.9"] });
    expect(stream.responses.length).toBe(before + 1);
  });

  it("that adds a service sends its cluster before the route to it", async () => {
    const stream = await subscribedSotw();
    const before = stream.responses.length;
    pipeline.source.set(web("carts", ["10.0.0.3"]));
    expect(resourceNames(await stream.next(route))).toEqual(["8000"]);
    const order = stream.responses.slice(before).map((response) => response.typeUrl);
    expect(order.indexOf(cluster)).toBeGreaterThanOrEqual(0);
    expect(order.indexOf(cluster)).toBeLessThan(order.indexOf(route));
  });

  it("that removes a service takes the route away before the cluster", async () => {
    const stream = await subscribedSotw();
    const before = stream.responses.length;
    pipeline.source.remove(serviceKey({ namespace: "shop", hostname: host("orders") }));
    let names: string[];
    do names = resourceNames(await stream.next(cluster));
    while (names.includes(clusterOf("orders")));
    const order = stream.responses.slice(before).map((response) => response.typeUrl);
    expect(order.indexOf(route)).toBeGreaterThanOrEqual(0);
    expect(order.indexOf(route)).toBeLessThan(order.lastIndexOf(cluster));
    expect(names).toContain(clusterOf("payments"));
  });

  it("that is a failure of the source changes nothing", async () => {
    const stream = await subscribedSotw();
    const before = stream.responses.length;
    pipeline.source.become("UNREACHABLE");
    await expect.poll(() => pipeline.aggregate.status()[0]?.problem, { timeout: 10_000 }).toBe("UNREACHABLE");
    expect(pipeline.aggregate.services().map((service) => service.hostname)).toEqual([
      host("orders"),
      host("payments"),
    ]);
    pipeline.source.become("FINE");
    pipeline.source.set(web("payments", ["10.0.0.9"]));
    expect(endpointsIn(await stream.next(endpoint))).toEqual({ [clusterOf("payments")]: ["10.0.0.9"] });
    expect(stream.responses.length).toBe(before + 1);
  });

  it("reaches every client, and a client that never reads harms only itself", async () => {
    const stuck = sotwStream(client, "stuck-client");
    stuck.pause();
    for (let round = 0; round < 50; round++) stuck.subscribe(cluster);
    const streams = await Promise.all(Array.from({ length: 20 }, subscribedSotw));
    pipeline.source.set(web("orders", ["10.0.0.44"]));
    for (const stream of streams)
      expect(endpointsIn(await stream.next(endpoint))).toEqual({ [clusterOf("orders")]: ["10.0.0.44"] });
  });
});

describe("a replica with the same services", () => {
  it.each(["sotw", "delta"] as const)("sends nothing to a client that comes from the other one (%s)", async (mode) => {
    const records = [web("orders", ["10.0.0.1"]), web("payments", ["10.0.0.2"])];
    const [first, second] = await Promise.all([startPipeline(records), startPipeline([...records].reverse())]);
    const clients = [connect(first.port), connect(second.port)] as const;
    try {
      if (mode === "sotw") {
        const one = sotwStream(clients[0], sidecar);
        one.subscribe(cluster);
        const { versionInfo } = await one.next(cluster);
        const two = sotwStream(clients[1], sidecar);
        two.subscribe(cluster, [], versionInfo);
        two.subscribe(listener);
        await two.next(listener);
        expect(two.responses.map((response) => response.typeUrl)).toEqual([listener]);
      } else {
        const one = deltaStream(clients[0], sidecar);
        one.subscribe(cluster);
        const known = await one.next(cluster);
        const versions = Object.fromEntries(known.resources.map(({ name, version }) => [name, version]));
        const two = deltaStream(clients[1], sidecar);
        two.subscribe(cluster, ["*"], { ...versions, [clusterOf("gone")]: "1" });
        const response = await two.next(cluster);
        expect(response.resources).toEqual([]);
        expect(response.removedResources).toEqual([clusterOf("gone")]);
      }
    } finally {
      for (const client of clients) client.close();
      await Promise.all([first.stop(), second.stop()]);
    }
  });
});
