import { describe, expect, it } from "vitest";
import { anyClient, createRuleBook } from "./index.ts";
import { resolveVirtualService } from "./virtual-service/resolve.ts";
import { bookOf, change, client, object, router, to } from "./testing/objects.ts";

const fqdn = (name: string, namespace = "shop") => `${name}.${namespace}.svc.cluster.local`;
const vs = (name: string, hosts: readonly string[], more: object = {}, at?: number) =>
  object("VirtualService", name, { hosts, http: [to(name.replace("/", "-"))], ...more }, at);

describe("a routed host", () => {
  it.each<[string, string, boolean]>([
    ["a host of a VirtualService, whole and in lower case", fqdn("reviews"), true],
    ["a wildcard of one", "*.example.com", true],
    ["a host of one that only some namespaces see", "private.example.org", true],
    ["no host that a wildcard covers", "a.example.com", false],
    ["no host of a router alone", "edge.example.org", false],
    ["no destination", fqdn("shop-a"), false],
    ["no host of a DestinationRule", "ruled.example.org", false],
  ])("is %s", (_, host, routed) => {
    const objects = [
      vs("shop/a", ["Reviews", "*.example.com"]),
      vs("shop/b", ["private.example.org"], { exportTo: ["."] }),
      vs("shop/c", ["edge.example.org"], { gateways: ["edge"] }),
      object("DestinationRule", "shop/d", { host: "ruled.example.org" }),
    ];
    const book = bookOf(objects);
    expect(book.isRouted(host)).toBe(routed);
    book.apply(change([], ["VirtualService/shop/a", "VirtualService/shop/b"]));
    expect(book.isRouted(host)).toBe(false);
  });
});

