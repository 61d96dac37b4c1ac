import type { RuleBook } from "@signalbox/traffic";
import { describe, expect, it } from "vitest";
import { below, chainsOf, gateway, listenersOf, object, routesOf, server, tablesOf, World } from "./testing/router.ts";

const simple = { tls: { mode: "SIMPLE", credentialName: "cert" } };
const passthrough = { tls: { mode: "PASSTHROUGH" } };

/** A VirtualService for `edge/gw` unless it says otherwise. */
function routes(name: string, hosts: readonly string[], rules: object, at = 1) {
  return object("VirtualService", name, { hosts, gateways: ["edge/gw"], ...rules }, at);
}

const tcp = (host: string) => ({ route: [{ destination: { host, port: { number: 9000 } } }] });

describe("servers that others stand in the way of", () => {
  it("are faults of their Gateway until there is room", () => {
    const world = new World([
      gateway("edge/first", server("HTTP 80", ["a.test"])),
      gateway("edge/second", server("HTTP 8080", ["b.test"]), server("TCP 80", ["*"])),
    ]);
    expect([...world.scope.faults].map(({ cause, subject }) => `${subject}: ${(cause as Error).message}`)).toEqual([
      "Gateway edge/second: servers[1] is left out: an earlier server speaks another protocol at this port",
    ]);
    expect([...world.scope.faults]).toMatchObject([{ objects: ["Gateway/edge/second"], yielded: true }]);
    world.change([], [gateway("edge/first", server("HTTP 80", ["a.test"]))]);
    expect([...world.scope.faults]).toEqual([]);
  });
});

