import { create, fromJson } from "@bufbuild/protobuf";
import { NodeSchema } from "@signalbox/envoy-api/envoy/config/core/v3/base";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";

describe("parseNode", () => {
  it("reads an Istio sidecar's id and metadata, from a message as from JSON", () => {
    const fields = {
      id: "sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local",
      metadata: {
        INSTANCE_IPS: "10.1.1.3, 2001:db8::3,nonsense",
        LABELS: { app: "web", version: 2 },
        CLUSTER_ID: "c1",
        NETWORK: "n1",
        ISTIO_VERSION: "1.30.0",
      },
    };
    const node = parseNode(fields);
    expect(node).toEqual({
      type: "sidecar",
      id: "sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local",
      addresses: ["10.1.1.3", "2001:db8::3"],
      namespace: "shop",
      dnsDomain: "shop.svc.cluster.local",
      labels: { app: "web" },
      locality: { region: "", zone: "", subzone: "" },
      cluster: "c1",
      network: "n1",
      istioVersion: "1.30.0",
      interception: "CAPTURED",
      listenAddress: "127.0.0.1",
      privileged: true,
      metadata: {
        INSTANCE_IPS: "10.1.1.3, 2001:db8::3,nonsense",
        CLUSTER_ID: "c1",
        NETWORK: "n1",
        ISTIO_VERSION: "1.30.0",
      },
      listeners: true,
      vhds: false,
    });
    expect(parseNode(create(NodeSchema, { id: fields.id, metadata: fields.metadata }))).toEqual(node);
  });

  it.each([
    [
      { id: "sidecar~10.0.0.1~a.b~c.svc.cluster.local", metadata: { INTERCEPTION_MODE: "NONE" } },
      { type: "sidecar", interception: "NONE", namespace: "c" },
    ],
    [{ id: "sidecar~10.0.0.1~a.b~example.org" }, { type: "sidecar", namespace: "b", dnsDomain: "example.org" }],
    [{ id: "sidecar~10.0.0.1~a.b~b.svc.cluster.local", metadata: { NAMESPACE: "z" } }, { namespace: "z" }],
    [
      { id: "sidecar~10.0.0.1~a.b~b.svc.cluster.local", metadata: { INTERCEPTION_MODE: "TPROXY" } },
      { interception: "CAPTURED" },
    ],
    [{ id: "router~10.0.0.1~gw.b~b.svc.cluster.local" }, { type: "router", interception: "NONE" }],
    [{ id: "sidecar~10.0.0.1~a.b" }, { type: "plain", addresses: [] }],
    [{ id: "waypoint~1.1.1.1~a.b~c" }, { type: "plain" }],
    [
      { id: "sidecar~x~a.b~c", metadata: { GENERATOR: "grpc" } },
      { type: "grpc", addresses: [] },
    ],
    [
      { id: "e", metadata: { LISTENER_ADDRESS: "0.0.0.0", SIGNALBOX_LISTENERS: "none" } },
      { type: "plain", listenAddress: "0.0.0.0", listeners: false },
    ],
    [
      { id: "e", metadata: { LISTENER_ADDRESS: "evil", UNPRIVILEGED_POD: "true" } },
      { listenAddress: "127.0.0.1", privileged: false },
    ],
    [{}, { type: "plain", id: "", namespace: "" }],
    [undefined, { type: "plain" }],
  ])("reads %j as %j", (node, expected) => {
    expect(parseNode(node)).toMatchObject(expected);
  });

  const build = (majorNumber: number, minorNumber: number) => ({ version: { majorNumber, minorNumber, patch: 1 } });
  it.each([
    [true, { userAgentBuildVersion: build(1, 37) }],
    [true, { userAgentBuildVersion: build(1, 40) }],
    [true, { userAgentBuildVersion: build(2, 0) }],
    [true, { userAgentVersion: "1.40.0" }],
    [false, { userAgentBuildVersion: build(1, 36) }],
    [false, { userAgentBuildVersion: build(0, 99) }],
    [false, { userAgentVersion: "1.36.4" }],
    [false, { userAgentVersion: "new" }],
    [false, { userAgentBuildVersion: {} }],
    [false, { userAgentName: "gRPC Go", userAgentVersion: "1.82.1" }],
    [false, {}],
  ])("says %s to virtual hosts one by one for %j that asks for them", (vhds, more) => {
    const node = { id: "e", userAgentName: "envoy", metadata: { SIGNALBOX_VHDS: "true" }, ...more };
    expect(parseNode(node).vhds).toBe(vhds);
    expect(parseNode(fromJson(NodeSchema, node)).vhds).toBe(vhds);
    expect(parseNode({ ...node, metadata: {} }).vhds).toBe(false);
    expect(parseNode({ ...node, metadata: { SIGNALBOX_VHDS: "yes" } }).vhds).toBe(false);
  });

  it("takes anything without throwing", () => {
    fc.assert(
      fc.property(fc.anything(), fc.string(), fc.anything(), (whole, id, metadata) => {
        parseNode(whole);
        parseNode({ id, metadata });
        expect(
          parseNode({
            id: `sidecar~${id}~${id}~${id}`,
            metadata: { LABELS: metadata, NAMESPACE: metadata, INSTANCE_IPS: id },
          }).id.length,
        ).toBeLessThanOrEqual(512);
      }),
      { numRuns: 200 },
    );
  });
});