describe("the routing of a host", () => {
  it("has whole names for hosts, destinations and mirrors, and leaves wildcards, whole names and addresses as they are", () => {
    const book = bookOf([
      object("VirtualService", "shop/a", {
        hosts: ["reviews", "*.example.com", "Other.example.org", "10.0.0.1"],
        http: [
          to("ratings", { match: [{ uri: { exact: "/" } }], mirror: { host: "copy" } }),
          to("ratings", { mirrors: [{ destination: { host: "more.test" } }] }),
        ],
        tcp: [to("db")],
      }),
      vs("shop/all", ["*"], { gateways: ["edge"] }),
    ]);
    const routing = book.routing(fqdn("reviews"), anyClient);
    expect(routing?.hosts).toEqual([fqdn("reviews"), "*.example.com", "other.example.org", "10.0.0.1"]);
    expect(routing?.destinations).toEqual([fqdn("copy"), fqdn("db"), "more.test", fqdn("ratings")].sort());
    expect(book.routing("OTHER.example.org", anyClient)).toBe(routing);
    expect(book.gatewayRoutings("shop/edge", router("shop"))[0]?.hosts).toEqual(["*"]);
  });

  it("is gathered in steps for a gateway that many objects name, as they were when that began", () => {
    const objects = Array.from({ length: 50 }, (_, at) =>
      vs(`shop/v${String(at)}`, [`${String(at)}.test`], { gateways: ["edge"] }, at),
    );
    const book = bookOf(objects);
    const expected = book.gatewayRoutings("shop/edge", router("shop"));
    expect(expected.map(({ name }) => name)).toEqual(objects.map(({ name }) => name));
    const steps = book.gatheringRoutings("shop/edge", router("shop"));
    let taken = 0;
    for (let step = steps.next(); ; step = steps.next()) {
      if (step.done === true) {
        expect(step.value).toBe(expected);
        break;
      }
      if (++taken === 10) book.apply(change([], ["VirtualService/shop/v1", "VirtualService/shop/v40"]));
    }
    expect(taken).toBeGreaterThanOrEqual(50);
    expect(book.gatewayRoutings("shop/edge", router("shop"))).toHaveLength(48);
  });

  it.each([
    ["the exact host before wildcards", "a.example.com", "ns/exact"],
    ["the longest wildcard", "b.example.com", "ns/near"],
    ["the only wildcard that covers it", "a.example.org", "ns/org"],
    ["a wildcard that covers more labels than one", "b.c.org", "ns/org"],
    ["nothing where no wildcard covers it", "example.net", "/"],
    ["a wildcard for itself", "*.example.com", "ns/near"],
    ["a wildcard for a longer one", "*.b.example.com", "ns/near"],
  ])("comes from %s", (_, host, winner) => {
    const book = bookOf([
      vs("ns/org", ["*.org"], {}, 1),
      vs("ns/far", ["*.com"], {}, 1),
      vs("ns/near", ["*.example.com"], {}, 2),
      vs("ns/exact", ["a.example.com"], {}, 3),
    ]);
    const routing = book.routing(host, anyClient);
    expect(`${routing?.namespace ?? ""}/${routing?.name ?? ""}`).toBe(winner);
  });

  it("comes from the oldest of equal hosts, then from the first by name, then by namespace", () => {
    const host = ["a.example.com"];
    const objects = [vs("b/x", host, {}, 2), vs("a/y", host, {}, 1), vs("b/a", host, {}, 1), vs("c/a", host, {}, 1)];
    const left = [...objects];
    const order: string[] = [];
    while (left.length > 0) {
      const routing = bookOf(left).routing("a.example.com", anyClient);
      const id = `${routing?.namespace ?? ""}/${routing?.name ?? ""}`;
      order.push(id);
      left.splice(
        left.findIndex(({ namespace, name }) => `${namespace}/${name}` === id),
        1,
      );
    }
    expect(order).toEqual(["b/a", "c/a", "a/y", "b/x"]);
  });

  it("prefers what the client's namespace keeps to itself, then what was exported to it by name", () => {
    const host = ["a.example.com"];
    const book = bookOf([
      vs("x/all", host, {}, 1),
      vs("y/some", host, { exportTo: ["me", "other"] }, 2),
      vs("me/own", host, { exportTo: ["."] }, 3),
    ]);
    expect(book.routing("a.example.com", client("me"))?.name).toBe("own");
    expect(book.routing("a.example.com", client("other"))?.name).toBe("some");
    expect(book.routing("a.example.com", client("third"))?.name).toBe("all");
    expect(book.routing("a.example.com", anyClient)?.name).toBe("all");
  });

  it("passes over objects that the client does not import", () => {
    const book = bookOf([vs("x/first", ["a.test"], {}, 1), vs("y/second", ["a.test"], {}, 2)]);
    const imports = ({ namespace }: { readonly namespace: string }) => namespace === "y";
    expect(book.routing("a.test", anyClient, imports)?.name).toBe("second");
    expect([imports, () => false].map((known) => book.isRouted("a.test", anyClient, known))).toEqual([true, false]);
  });

  it("leaves out what is for other sources, and goes to the next object where nothing is left", () => {
    const book = bookOf([
      vs("x/first", ["a.test"], { http: [to("v2", { match: [{ sourceLabels: { app: "web" } }] })] }, 1),
      vs("y/second", ["a.test"], {}, 2),
    ]);
    expect(book.routing("a.test", client("x", { app: "web" }))?.name).toBe("first");
    expect(book.routing("a.test", client("x"))?.name).toBe("second");
    expect(book.routing("a.test", anyClient)?.name).toBe("second");
  });

  it("keeps of each route the matches for the client, without what they asked of the source", () => {
    const http = [
      to("v1", { match: [{ sourceNamespace: "x", uri: { prefix: "/a" } }, { uri: { prefix: "/b" } }] }),
      to("v2", { match: [{ gateways: ["ns/edge"] }] }),
      to("v3", { match: [{ gateways: ["mesh"], sourceLabels: { app: "none" } }] }),
    ];
    const book = bookOf([vs("ns/a", ["a.test"], { http, gateways: ["mesh", "edge"] })]);
    const shown = (routing: ReturnType<typeof book.routing>) =>
      routing?.http.map(({ match, route }) => [route[0]?.destination?.host, match.map(({ uri }) => uri?.prefix)]);
    expect(shown(book.routing("a.test", client("x")))).toEqual([
      [fqdn("v1", "ns"), ["/a", "/b"]],
      // A match that names gateways asks for nothing else of its source.
      [fqdn("v3", "ns"), [undefined]],
    ]);
    expect(shown(book.routing("a.test", anyClient))).toEqual([
      [fqdn("v1", "ns"), ["/b"]],
      [fqdn("v3", "ns"), [undefined]],
    ]);
    expect(shown(book.gatewayRoutings("ns/edge", router("ns"))[0])).toEqual([
      [fqdn("v1", "ns"), ["/b"]],
      [fqdn("v2", "ns"), [undefined]],
    ]);
    expect(book.routing("a.test", client("x"))?.http.flatMap(({ match }) => match)).toSatisfy(
      (matches: readonly { readonly gateways: readonly string[]; readonly sourceNamespace: string }[]) =>
        matches.every(({ gateways, sourceNamespace }) => gateways.length === 0 && sourceNamespace === ""),
    );
  });

  it("has the TLS and TCP routes of every object that matches the host, and the HTTP routes of one", () => {
    const tls = [{ match: [{ sniHosts: ["a.test"] }], ...to("tls") }];
    const book = bookOf([vs("ns/wide", ["*.test"], { tcp: [to("tcp")] }, 1), vs("ns/exact", ["a.test"], { tls }, 2)]);
    const routing = book.routing("a.test", anyClient);
    expect(routing?.http.map(({ route }) => route[0]?.destination?.host)).toEqual([fqdn("ns-exact", "ns")]);
    expect(routing?.tls).toHaveLength(1);
    expect(routing?.tcp).toHaveLength(1);
    expect(book.routing("a.test", anyClient)).toBe(routing);
    expect(book.routing("*.test", anyClient)?.tls).toHaveLength(1);
  });

  it("puts delegates in where they are exported to the root's namespace, and leaves a route without one out", () => {
    const delegate = (name: string, exportTo: readonly string[]) =>
      object("VirtualService", name, { http: [to("v", { match: [{ uri: { prefix: "/a/b" } }] }), to("w")], exportTo });
    const route = (name: string, namespace: string) => ({
      match: [{ uri: { prefix: "/a" } }],
      delegate: { name, namespace },
      timeout: "3s",
    });
    const root = vs("root/r", ["a.test"], {
      http: [route("seen", "d"), route("hidden", "d"), route("gone", ""), to("last")],
    });
    const book = bookOf([root, delegate("d/seen", ["root"]), delegate("d/hidden", ["."])]);
    const routing = book.routing("a.test", anyClient);
    expect(routing?.http.map(({ match, timeout }) => [match[0]?.uri?.prefix, timeout])).toEqual([
      ["/a/b", 3000],
      ["/a", 3000],
      [undefined, undefined],
    ]);
    expect(routing?.http[0]?.route[0]?.destination?.host).toBe(fqdn("v", "d"));
    const touches = book.apply(change([], ["VirtualService/d/seen"]));
    expect([...touches.hosts]).toEqual(["a.test"]);
    expect(book.routing("a.test", anyClient)?.http).toHaveLength(1);
  });
});