describe("HTTP servers", () => {
  it("answer 404 where no VirtualService is bound to them", () => {
    const { scope } = new World([gateway("edge/gw", server("HTTP 80", ["a.test"]))]);
    expect(chainsOf(scope, "0.0.0.0_80")).toEqual(["any: http http.80"]);
    expect(routesOf(scope, "http.80")).toEqual({ "blackhole:80 (*)": [] });
  });

  it("have the routes of bound VirtualServices for hosts that both have", () => {
    const { scope } = new World([
      gateway("edge/gw", server("HTTP 80", ["*.a.test", "b.test"])),
      routes("shop/one", ["x.a.test", "y.a.test", "c.test"], { http: [below("/", "web.shop")] }),
      routes("shop/all", ["*"], { http: [below("/all", "all.shop")] }),
      object("VirtualService", "shop/other", {
        hosts: ["z.a.test"],
        gateways: ["edge/else"],
        http: [below("/", "no")],
      }),
      object("VirtualService", "shop/mesh", { hosts: ["b.test"], http: [below("/", "no")] }),
    ]);
    expect(routesOf(scope, "http.80")).toEqual({
      "b.test:80 (b.test *.a.test)": ["/all outbound|80||all.shop"],
      "x.a.test:80 (x.a.test y.a.test)": ["/ outbound|80||web.shop"],
    });
  });

  it("try the routes of several VirtualServices of a host, the oldest first and those for everything last", () => {
    const { scope } = new World([
      gateway("edge/gw", server("HTTP 80", ["a.test"])),
      routes("shop/young", ["a.test"], { http: [below("/b", "b.shop"), below("/", "rest-b.shop")] }, 20),
      routes("shop/old", ["a.test"], { http: [below("/a", "a.shop"), below("/", "rest-a.shop")] }, 10),
    ]);
    expect(routesOf(scope, "http.80")).toEqual({
      "a.test:80 (a.test)": [
        "/a outbound|80||a.shop",
        "/b outbound|80||b.shop",
        "/ outbound|80||rest-a.shop",
        "/ outbound|80||rest-b.shop",
      ],
    });
  });

  it("take only VirtualServices of the namespaces that their hosts name", () => {
    const rules = { http: [below("/", "web.shop")] };
    const { scope } = new World([
      gateway("edge/gw", server("HTTP 80", ["shop/*.test", "./own.test"])),
      routes("shop/in", ["in.test", "own.test"], rules),
      routes("pay/out", ["out.test"], rules),
      routes("edge/own", ["own.test"], rules),
    ]);
    expect(Object.keys(routesOf(scope, "http.80"))).toEqual(["in.test:80 (in.test)", "own.test:80 (own.test)"]);
  });

  it("of several Gateways share the port, each with its own VirtualServices", () => {
    const { scope } = new World([
      gateway("edge/gw", server("HTTP 80", ["one.test"])),
      gateway("edge/two", server("HTTP 80", ["two.test"])),
      routes("shop/one", ["one.test", "two.test"], { http: [below("/", "one.shop")] }),
      object("VirtualService", "shop/two", { hosts: ["*"], gateways: ["edge/two"], http: [below("/", "two.shop")] }),
    ]);
    expect(chainsOf(scope, "0.0.0.0_80")).toEqual(["any: http http.80"]);
    expect(routesOf(scope, "http.80")).toEqual({
      "one.test:80 (one.test)": ["/ outbound|80||one.shop"],
      "two.test:80 (two.test)": ["/ outbound|80||two.shop"],
    });
  });

  it("that have a host in common give each of its routes once", () => {
    const twice = { gateways: ["edge/gw", "edge/two"], http: [below("/", "web.shop")] };
    const redirect = { tls: { httpsRedirect: true } };
    const { scope } = new World([
      gateway("edge/gw", server("HTTP 80", ["a.test"]), server("HTTP 80", ["a.test"], redirect)),
      gateway("edge/two", server("HTTP 80", ["*.test"])),
      routes("shop/web", ["a.test"], twice),
    ]);
    expect(routesOf(scope, "http.80")).toEqual({ "a.test:80 (a.test) TLS ALL": ["/ outbound|80||web.shop"] });
  });

  it("redirect to HTTPS, with routes and without", () => {
    const redirect = { tls: { httpsRedirect: true } };
    const { scope } = new World([
      gateway("edge/gw", server("HTTP 80", ["a.test", "b.test"], redirect), server("HTTP 80", ["c.test"])),
      routes("shop/web", ["b.test", "c.test"], { http: [below("/", "web.shop")] }),
    ]);
    expect(routesOf(scope, "http.80")).toEqual({
      "a.test:80 (a.test) TLS ALL": [],
      "b.test:80 (b.test) TLS ALL": ["/ outbound|80||web.shop"],
      "c.test:80 (c.test)": ["/ outbound|80||web.shop"],
    });
  });

  it("listen at the target port and name the Gateway's", () => {
    const { scope } = new World(
      [
        gateway("edge/gw", server("HTTP 80", ["a.test"])),
        routes("shop/web", ["a.test"], { http: [below("/", "web.shop")] }),
      ],
      { targetPorts: new Map([[80, 8080]]), privileged: false },
    );
    expect(chainsOf(scope, "0.0.0.0_8080")).toEqual(["any: http http.8080"]);
    expect(Object.keys(routesOf(scope, "http.8080"))).toEqual(["a.test:80 (a.test)"]);
  });

  it("do not listen below 1024 where the router may not", () => {
    const { scope } = new World([gateway("edge/gw", server("HTTP 80", ["*"]), server("HTTP 8080", ["*"]))], {
      privileged: false,
    });
    expect(Object.keys(listenersOf(scope))).toEqual(["0.0.0.0_8080"]);
  });

  it("know the client by its connection and write what it proved of its certificate", () => {
    const { scope } = new World([gateway("edge/gw", server("HTTP 80", ["*"]))]);
    expect(listenersOf(scope)["0.0.0.0_80"]).toMatchObject({
      address: { socketAddress: { address: "0.0.0.0", portValue: 80 } },
      filterChains: [
        {
          filters: [
            {
              typedConfig: {
                useRemoteAddress: true,
                forwardClientCertDetails: "SANITIZE_SET",
                setCurrentClientCertDetails: { subject: true, cert: true, dns: true, uri: true },
                serverName: "istio-envoy",
                normalizePath: true,
              },
            },
          ],
        },
      ],
    });
  });
});

