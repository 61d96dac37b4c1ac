import { create, toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { Cluster_DiscoveryType, ClusterSchema } from "@signalbox/envoy-api/envoy/config/cluster/v3/cluster";
import { atOnce } from "@signalbox/slices";
import { resourceOf, type Resource } from "../resource.ts";
import { Warming, type AskedEndpoints } from "./warming.ts";

function cluster(name: string, serviceName = ""): Resource {
  const message = create(ClusterSchema, {
    name,
    clusterDiscoveryType: { case: "type", value: Cluster_DiscoveryType.EDS },
    edsClusterConfig: { serviceName },
  });
  return resourceOf(name, toBinary(ClusterSchema, message));
}
const endpoints = (name: string): Resource => resourceOf(name, new Uint8Array(0));
const only = (...names: string[]): AskedEndpoints => ({
  covers: (name) => names.includes(name),
  sharedNames: { names: new Set(names) },
});
const all: AskedEndpoints = { covers: () => true, sharedNames: undefined };

describe("what a client waits for", () => {
  it("is the endpoints of clusters sent, until they are sent", () => {
    const warming = new Warming();
    expect([...warming.clustersSent([cluster("a"), cluster("b", "of-b")], all)]).toEqual(["a", "of-b"]);
    expect([warming.names.has("a"), warming.names.has("b"), warming.names.has("of-b")]).toEqual([true, false, true]);
    warming.endpointsSent([endpoints("of-b")]);
    expect([warming.names.has("a"), warming.names.has("of-b")]).toEqual([true, false]);
  });

  it("is nothing of which it was told that the cluster is gone, but what another cluster needs", () => {
    const warming = new Warming();
    warming.clustersSent([cluster("a", "shared"), cluster("b", "shared"), cluster("c")], all);
    warming.clustersGone(["a", "c", "never"]);
    expect([warming.names.has("shared"), warming.names.size]).toEqual([true, 1]);
    warming.clustersGone(["b"]);
    expect(warming.names.size).toBe(0);
  });

  it("is not what a cluster needed before it changed", () => {
    const warming = new Warming();
    warming.clustersSent([cluster("a", "before")], all);
    warming.clustersSent([cluster("a", "after")], all);
    expect([warming.names.has("before"), warming.names.has("after")]).toEqual([false, true]);
  });

  it("is nothing that it does not ask for", () => {
    const warming = new Warming();
    const sent = warming.clustersSent([cluster("a"), cluster("b")], only("a"));
    expect([sent.size, warming.names.size]).toEqual([2, 1]);
    warming.endpointsAsked(only("b"));
    expect(warming.names.size).toBe(0);
  });

  it("does not grow while clusters come and go", () => {
    const warming = new Warming();
    for (let round = 0; round < 100; round++) {
      warming.clustersSent([cluster(`c${round}`)], all);
      warming.clustersGone([`c${round}`]);
    }
    expect(warming.names.size).toBe(0);
  });

  it("is nothing more when what it waits for came while it got ready to ask for less", () => {
    const warming = new Warming();
    const names = Array.from({ length: 300 }, (_, at) => `c${at}`);
    warming.clustersSent(
      names.map((name) => cluster(name)),
      undefined,
    );
    const preparing = warming.preparing(new Set(names.slice(1)));
    expect([preparing.next().done, warming.names.size]).toEqual([false, 300]);
    warming.endpointsSent(names.map(endpoints));
    atOnce(preparing);
    expect(warming.names.size).toBe(0);
  });

  it("is the same when it has got ready to ask for less, and less when it has asked", () => {
    const warming = new Warming();
    const names = Array.from({ length: 300 }, (_, at) => `c${at}`);
    warming.clustersSent(
      names.map((name) => cluster(name)),
      undefined,
    );
    atOnce(warming.preparing(new Set(names.slice(1))));
    expect(warming.names.size).toBe(300);
    warming.endpointsAsked(only(...names.slice(1)));
    expect([warming.names.size, warming.names.has("c0")]).toEqual([299, false]);
  });
});