describe("routed hosts and senders", () => {
  it("are those of objects of the mesh that the client gets something of", () => {
    const book = bookOf([
      vs("x/a", ["b.test", "a.test"]),
      vs("x/edge", ["edge.test"], { gateways: ["gw"] }),
      vs("x/own", ["own.test"], { exportTo: ["."] }),
      vs("x/web", ["web.test"], { http: [to("v", { match: [{ sourceLabels: { app: "web" } }] })] }),
    ]);
    const hosts = ["a.test", "b.test", "edge.test", "own.test", "web.test"];
    expect(hosts.filter((host) => book.isRouted(host, client("y")))).toEqual(["a.test", "b.test"]);
    expect(hosts.filter((host) => book.isRouted(host, client("x")))).toEqual(["a.test", "b.test", "own.test"]);
    expect(hosts.filter((host) => book.isRouted(host))).toEqual(["a.test", "b.test", "own.test", "web.test"]);
    expect(book.isRouted("web.test", client("x", { app: "web" }))).toBe(true);
    expect(book.sendersTo(fqdn("x-a", "x"))).toEqual(["a.test", "b.test"]);
    expect(book.sendersTo(fqdn("x-edge", "x"))).toEqual([]);
    book.apply(change([], ["VirtualService/x/a"]));
    expect(hosts.filter((host) => book.isRouted(host, client("y")))).toEqual([]);
    expect(book.sendersTo(fqdn("x-a", "x"))).toEqual([]);
  });
});