describe("TLS servers", () => {
  it("have a chain and a table for each set of hosts", () => {
    const { scope } = new World([
      gateway(
        "edge/gw",
        server("HTTPS 443", ["b.test", "*.a.test"], { name: "one", ...simple }),
        server("HTTPS 443", ["*"], { name: "rest", ...simple }),
      ),
      routes("shop/web", ["x.a.test"], { http: [below("/", "web.shop")] }),
    ]);
    expect(chainsOf(scope, "0.0.0.0_443")).toEqual([
      "*.a.test,b.test TLS: http https.443.one.gw.edge",
      "any TLS: http https.443.rest.gw.edge",
    ]);
    expect(listenersOf(scope)["0.0.0.0_443"]?.["listenerFilters"]).toMatchObject([
      { name: "envoy.filters.listener.tls_inspector" },
    ]);
    expect(Object.keys(routesOf(scope, "https.443.one.gw.edge"))).toEqual(["x.a.test:443 (x.a.test)"]);
    expect(Object.keys(routesOf(scope, "https.443.rest.gw.edge"))).toEqual(["x.a.test:443 (x.a.test)"]);
  });

  it("share a name with no other chain, which Envoy would refuse", () => {
    const { scope } = new World([
      gateway("edge/gw", server("HTTPS 443", ["one/a.test"], simple)),
      gateway("edge/two", server("HTTPS 443", ["two/a.test", "two/b.test"], simple)),
    ]);
    expect(chainsOf(scope, "0.0.0.0_443")).toEqual([
      "a.test TLS: http https.443.https.gw.edge",
      "b.test TLS: http https.443.https.two.edge",
    ]);
  });

  it("pass on by server name what VirtualServices say", () => {
    const tls = (names: readonly string[], host: string) => ({
      match: [{ sniHosts: names, port: 443 }],
      route: [{ destination: { host, port: { number: 443 } } }],
    });
    const { scope } = new World([
      gateway("edge/gw", server("TLS 443", ["*.test"], passthrough)),
      routes("shop/one", ["a.test"], { tls: [tls(["a.test"], "a.shop")] }, 1),
      routes("shop/again", ["a.test", "b.test"], { tls: [tls(["a.test", "b.test"], "no.shop")] }, 2),
      routes(
        "shop/two",
        ["c.test", "d.test"],
        {
          tls: [tls(["c.test"], "c.shop"), { ...tls(["d.test"], "no"), match: [{ sniHosts: ["d.test"], port: 444 }] }],
        },
        3,
      ),
    ]);
    expect(chainsOf(scope, "0.0.0.0_443")).toEqual([
      "a.test: to outbound|443||a.shop",
      "c.test: to outbound|443||c.shop",
    ]);
  });

  it("end TLS before TCP rules", () => {
    const { scope } = new World([
      gateway("edge/gw", server("TLS 9000", ["a.test"], simple)),
      routes("shop/tcp", ["a.test"], { tcp: [tcp("db.shop")] }),
    ]);
    expect(chainsOf(scope, "0.0.0.0_9000")).toEqual(["a.test TLS: to outbound|9000||db.shop"]);
  });

  it("let clients with the mesh's TLS name the cluster where they are AUTO_PASSTHROUGH", () => {
    const world = new World(
      [gateway("edge/gw", server("TLS 15443", ["*.shop"], { tls: { mode: "AUTO_PASSTHROUGH" } }))],
      {
        services: [
          { hostname: "web.shop", ports: [{ number: 80, protocol: "HTTP" }], instances: [{ address: "10.0.0.1:80" }] },
          { hostname: "out.shop", ports: [{ number: 80, protocol: "HTTP" }], meshExternal: true },
          { hostname: "web.pay", ports: [{ number: 80, protocol: "HTTP" }] },
        ],
      },
    );
    const alpn = "istio-peer-exchange,istio,istio-http/1.0,istio-http/1.1,istio-h2";
    expect(chainsOf(world.scope, "0.0.0.0_15443")).toEqual([
      `outbound_.80_._.web.shop,${alpn}: to outbound_.80_._.web.shop`,
    ]);
    expect([...world.scope.clusters.resources.keys()]).toEqual(["outbound_.80_._.web.shop"]);
    world.change([], [], [{ hostname: "new.shop", ports: [{ number: 90, protocol: "TCP" }] }]);
    expect([...world.scope.clusters.resources.keys()].sort()).toEqual([
      "outbound_.80_._.web.shop",
      "outbound_.90_._.new.shop",
    ]);
    expect(chainsOf(world.scope, "0.0.0.0_15443")).toHaveLength(2);
    world.change([], [gateway("edge/gw")]);
    expect(world.scope.clusters.resources.size).toBe(0);
  });
});

describe("TCP servers", () => {
  it("have the first rule that is for them, whatever its addresses", () => {
    const { scope } = new World([
      gateway("edge/gw", server("TCP 9000", ["a.test"]), server("MONGO 27017", ["*"])),
      routes("shop/first", ["b.test"], { tcp: [tcp("no.shop")] }, 1),
      routes(
        "shop/second",
        ["a.test"],
        {
          tcp: [
            { match: [{ port: 27017 }], ...tcp("mongo.shop") },
            { match: [{ port: 9000, destinationSubnets: ["10.0.0.0/8"] }], ...tcp("db.shop") },
            tcp("rest.shop"),
          ],
        },
        0,
      ),
    ]);
    expect(chainsOf(scope, "0.0.0.0_9000")).toEqual(["any: to outbound|9000||db.shop"]);
    expect(chainsOf(scope, "0.0.0.0_27017")).toEqual(["any: to outbound|9000||mongo.shop"]);
    expect(listenersOf(scope)["0.0.0.0_9000"]?.["listenerFilters"]).toBeUndefined();
  });

  it("share connections out by weight", () => {
    const weighted = {
      route: [
        { destination: { host: "a.shop", port: { number: 1 } }, weight: 25 },
        { destination: { host: "b.shop", port: { number: 2 } }, weight: 75 },
      ],
    };
    const { scope } = new World([
      gateway("edge/gw", server("TCP 9000", ["*"])),
      routes("shop/tcp", ["*"], { tcp: [weighted] }),
    ]);
    expect(chainsOf(scope, "0.0.0.0_9000")).toEqual(["any: to outbound|1||a.shop*25+outbound|2||b.shop*75"]);
  });

  it("do not listen without a rule", () => {
    const { scope } = new World([gateway("edge/gw", server("TCP 9000", ["a.test"]))]);
    expect(Object.keys(listenersOf(scope))).toEqual([]);
  });
});

