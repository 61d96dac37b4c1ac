import { create, fromJsonString, toBinary, toJson } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { beforeEach, describe, expect, it } from "vitest";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { DiscoveryResponseSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import type { ResourceSource } from "../source.ts";
import { FakeXdsClock } from "../testing/fake-clock.ts";
import { createRestDiscovery, type RestDiscovery, type RestResponse } from "./rest-discovery.ts";

const cache = new SnapshotCache();
const cluster = (name: string) => resourceOf(name, toBinary(ClusterSchema, create(ClusterSchema, { name })));
const endpoints = (clusterName: string) =>
  resourceOf(clusterName, toBinary(ClusterLoadAssignmentSchema, create(ClusterLoadAssignmentSchema, { clusterName })));
cache.setSnapshot(
  "n",
  new Map([
    [typeUrls.cluster, [cluster("b"), cluster("a")]],
    [typeUrls.endpoint, [endpoints("a"), endpoints("b")]],
  ]),
);
const rest = createRestDiscovery({ source: cache, maxNames: 3, waitMs: 1 });

interface TextResponse extends RestResponse {
  readonly body: string;
}

function readable(answer: RestResponse | undefined): TextResponse {
  if (answer === undefined) throw new Error("not served");
  return { ...answer, body: Buffer.from(answer.body).toString() };
}

async function post(what: string, request: unknown): Promise<TextResponse> {
  const body = typeof request === "string" ? request : JSON.stringify(request);
  const answer = await rest(`/v3/discovery:${what}`, Buffer.from(body));
  return readable(answer);
}

function names(response: TextResponse): (string | undefined)[] {
  const { resources } = fromJsonString(DiscoveryResponseSchema, response.body, { registry: anyRegistry });
  return resources.map((any) => {
    const message = anyUnpack(any, anyRegistry) as { name?: string; clusterName?: string } | undefined;
    return message?.name ?? message?.clusterName;
  });
}

describe("REST discovery", () => {
  it("answers everything for clusters, in name order, with types that Envoy can read", async () => {
    const response = await post("clusters", { node: { id: "n" } });
    expect(response).toMatchObject({ status: 200, headers: { "content-type": "application/json" } });
    expect(names(response)).toEqual(["a", "b"]);
    expect(JSON.parse(response.body)).toMatchObject({
      versionInfo: cache.view("n")?.version(typeUrls.cluster),
      typeUrl: typeUrls.cluster,
      resources: [{ "@type": typeUrls.cluster, name: "a" }, { name: "b" }],
    });
  });

  it("answers the named endpoints that exist", async () => {
    expect(names(await post("endpoints", { node: { id: "n" }, resourceNames: ["b", "z"] }))).toEqual(["b"]);
    expect(names(await post("endpoints", { node: { id: "n" }, resource_names: [] }))).toEqual([]);
  });

  it.each([
    { what: "clusters", resourceNames: [] },
    { what: "endpoints", resourceNames: ["a"] },
  ])("answers 304 for $what that did not change", async ({ what, resourceNames }) => {
    const request = { node: { id: "n", unknown_field: 1 }, resourceNames };
    const { body } = await post(what, request);
    const { versionInfo } = JSON.parse(body) as { versionInfo: string };
    expect(await post(what, { ...request, version_info: versionInfo })).toMatchObject({ status: 304, body: "" });
    expect(await post(what, { ...request, versionInfo: "other" })).toMatchObject({ status: 200, body });
  });

  it.each([
    { request: "{", reason: /not a DiscoveryRequest/ },
    { request: "[]", reason: /not a DiscoveryRequest/ },
    { request: { node: 1 }, reason: /not a DiscoveryRequest/ },
    { request: { typeUrl: typeUrls.route }, reason: /type_url/ },
    { request: { resourceNames: ["a", "b", "c", "d"] }, reason: /more than 3/ },
  ])("answers 400 with the reason for $request", async ({ request, reason }) => {
    const response = await post("clusters", request);
    expect(response.status).toBe(400);
    expect(response.body).toMatch(reason);
  });

  it("answers 503 when the node stays unknown", async () => {
    expect(await post("clusters", { node: { id: "unknown" } })).toMatchObject({ status: 503 });
  });

  it("says for many resources what a message of all of them says", async () => {
    const many = Array.from({ length: 3_000 }, (_, at) => cluster(`service-${at}.ünïcode`));
    cache.setSnapshot("many", new Map([[typeUrls.cluster, many]]));
    const [response, again] = await Promise.all([1, 2].map(() => post("clusters", { node: { id: "many" } })));
    const message = create(DiscoveryResponseSchema, {
      versionInfo: cache.view("many")?.version(typeUrls.cluster) ?? "",
      typeUrl: typeUrls.cluster,
      resources: [...many]
        .sort((a, b) => (a.name < b.name ? -1 : 1))
        .map(({ bytes }) => ({ typeUrl: typeUrls.cluster, value: bytes })),
    });
    expect(JSON.parse(response?.body ?? "")).toEqual(
      toJson(DiscoveryResponseSchema, message, { registry: anyRegistry }),
    );
    expect(again?.body).toBe(response?.body);
  });

  describe("for a client whose view is not there yet", () => {
    const body = Buffer.from(JSON.stringify({ node: { id: "later" } }));
    let clock: FakeXdsClock;
    let waiting: RestDiscovery;
    beforeEach(() => {
      cache.clearSnapshot("later");
      clock = new FakeXdsClock();
      waiting = createRestDiscovery({ source: cache, clock });
    });

    /** Asks for clusters and endpoints, and lets both requests come as far as they come. */
    async function asks(): Promise<Promise<RestResponse | undefined>[]> {
      const answers = ["clusters", "endpoints"].map((what) => waiting(`/v3/discovery:${what}`, body));
      await Promise.resolve();
      return answers;
    }

    it("waits, and answers as soon as it is", async () => {
      const answers = await asks();
      clock.advance(899);
      cache.setSnapshot("later", new Map([[typeUrls.cluster, [cluster("a")]]]));
      const [clusters, endpointAnswer] = await Promise.all(answers);
      expect(names(readable(clusters))).toEqual(["a"]);
      expect(names(readable(endpointAnswer))).toEqual([]);
    });

    it("answers 503 before Envoy gives up", async () => {
      const answers = await asks();
      clock.advance(900);
      expect((await Promise.all(answers)).map((answer) => answer?.status)).toEqual([503, 503]);
    });

    it.each([0, 1])("answers 503 when the service closes, with %i views kept", async (maxHeld) => {
      waiting = createRestDiscovery({ source: cache, clock, maxHeld });
      const answers = await asks();
      waiting.close();
      clock.advance(maxHeld === 0 ? 900 : 0);
      expect((await Promise.all(answers)).map((answer) => answer?.status)).toEqual([503, 503]);
      expect((await waiting("/v3/discovery:clusters", body))?.status).toBe(503);
      expect(clock.timers).toBe(0);
    });
  });

  it.each(["/v3/discovery:runtime", "/v2/discovery:clusters", "/"])("does not serve %s", async (path) => {
    expect(await rest(path, Buffer.from("{}"))).toBeUndefined();
  });

  describe("a client that polls", () => {
    let open: string[];
    let acquired: number;
    let clock: FakeXdsClock;
    const source: ResourceSource = {
      acquire: (node, onChange) => {
        const lease = cache.acquire(node, onChange);
        acquired++;
        open.push(node.id);
        return {
          current: () => lease.current(),
          release: () => {
            open.splice(open.indexOf(node.id), 1);
            lease.release();
          },
        };
      },
    };
    const poll = (polled: RestDiscovery, id: string) =>
      polled("/v3/discovery:clusters", Buffer.from(JSON.stringify({ node: { id } })));
    beforeEach(() => {
      open = [];
      acquired = 0;
      clock = new FakeXdsClock();
    });

    it("keeps its view from one poll to the next, and for a time after the last one", async () => {
      const polled = createRestDiscovery({ source, clock });
      for (let round = 0; round < 4; round++) {
        await poll(polled, "n");
        clock.advance(20_000);
      }
      expect({ acquired, open }).toEqual({ acquired: 1, open: ["n"] });
      clock.advance(10_000);
      expect({ open, timers: clock.timers }).toEqual({ open: [], timers: 0 });
      expect((await poll(polled, "n"))?.status).toBe(200);
      expect(acquired).toBe(2);
    });

    it("each with its own time, and only so many of them", async () => {
      const polled = createRestDiscovery({ source, clock, maxHeld: 2, holdMs: 1000, waitMs: 0 });
      await poll(polled, "a");
      clock.advance(500);
      await poll(polled, "b");
      await poll(polled, "c");
      expect(open).toEqual(["b", "c"]);
      await poll(polled, "b");
      await poll(polled, "d");
      expect(open).toEqual(["b", "d"]);
      clock.advance(500);
      expect(open).toEqual(["b", "d"]);
      clock.advance(500);
      expect({ open, timers: clock.timers }).toEqual({ open: [], timers: 0 });
    });

    it("is let go when the service closes, and answered afterwards all the same", async () => {
      const polled = createRestDiscovery({ source, clock, waitMs: 0 });
      await poll(polled, "n");
      await poll(polled, "m");
      polled.close();
      expect({ open, timers: clock.timers }).toEqual({ open: [], timers: 0 });
      expect((await poll(polled, "n"))?.status).toBe(200);
      expect({ open, timers: clock.timers }).toEqual({ open: [], timers: 0 });
    });

    it("sees what changed meanwhile", async () => {
      cache.setSnapshot("moving", new Map([[typeUrls.cluster, [cluster("a")]]]));
      const polled = createRestDiscovery({ source, clock });
      const before = await poll(polled, "moving");
      cache.setSnapshot("moving", new Map([[typeUrls.cluster, [cluster("b")]]]));
      const after = await poll(polled, "moving");
      expect([before, after].map((response) => names(readable(response)))).toEqual([["a"], ["b"]]);
    });
  });

  it("rejects, and does not throw, when the source throws", async () => {
    const broken = createRestDiscovery({
      source: {
        acquire: () => {
          throw new Error("broken");
        },
      },
    });
    await expect(broken("/v3/discovery:clusters", Buffer.from("{}"))).rejects.toThrow("broken");
  });
});
