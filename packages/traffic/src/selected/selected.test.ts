import { describe, expect, it } from "vitest";
import { anyClient, createRuleBook } from "../index.ts";
import { bookOf, change, client, object, router } from "../testing/objects.ts";

const web = { app: "web" };
const selector = (labels: object) => ({ workloadSelector: { labels } });
const sidecar = (name: string, spec: object = {}, at?: number) =>
  object("Sidecar", name, { egress: [{ hosts: ["*/*"] }], ...spec }, at);
const servers = [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }];
const gateway = (name: string, chosen: object, at?: number) =>
  object("Gateway", name, { selector: chosen, servers }, at);

describe("the Sidecar of a client", () => {
  const all = [
    sidecar("istio-system/root"),
    sidecar("istio-system/chosen", selector(web)),
    sidecar("a/plain", {}, 1),
    sidecar("a/late", selector(web), 3),
    sidecar("a/early", selector(web), 2),
  ];

  it.each([
    ["the oldest of its namespace that selects it", client("a", web), "Sidecar/a/early"],
    ["its namespace's without a selector", client("a"), "Sidecar/a/plain"],
    ["the root namespace's without a selector", client("b", web), "Sidecar/istio-system/root"],
    ["the root's own, for clients of the root", client("istio-system", web), "Sidecar/istio-system/chosen"],
    ["none for a router", router("a", web), undefined],
  ])("is %s", (_, asker, key) => {
    expect(bookOf(all).sidecar(asker)?.key).toBe(key);
  });

  it("decides the signature in its own namespace only, and is touched by namespace", () => {
    const book = createRuleBook();
    const touches = book.apply(change(all));
    expect([[...touches.sidecars].sort(), touches.signatures]).toEqual([["a", "istio-system"], true]);
    expect(book.signature(client("a", web))).not.toBe(book.signature(client("a")));
    expect(book.signature(client("b", web))).toBe("");
  });
});

describe("the Gateways of a router", () => {
  const all = [
    gateway("b/late", web, 2),
    gateway("a/early", web, 1),
    gateway("a/any", {}, 3),
    gateway("a/other", { app: "other" }, 0),
  ];

  it("are those of every namespace that select it, from the oldest", () => {
    const book = bookOf(all);
    const keys = ["Gateway/a/early", "Gateway/b/late", "Gateway/a/any"];
    expect(book.gateways(router("c", web)).map(({ key }) => key)).toEqual(keys);
    expect(book.gateways(router("c", web))).toBe(book.gateways(router("d", { ...web, more: "1" })));
    expect(book.gateways(client("c", web))).toEqual([]);
    expect(book.signature(client("c", web))).toBe("");
    expect(book.signature(router("c", web))).not.toBe(book.signature(router("c")));
  });

  it("are touched when they change, and when a VirtualService comes that names them", () => {
    const book = bookOf(all);
    const routes = object("VirtualService", "c/v", {
      hosts: ["x.test"],
      gateways: ["a/early", "late.b.svc.cluster.local", "own", "./dot"],
      http: [{ route: [{ destination: { host: "x" } }] }],
    });
    const touches = book.apply(change([routes]));
    expect([...touches.gateways].sort()).toEqual(["a/early", "b/late", "c/dot", "c/own"]);
    expect([...touches.hosts]).toEqual([]);
    expect(book.gatewayRoutings("b/late", router("x")).map(({ name }) => name)).toEqual(["v"]);
    expect([...book.apply(change([], ["Gateway/a/any"])).gateways]).toEqual(["a/any"]);
  });
});

describe("the patches for a client", () => {
  const filter = (name: string, spec: object = {}, at?: number) =>
    object(
      "EnvoyFilter",
      name,
      {
        configPatches: [
          { applyTo: "CLUSTER", patch: { operation: "ADD", value: {} } },
          // Of patches for waypoints Istio asks nothing.
          { applyTo: "LISTENER", match: { context: "WAYPOINT" } },
        ],
        ...spec,
      },
      at,
    );
  const kubernetesGateway = { group: "gateway.networking.k8s.io", kind: "Gateway", name: "gw" };
  const serving = { "gateway.networking.k8s.io/gateway-name": "gw" };

  it("come by priority, then from the root namespace, then from the oldest, then by name; those that do nothing are left out", () => {
    const book = bookOf([
      filter("a/b", {}, 1),
      filter("a/a", {}, 1),
      filter("a/oldest", {}, 0),
      filter("a/first", { priority: -1 }, 9),
      filter("istio-system/root", {}, 9),
      filter("istio-system/last", { priority: 5 }, 0),
      filter("b/foreign"),
    ]);
    const patches = book.envoyPatches(client("a"));
    expect(patches.map(({ object: name }) => name)).toEqual([
      "a/first",
      "istio-system/root",
      "a/oldest",
      "a/a",
      "a/b",
      "istio-system/last",
    ]);
    expect(patches.every(({ patch }) => patch.applyTo === "CLUSTER")).toBe(true);
    expect(book.envoyPatches(client("a"))).toBe(patches);
    expect(book.envoyPatches(client("istio-system"))).toHaveLength(2);
    expect(book.envoyPatches(anyClient)).toHaveLength(2);
  });

  it("are those that select the client, or that are attached to the Gateway of Kubernetes that it serves", () => {
    const book = bookOf([
      filter("a/web", selector(web)),
      filter("a/attached", { targetRefs: [kubernetesGateway] }),
      filter("a/service", { targetRefs: [{ kind: "Service", name: "gw" }] }),
      filter("istio-system/attached", { targetRefs: [kubernetesGateway] }),
    ]);
    const names = (asker: typeof anyClient) => book.envoyPatches(asker).map(({ object: name }) => name);
    expect(names(client("a", web))).toEqual(["a/web"]);
    expect(names(client("a"))).toEqual([]);
    expect(names(router("a", serving))).toEqual(["a/attached"]);
    expect(names(router("b", serving))).toEqual([]);
    expect(book.signature(router("a", serving))).not.toBe(book.signature(router("a")));
  });

  it("are touched by namespace", () => {
    const book = createRuleBook();
    expect([...book.apply(change([filter("a/x")])).envoyFilters]).toEqual(["a"]);
    expect([...book.apply(change([], ["EnvoyFilter/a/x"])).envoyFilters]).toEqual(["a"]);
  });
});
