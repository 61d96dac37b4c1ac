import { create, fromJsonString, toBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { anyRegistry, typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { ClusterLoadAssignmentSchema } from "@signalbox/envoy-api/envoy/config/endpoint/v3/endpoint";
import { DiscoveryResponseSchema } from "@signalbox/envoy-api/envoy/service/discovery/v3/discovery";
import { resourceOf } from "../resource.ts";
import { SnapshotCache } from "../snapshot-cache.ts";
import { createRestDiscovery, type RestResponse } from "./rest-discovery.ts";

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
const rest = createRestDiscovery({ source: cache, maxNames: 3 });

async function post(what: string, request: unknown): Promise<RestResponse> {
  const body = typeof request === "string" ? request : JSON.stringify(request);
  const answer = await rest(`/v3/discovery:${what}`, Buffer.from(body));
  if (answer === undefined) throw new Error("not served");
  return answer;
}

function names(response: RestResponse): (string | undefined)[] {
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

  it("answers 503 while the node is unknown", async () => {
    expect(await post("clusters", { node: { id: "unknown" } })).toMatchObject({ status: 503 });
  });

  it.each(["/v3/discovery:runtime", "/v2/discovery:clusters", "/"])("does not serve %s", async (path) => {
    expect(await rest(path, Buffer.from("{}"))).toBeUndefined();
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