describe("a change", () => {
  it("resolves one object of a thousand, and touches its hosts alone", () => {
    const resolved: string[] = [];
    const book = createRuleBook({}, (rule, find, domain) => {
      resolved.push(rule.object.name);
      return resolveVirtualService(rule, find, domain);
    });
    const objects = Array.from({ length: 1000 }, (_, index) => vs(`ns/v${index}`, [`h${index}.test`]));
    book.apply(change(objects));
    const kept = objects.map((_, index) => book.routing(`h${index}.test`, anyClient));
    resolved.length = 0;
    const touches = book.apply(change([vs("ns/v7", ["h7.test"], { http: [to("else")] })]));
    expect(resolved).toEqual(["v7"]);
    expect([...touches.hosts]).toEqual(["h7.test"]);
    const now = objects.map((_, index) => book.routing(`h${index}.test`, anyClient));
    expect(now.filter((routing, index) => routing !== kept[index])).toEqual([now[7]]);
    expect(resolved).toEqual(["v7"]);
  });

  it("that says nothing new touches nothing", () => {
    const book = bookOf([vs("ns/a", ["a.test"])]);
    const before = book.routing("a.test", anyClient);
    const touches = book.apply(change([{ ...vs("ns/a", ["a.test"]), labels: { touched: "yes" } }]));
    expect([...touches.hosts]).toEqual([]);
    expect(book.routing("a.test", anyClient)).toBe(before);
  });

  it("of nothing but an object's age changes who comes first", () => {
    const book = bookOf([vs("ns/a", ["a.test"], {}, 1), vs("ns/b", ["a.test"], {}, 2)]);
    expect(book.routing("a.test", anyClient)?.name).toBe("a");
    expect([...book.apply(change([vs("ns/a", ["a.test"], {}, 3)])).hosts]).toEqual(["a.test"]);
    expect(book.routing("a.test", anyClient)?.name).toBe("b");
  });

  it("to a form that cannot be used leaves the last good one in force and says so", () => {
    const book = createRuleBook();
    book.apply(change([vs("ns/a", ["a.test"]), object("Gateway", "ns/bad", { servers: 3 })]));
    book.apply(change([vs("ns/a", ["a.test"], { http: "no" })]));
    expect(book.routing("a.test", anyClient)?.http).toHaveLength(1);
    expect(book.status().map(({ key, accepted }) => [key, accepted])).toEqual([
      ["Gateway/ns/bad", false],
      ["VirtualService/ns/a", false],
    ]);
    expect(book.status()[1]?.errors).toContain('spec.http: must be a list, not the text "no"');
    book.apply(change([vs("ns/a", ["a.test"])], ["Gateway/ns/bad"]));
    expect(book.status().map(({ accepted }) => accepted)).toEqual([true]);
  });

  it("ignores objects of other kinds than Istio's", () => {
    const book = bookOf([object("ConfigMap", "ns/a", {})]);
    expect(book.status()).toEqual([]);
    expect([...book.apply(change([], ["ConfigMap/ns/a"])).hosts]).toEqual([]);
  });
});

