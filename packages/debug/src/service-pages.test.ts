import { describe, expect, it } from "vitest";
import { get } from "./testdata/get.ts";
import { catalog, entry, http, ip, legacy, shop } from "./testdata/world.ts";

const reviews = entry(
  "reviews.default.svc.cluster.local",
  [
    {
      address: ip("10.0.0.2", 9080),
      labels: { version: "v2", app: "reviews" },
      zone: "z1",
      account: "spiffe://t/ns/default/sa/reviews",
    },
    { address: ip("10.0.0.1", 9080), labels: { app: "reviews" }, registries: [shop, legacy], health: "DRAINING" },
  ],
  { addresses: ["10.96.0.1"], labels: { app: "reviews" }, createdAt: Date.UTC(2026, 0, 1) },
);
const orders = entry("orders.example.com", [{ address: ip("fd00::1", 5432), port: "db" }], {
  namespace: "data",
  ports: [http, { name: "db", number: 5432, protocol: "MYSQL" }],
  resolution: "DNS",
  meshExternal: true,
  exportTo: ["."],
  serviceAccounts: ["b", "a"],
  workloadSelector: { app: "orders" },
});
const world = { catalog: () => catalog([reviews, orders]) };

describe("/debug/registryz", () => {
  it("lists services in istiod's shape, sorted by hostname", async () => {
    const answer = await get("/debug/registryz", world);
    expect(answer.headers["content-type"]).toBe("application/json; charset=utf-8");
    expect(answer.json()).toEqual([
      {
        Attributes: {
          ServiceRegistry: "Kubernetes",
          Name: "orders.example.com",
          Namespace: "data",
          Labels: {},
          ExportTo: { ".": {} },
          LabelSelectors: { app: "orders" },
          Aliases: null,
          ClusterExternalAddresses: { Addresses: null },
          ClusterExternalPorts: null,
          ObjectName: "orders.example.com",
        },
        ports: [
          { name: "http", port: 80, protocol: "HTTP" },
          { name: "db", port: 5432, protocol: "MySQL" },
        ],
        serviceAccounts: ["a", "b"],
        hostname: "orders.example.com",
        clusterVIPs: { Addresses: null },
        defaultAddress: "0.0.0.0",
        Resolution: 1,
        MeshExternal: true,
        ResourceVersion: "7",
        registries: ["kubernetes/shop"],
        source: "Service orders.example.com",
      },
      expect.objectContaining({
        Attributes: expect.objectContaining({ Name: "reviews", ExportTo: null, LabelSelectors: null }) as unknown,
        creationTime: "2026-01-01T00:00:00.000Z",
        clusterVIPs: { Addresses: { shop: ["10.96.0.1"] } },
        defaultAddress: "10.96.0.1",
        Resolution: 0,
        registries: ["kubernetes/shop", "consul/dc1"],
      }),
    ]);
  });

  it("is an empty list for an empty catalog, and 503 before there is one", async () => {
    expect((await get("/debug/registryz")).body).toBe("[]\n");
    const none = await get("/debug/registryz", { catalog: () => undefined });
    expect(none.status).toBe(503);
    expect(none.json()).toMatchObject({ code: "SBX_NO_CATALOG" });
  });

  it("keeps a label named __proto__ as data", async () => {
    const labels = JSON.parse('{"__proto__": "x"}') as Record<string, string>;
    const answer = await get("/debug/registryz", { catalog: () => catalog([entry("a", [], { labels })]) });
    expect(answer.body).toContain('"Labels":{"__proto__":"x"}');
  });
});