describe("changes", () => {
  const base = [
    gateway("edge/gw", server("HTTP 80", ["a.test"])),
    gateway("edge/two", server("HTTP 90", ["*"])),
    routes("shop/a", ["a.test"], { http: [{ route: [{ destination: { host: "web.shop" } }] }] }),
    object("VirtualService", "shop/b", { hosts: ["b.test"], gateways: ["edge/two"], http: [below("/", "b.shop")] }),
  ];

  it("reach the table whose routes changed, and no other", () => {
    const world = new World(base);
    world.change([routes("shop/a", ["a.test"], { http: [below("/new", "web.shop")] })]);
    expect([...world.changed.routes]).toEqual(["http.80"]);
    expect([...world.changed.listeners]).toEqual([]);
  });

  it("of a destination's ports reach the tables that lead to it", () => {
    const world = new World(base);
    expect(routesOf(world.scope, "http.80")).toEqual({ "a.test:80 (a.test)": ["/ outbound|80||web.shop"] });
    world.change([], [], [{ hostname: "web.shop", ports: [{ number: 8080, protocol: "HTTP" }] }]);
    expect(routesOf(world.scope, "http.80")).toEqual({ "a.test:80 (a.test)": ["/ outbound|8080||web.shop"] });
    expect([...world.changed.routes]).toEqual(["http.80"]);
  });

  it("of Gateways open and close ports", () => {
    const world = new World(base);
    world.change([gateway("edge/new", server("HTTP 70", ["*"]))], [gateway("edge/two")]);
    expect(Object.keys(tablesOf(world.scope)).sort()).toEqual(["http.70", "http.80"]);
    expect(Object.keys(listenersOf(world.scope)).sort()).toEqual(["0.0.0.0_70", "0.0.0.0_80"]);
  });

  it("are faults of the VirtualService whose routes cannot be made", () => {
    const spoil = (book: RuleBook): RuleBook =>
      Object.assign(Object.create(book) as RuleBook, {
        gateways: book.gateways.bind(book),
        destination: book.destination.bind(book),
        *gatheringRoutings(...asked: Parameters<RuleBook["gatheringRoutings"]>) {
          const routings = yield* book.gatheringRoutings(...asked);
          return routings.map((routing) => ({ ...routing, http: [{}] }));
        },
      });
    const { scope } = new World(base, { spoil });
    expect([...scope.faults]).toMatchObject([
      { subject: "route table http.80", cause: expect.any(TypeError) as Error, objects: ["VirtualService/shop/a"] },
      { subject: "route table http.90", cause: expect.any(TypeError) as Error, objects: ["VirtualService/shop/b"] },
    ]);
  });

  it("that cannot be built leave what was there and are faults until they are over", () => {
    let broken = false;
    const spoil = (book: RuleBook): RuleBook =>
      Object.assign(Object.create(book) as RuleBook, {
        gateways: book.gateways.bind(book),
        destination: book.destination.bind(book),
        gatheringRoutings: (...asked: Parameters<RuleBook["gatheringRoutings"]>) => {
          if (broken && asked[0] === "edge/gw") throw new Error("broken");
          return book.gatheringRoutings(...asked);
        },
      });
    const world = new World(base, { spoil });
    const before = routesOf(world.scope, "http.80");
    broken = true;
    world.change([routes("shop/a", ["a.test"], { http: [below("/new", "web.shop")] })]);
    expect(routesOf(world.scope, "http.80")).toEqual(before);
    expect([...world.scope.faults].map(({ subject }) => subject)).toEqual([
      "route table http.80",
      "listener 0.0.0.0_80",
    ]);
    expect([...world.scope.faults]).toMatchObject([{ objects: ["Gateway/edge/gw"] }, { objects: ["Gateway/edge/gw"] }]);
    broken = false;
    world.change([]);
    expect([...world.scope.faults]).toEqual([]);
    expect(routesOf(world.scope, "http.80")).toEqual({ "a.test:80 (a.test)": ["/new outbound|80||web.shop"] });
  });
});
