import { describe, expect, it } from "vitest";
import { get } from "./testdata/get.ts";
import { catalog, cds, client, eds, entry, ip, subscription } from "./testdata/world.ts";

const at = Date.UTC(2026, 0, 2);
const sidecar = client(2, "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local", {
  metadata: { CLUSTER_ID: "c1", ISTIO_VERSION: "1.30.0", INSTANCE_IPS: "10.0.0.1,fd00::7", LABELS: { app: "web" } },
  subscriptions: [
    subscription(eds, { names: 1, sentNonce: "n3", sentVersion: "v3", sentAt: at, ackedNonce: "n2", error: "bad" }),
    subscription(cds, { wildcard: true, sentNonce: "n1", ackedNonce: "n1", sentAt: at, ackedAt: at }),
  ],
});
const plain = client(1, "plain-envoy", { protocol: "delta" });
const nameless = client(3, "");
const clients = () => [sidecar, nameless, plain];

describe("/debug/syncz", () => {
  it("tells what each proxy was sent, acknowledged and refused, in istiod's shape", async () => {
    expect((await get("/debug/syncz", { clients })).json()).toEqual([
      { proxy: "plain-envoy", resources: {} },
      {
        cluster_id: "c1",
        proxy: "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local",
        proxy_type: "sidecar",
        istio_version: "1.30.0",
        cluster_sent: "n1",
        cluster_acked: "n1",
        endpoint_sent: "n3",
        endpoint_acked: "n2",
        resources: {
          [cds]: {
            sent: "n1",
            acked: "n1",
            sentTime: "2026-01-02T00:00:00.000Z",
            ackedTime: "2026-01-02T00:00:00.000Z",
          },
          [eds]: {
            sent: "n3",
            acked: "n2",
            sentTime: "2026-01-02T00:00:00.000Z",
            lastError: "bad",
            sentVersion: "v3",
          },
        },
      },
    ]);
  });

  it.each([
    ["shop", 1],
    ["other", 0],
  ])("picks the namespace %s", async (namespace, count) => {
    expect((await get(`/debug/syncz?namespace=${namespace}`, { clients })).json()).toHaveLength(count);
  });

  it("is an empty list when nobody is connected", async () => {
    expect((await get("/debug/syncz")).json()).toEqual([]);
  });
});

describe("/debug/adsz", () => {
  it("shows metadata and watches", async () => {
    const watchedNames = (stream: number) => new Map(stream === 2 ? [[eds, ["b", "a"]]] : []);
    const answer = (await get("/debug/adsz?proxyID=web-1.shop", { clients, watchedNames })).json();
    expect(answer).toMatchObject({
      totalClients: 1,
      clients: [
        {
          connectionId: "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local-2",
          connectedAt: "2026-01-02T03:04:05.000Z",
          address: "127.0.0.1:4000",
          labels: { app: "web" },
          metadata: { CLUSTER_ID: "c1" },
          watches: { [cds]: ["*"], [eds]: ["a", "b"] },
          watchCounts: { [cds]: 0, [eds]: 1 },
          protocol: "sotw",
        },
      ],
    });
  });

  it("lists all, and is 404 for a proxy that is not there", async () => {
    expect((await get("/debug/adsz", { clients })).json()).toMatchObject({ totalClients: 3 });
    expect((await get("/debug/adsz?proxyID=nobody", { clients })).status).toBe(404);
  });
});

describe("/debug/connections", () => {
  it("is short", async () => {
    expect((await get("/debug/connections", { clients: () => [plain] })).json()).toEqual({
      totalClients: 1,
      clients: [{ connectionId: "plain-envoy-1", connectedAt: "2026-01-02T03:04:05.000Z", address: "127.0.0.1:4000" }],
    });
    expect((await get("/debug/connections")).json()).toEqual({ totalClients: 0 });
  });
});

describe("/debug/instancesz", () => {
  it("finds a proxy's services by the addresses it says it has", async () => {
    const world = catalog([
      entry("web.shop", [{ address: ip("10.0.0.1", 8080) }]),
      entry("six.shop", [{ address: ip("fd00::7", 8081) }]),
      entry("else.shop", [{ address: ip("10.0.0.2", 8080) }]),
    ]);
    const answer = (await get("/debug/instancesz", { clients, catalog: () => world })).json() as Record<
      string,
      unknown[]
    >;
    expect(Object.keys(answer)).toEqual(["plain-envoy", sidecar.nodeId]);
    expect(answer["plain-envoy"]).toEqual([]);
    expect(answer[sidecar.nodeId]).toEqual([
      {
        Service: expect.objectContaining({ hostname: "web.shop" }) as unknown,
        Port: { name: "http", port: 80, protocol: "HTTP", TargetPort: 8080 },
      },
      expect.objectContaining({ Service: expect.objectContaining({ hostname: "six.shop" }) as unknown }),
    ]);
  });
});