describe("/debug/endpointz", () => {
  it("has one item for each port, with Pilot's instances sorted by address", async () => {
    const list = (await get("/debug/endpointz", world)).json() as { svc: string; ep: unknown[] }[];
    expect(list.map(({ svc, ep }) => [svc, ep.length])).toEqual([
      ["orders.example.com:http", 0],
      ["orders.example.com:db", 1],
      ["reviews.default.svc.cluster.local:http", 2],
    ]);
    expect(list[2]?.ep).toEqual([
      {
        endpoint: {
          Family: 0,
          Address: "10.0.0.1",
          Port: 9080,
          ServicePort: { name: "http", port: 80, protocol: "HTTP" },
          UID: "i1",
        },
        service: {
          hostname: "reviews.default.svc.cluster.local",
          address: "10.96.0.1",
          ports: [{ name: "http", port: 80, protocol: "HTTP" }],
          MeshExternal: false,
          Resolution: 0,
          creationTime: "2026-01-01T00:00:00.000Z",
        },
        labels: { app: "reviews" },
        weight: 1,
        health: "DRAINING",
        priority: 0,
        registries: ["kubernetes/shop", "consul/dc1"],
      },
      expect.objectContaining({ az: "r1/z1", serviceaccount: "spiffe://t/ns/default/sa/reviews" }),
    ]);
  });

  it("is short with ?brief=1", async () => {
    const answer = await get("/debug/endpointz?brief=1", world);
    expect(answer.headers["content-type"]).toContain("text/plain");
    expect(answer.body.split("\n")).toEqual([
      "orders.example.com:db [fd00::1]:5432",
      "reviews.default.svc.cluster.local:http 10.0.0.1:9080 app=reviews",
      "reviews.default.svc.cluster.local:http 10.0.0.2:9080 app=reviews,version=v2 spiffe://t/ns/default/sa/reviews",
      "",
    ]);
  });

  it.each([
    ["reviews.default.svc.cluster.local", 1],
    ["REVIEWS", 1],
    ["reviews.default", 1],
    ["default/reviews.default.svc.cluster.local", 1],
    ["review", 0],
    ["nobody", 0],
    ["", 3],
  ])("picks a service with ?service=%s", async (service, count) => {
    expect((await get(`/debug/endpointz?service=${service}`, world)).json()).toHaveLength(count);
  });

  it.each([
    [
      { type: "unix", path: "/run/a.sock" },
      { Family: 1, Address: "/run/a.sock", Port: 0 },
    ],
    [
      { type: "hostname", hostname: "db.example", port: 1 },
      { Family: 0, Address: "db.example", Port: 1 },
    ],
  ] as const)("shows the address %o", async (address, shown) => {
    const list = (await get("/debug/endpointz", { catalog: () => catalog([entry("a", [{ address }])]) })).json();
    expect(list).toMatchObject([{ ep: [{ endpoint: shown }] }]);
  });
});

describe("/debug/endpointShardz", () => {
  it("shows each endpoint under every registry that knows it", async () => {
    const all = (await get("/debug/endpointShardz", world)).json() as Record<string, unknown>;
    expect(Object.keys(all)).toEqual(["orders.example.com", "reviews.default.svc.cluster.local"]);
    const of = (address: string): unknown => expect.objectContaining({ Addresses: [address] });
    expect(all["reviews.default.svc.cluster.local"]).toEqual({
      default: {
        Shards: { "Consul/dc1": [of("10.0.0.1")], "Kubernetes/shop": [of("10.0.0.1"), of("10.0.0.2")] },
        ServiceAccounts: { "spiffe://t/ns/default/sa/reviews": {} },
      },
    });
  });

  it("writes endpoints as istiod does", async () => {
    const answer = (await get("/debug/endpointShardz?service=orders", world)).json();
    expect(answer).toEqual({
      "orders.example.com": {
        data: {
          Shards: {
            "Kubernetes/shop": [
              {
                Labels: {},
                Addresses: ["fd00::1"],
                ServicePortName: "db",
                LegacyClusterPortKey: 5432,
                ServiceAccount: "",
                Network: "",
                Locality: { Label: "", ClusterID: "shop" },
                EndpointPort: 5432,
                LbWeight: 1,
                TLSMode: "disabled",
                Namespace: "data",
                WorkloadName: "",
                HostName: "",
                SubDomain: "",
                HealthStatus: 1,
                SendUnhealthyEndpoints: false,
                NodeName: "",
                Health: "HEALTHY",
                Priority: 0,
                Findings: [],
              },
            ],
          },
          ServiceAccounts: {},
        },
      },
    });
  });

  it("keeps one hostname in two namespaces together, and a registry without endpoints as an empty shard", async () => {
    const twins = catalog([entry("a.example", [], { namespace: "two" }), entry("a.example", [], { namespace: "one" })]);
    const empty = { Shards: { "Kubernetes/shop": [] }, ServiceAccounts: {} };
    expect((await get("/debug/endpointShardz", { catalog: () => twins })).json()).toEqual({
      "a.example": { one: empty, two: empty },
    });
  });
});