describe("what governs a client", () => {
  const gateway = object("Gateway", "ns/edge", {
    selector: { app: "gw" },
    servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
  });
  const routeTo = (name: string, hosts: readonly string[], more: object = {}) => vs(name, hosts, more, 1);
  const delegating = { http: [{ delegate: { name: "part", namespace: "ns" } }] };
  const part = object("VirtualService", "ns/part", { http: [to("x")] });
  const everything = { services: () => [] };

  it.each([
    ["a VirtualService that the client sees", [routeTo("ns/v", ["a.test"])], "VirtualService/ns/v", true],
    ["one for other namespaces", [routeTo("ns/v", ["a.test"], { exportTo: ["."] })], "VirtualService/ns/v", false],
    ["one for gateways", [routeTo("ns/v", ["a.test"], { gateways: ["edge"] })], "VirtualService/ns/v", false],
    [
      "one behind an older one",
      [routeTo("ns/a", ["a.test"]), vs("ns/v", ["a.test"], {}, 2)],
      "VirtualService/ns/v",
      false,
    ],
    [
      "one behind an older one that has routes of TCP",
      [routeTo("ns/a", ["a.test"]), vs("ns/v", ["a.test"], { tcp: [to("x")] }, 2)],
      "VirtualService/ns/v",
      true,
    ],
    [
      "one that has a host to itself",
      [routeTo("ns/a", ["a.test"]), vs("ns/v", ["a.test", "b.test"], {}, 2)],
      "VirtualService/ns/v",
      true,
    ],
    ["a delegate", [routeTo("ns/v", ["a.test"], delegating), part], "VirtualService/ns/part", true],
    [
      "a delegate of one that the client does not see",
      [routeTo("ns/v", ["a.test"], { ...delegating, exportTo: ["."] }), part],
      "VirtualService/ns/part",
      false,
    ],
    ["a delegate that nobody names", [part], "VirtualService/ns/part", false],
    ["a Gateway", [gateway], "Gateway/ns/edge", false],
    ["what is not there", [], "VirtualService/ns/none", false],
    ["another kind", [], "PeerAuthentication/ns/none", false],
  ])("may be %s", (_, objects, key, expected) => {
    expect(bookOf(objects).governs(key, client("me"), everything)).toBe(expected);
  });

  it("is for a router its Gateways, and VirtualServices that are bound to them", () => {
    const book = bookOf([gateway, routeTo("ns/v", ["a.test"], { gateways: ["edge"] }), routeTo("ns/mesh", ["a.test"])]);
    const governs = (key: string, labels: Record<string, string>) =>
      book.governs(key, router("me", labels), everything);
    const keys = ["Gateway/ns/edge", "VirtualService/ns/v", "VirtualService/ns/mesh"];
    expect(keys.map((key) => governs(key, { app: "gw" }))).toEqual([true, true, false]);
    expect(keys.map((key) => governs(key, {}))).toEqual([false, false, false]);
  });

  it("is a VirtualService or DestinationRule only where the client knows what it is for", () => {
    const book = bookOf([routeTo("ns/v", ["a.test"]), object("DestinationRule", "ns/d", { host: "*.test" })]);
    const service = { hostname: "a.test", namespace: "ns" };
    const knows = { services: (host: string) => (host === "*.test" ? [service] : []) };
    expect(book.governs("DestinationRule/ns/d", client("me"), knows)).toBe(true);
    expect(book.governs("DestinationRule/ns/d", client("me"), everything)).toBe(false);
    expect(book.governs("VirtualService/ns/v", client("me"), { ...everything, imports: () => false })).toBe(false);
  });
});

describe("the status of an object", () => {
  it("says what is wrong with kinds that decide nothing here", () => {
    const book = createRuleBook();
    const mtls = (mode: string) => ({ mtls: { mode } });
    book.apply(
      change([
        object("PeerAuthentication", "ns/good", mtls("STRICT")),
        object("PeerAuthentication", "ns/bad", mtls("SOMETIMES")),
      ]),
    );
    const [bad, good] = book.status();
    expect(good).toEqual({
      key: "PeerAuthentication/ns/good",
      accepted: true,
      inForce: false,
      errors: [],
      warnings: [],
    });
    expect([bad?.accepted, bad?.inForce, bad?.errors.length]).toEqual([false, false, 1]);
    book.apply(change([], ["PeerAuthentication/ns/bad"]));
    expect(book.status()).toEqual([good]);
  });

  it("says whether a form of it is in force, be it an older one", () => {
    const broken = (name: string) => vs(name, ["a.test"], { http: "no" });
    const book = bookOf([vs("ns/good", ["a.test"]), vs("ns/was", ["a.test"])]);
    book.apply(change([broken("ns/was"), broken("ns/never")]));
    expect(book.status().map(({ key, accepted, inForce }) => [key, accepted, inForce])).toEqual([
      ["VirtualService/ns/good", true, true],
      ["VirtualService/ns/never", false, false],
      ["VirtualService/ns/was", false, true],
    ]);
  });

  it("keeps warnings and errors apart", () => {
    const wide = { configPatches: [{ applyTo: "CLUSTER", patch: { operation: "ADD", value: {} } }] };
    const [filter] = bookOf([object("EnvoyFilter", "ns/a", wide)]).status();
    expect([filter?.accepted, filter?.errors, filter?.warnings.length]).toEqual([true, [], 1]);
  });
});
