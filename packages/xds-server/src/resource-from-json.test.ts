import { create, toBinary } from "@bufbuild/protobuf";
import { typeUrls } from "@signalbox/envoy-api";
import { ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { expect, it } from "vitest";
import { resourceFromJson } from "./resource-from-json.ts";
import { resourceOf } from "./resource.ts";

it("makes the same resource as the message's codec does", () => {
  const message = create(ClusterSchema, { name: "a", connectTimeout: { seconds: 1n } });
  expect(resourceFromJson(typeUrls.cluster, { name: "a", connectTimeout: "1s" })).toEqual(
    resourceOf("a", toBinary(ClusterSchema, message)),
  );
});

it("takes the cluster name as the name of endpoints", () => {
  expect(resourceFromJson(typeUrls.endpoint, { cluster_name: "a" }).name).toBe("a");
});

it.each([
  ["an unknown field", typeUrls.cluster, { name: "a", connectTimout: "1s" }, /connectTimout/],
  ["no name", typeUrls.cluster, {}, /needs a name/],
  ["an unknown type", "type.googleapis.com/no.Such", { name: "a" }, /unknown resource type/],
] as const)("refuses %s and says why", (_case, type, json, reason) => {
  expect(() => resourceFromJson(type, json)).toThrow(reason);
});
