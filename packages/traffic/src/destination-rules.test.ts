import { describe, expect, it } from "vitest";
import { anyClient, createRuleBook, portPolicy } from "./index.ts";
import { bookOf, change, client, object } from "./testing/objects.ts";

const host = "web.shop.svc.cluster.local";
const dr = (name: string, more: object = {}, at?: number) => object("DestinationRule", name, { host, ...more }, at);
const simple = (balancer: string) => ({ trafficPolicy: { loadBalancer: { simple: balancer } } });
const subset = (name: string, version = name) => ({ name, labels: { version } });

describe("the policy of a host", () => {
  const everywhere = ["me", "shop", "istio-system"].map((namespace) => dr(`${namespace}/r`));

  it.each([
    ["the client's namespace", "me", ["me/r"], everywhere],
    ["the service's namespace", "other", ["shop/r"], everywhere],
    ["the root namespace", "other", ["istio-system/r"], [dr("istio-system/r"), dr("me/r")]],
    ["the service's namespace before the root, for clients of the root", "istio-system", ["shop/r"], everywhere],
    [
      "the root, for clients of the root, where that rule is for the root alone",
      "istio-system",
      ["istio-system/r"],
      [dr("shop/r"), dr("istio-system/r", { exportTo: ["."] })],
    ],
    [
      "the root where the service's namespace keeps its rule to itself",
      "other",
      ["istio-system/r"],
      [dr("istio-system/r"), dr("shop/r", { exportTo: ["."] })],
    ],
    [
      "the service's namespace where it exports to the client",
      "other",
      ["shop/r"],
      [dr("shop/r", { exportTo: ["other"] })],
    ],
    ["nowhere where it exports to others", "other", undefined, [dr("shop/r", { exportTo: ["third", "."] })]],
  ])("comes from %s", (_, namespace, objects, rules) => {
    expect(bookOf(rules).destination(host, "shop", client(namespace))?.objects).toEqual(objects);
  });

  it("comes from the most specific host of the first namespace that has one, even where it is less specific than others'", () => {
    const wildcard = object("DestinationRule", "me/wide", { host: "*.shop.svc.cluster.local", ...simple("RANDOM") });
    const wider = object("DestinationRule", "me/wider", { host: "*.local" });
    const book = bookOf([wildcard, wider, dr("shop/exact")]);
    expect(book.destination(host, "shop", client("me"))?.objects).toEqual(["me/wide"]);
    expect(book.destination(host, "shop", anyClient)?.objects).toEqual(["shop/exact"]);
  });

  it("is for a short name a service of the rule's own namespace", () => {
    const book = bookOf([object("DestinationRule", "shop/r", { host: "web" })]);
    expect(book.destination(host.toUpperCase(), "shop", anyClient)?.objects).toEqual(["shop/r"]);
  });

  it("has the subsets of all rules and the first policy, the first of equal names wins", () => {
    const book = bookOf([
      dr("shop/young", { ...simple("RANDOM"), subsets: [subset("a", "late"), subset("b")] }, 2),
      dr("shop/old", { subsets: [subset("a", "early")] }, 1),
      dr("shop/youngest", simple("ROUND_ROBIN"), 3),
    ]);
    const policy = book.destination(host, "shop", anyClient);
    expect(policy?.objects).toEqual(["shop/old", "shop/young", "shop/youngest"]);
    expect(policy?.subsets.map(({ labels }) => labels["version"])).toEqual(["early", "b"]);
    expect(policy?.trafficPolicy?.loadBalancer?.simple).toBe("RANDOM");
  });

  it("keeps rules apart that are seen in other namespaces, and lets the last of them stand", () => {
    const book = bookOf([
      dr("shop/own", { exportTo: ["."], subsets: [subset("own")] }, 1),
      dr("shop/named", { exportTo: ["me", "you"], subsets: [subset("named")] }, 2),
    ]);
    expect(book.destination(host, "shop", client("shop"))?.objects).toEqual(["shop/own"]);
    expect(book.destination(host, "shop", client("me"))?.objects).toEqual(["shop/named"]);
  });

  it("is that of a rule with a selector for clients with these labels, in its own namespace only", () => {
    const book = bookOf([
      dr("shop/all", { ...simple("RANDOM"), subsets: [subset("a")] }, 1),
      dr("shop/some", { workloadSelector: { matchLabels: { app: "x" } }, subsets: [subset("b")] }, 2),
      dr("shop/more", { workloadSelector: { matchLabels: { app: "x" } }, subsets: [subset("c")] }, 3),
    ]);
    const objects = (namespace: string, app: string) =>
      book.destination(host, "shop", client(namespace, { app }))?.objects;
    expect(objects("shop", "x")).toEqual(["shop/some", "shop/more"]);
    expect(objects("shop", "y")).toEqual(["shop/all"]);
    expect(objects("me", "x")).toEqual(["shop/all"]);
  });

  it("takes rules with a selector first, and lets a rule that is seen by the same namespaces join them alone", () => {
    const book = bookOf([
      dr("shop/all", { exportTo: ["."], subsets: [subset("a")] }, 1),
      dr("shop/some", { workloadSelector: { matchLabels: { app: "x" } } }, 2),
    ]);
    const objects = (app: string) => book.destination(host, "shop", client("shop", { app }))?.objects;
    expect(objects("x")).toEqual(["shop/some", "shop/all"]);
    expect(objects("y")).toBeUndefined();
  });

  it("says nothing where only rules for other workloads are in the first namespace", () => {
    const book = bookOf([dr("me/some", { workloadSelector: { matchLabels: { app: "x" } } }), dr("shop/all")]);
    expect(book.destination(host, "shop", client("me"))).toBeUndefined();
  });
});

describe("the place of a client", () => {
  const outlier = { trafficPolicy: { outlierDetection: {} } };
  const balancer = (loadBalancer: object, more: object = {}) => ({ trafficPolicy: { loadBalancer, ...more } });
  const failover = { failover: [{ from: "r1", to: "r2" }] };

  it.each([
    ["nothing asks for it", {}, false],
    ["endpoints can be ejected", outlier, true],
    ["locality is switched off", balancer({ localityLbSetting: { enabled: false } }, { outlierDetection: {} }), false],
    ["failover has nothing to go by", balancer({ localityLbSetting: failover }), false],
    ["there is failover", balancer({ localityLbSetting: failover }, { outlierDetection: {} }), true],
    ["shares go by locality", balancer({ localityLbSetting: { distribute: [{ from: "*", to: { "*": 100 } }] } }), true],
    ["zones are known", balancer({ zoneAwareLbSetting: {} }), true],
    ["zones are switched off", balancer({ zoneAwareLbSetting: { enabled: false } }, { outlierDetection: {} }), false],
    ["a port ejects", { trafficPolicy: { portLevelSettings: [{ port: { number: 80 }, outlierDetection: {} }] } }, true],
    ["a subset ejects", { subsets: [{ ...subset("a"), ...outlier }] }, true],
  ])("is in the policy and in signatures exactly where it matters: %s", (_, spec, matters) => {
    const book = bookOf([dr("shop/r", spec)]);
    const here = client("me", {}, "r1/z1");
    const policy = book.destination(host, "shop", here);
    expect(policy?.locality).toEqual(matters ? here.locality : undefined);
    expect(policy === book.destination(host, "shop", client("me", {}, "r2"))).toBe(!matters);
    if (matters) expect(book.signature(here)).not.toBe(book.signature(client("me", {}, "r2")));
    if (matters) expect(book.particular(here)).toEqual([host]);
  });

  it("does not matter for ejection where the mesh has locality switched off", () => {
    const localityLoadBalancing = { distribute: [], failover: [], failoverPriority: [], enabled: false };
    const book = bookOf([dr("shop/r", outlier)], { localityLoadBalancing });
    expect(book.destination(host, "shop", client("me", {}, "r1"))?.locality).toBeUndefined();
    expect(book.signature(client("me", {}, "r1"))).toBe("");
  });

  it("has the labels that failover goes by, and no others", () => {
    const setting = { localityLbSetting: { failoverPriority: ["rack", "row=7", "none"] } };
    const book = bookOf([dr("shop/r", balancer(setting, { outlierDetection: {} }))]);
    const policy = (labels: Record<string, string>) => book.destination(host, "shop", client("me", labels));
    expect(policy({ rack: "1", row: "2", app: "x" })?.labels).toEqual({ rack: "1" });
    expect(policy({ rack: "1", app: "y" })).toBe(policy({ rack: "1" }));
    expect(book.signature(client("me", { rack: "1" }))).not.toBe(book.signature(client("me", { rack: "2" })));
  });
});

describe("hosts that are particular", () => {
  const mine = (rules: readonly ReturnType<typeof dr>[], owner?: string) =>
    bookOf(rules).particular(client("shop"), owner === undefined ? undefined : () => [owner]);

  it("are those with rules in the client's namespace, unless all see these rules for services of that namespace", () => {
    expect(mine([dr("shop/r")])).toEqual([host]);
    expect(mine([dr("shop/r")], "shop")).toEqual([]);
    expect(mine([dr("shop/r")], "other")).toEqual([host]);
    expect(mine([dr("shop/r", { exportTo: ["."] })], "shop")).toEqual([host]);
    expect(mine([dr("other/r")])).toEqual([]);
    expect(mine([dr("other/r", { exportTo: ["shop", "x"] })])).toEqual([host]);
  });
});

describe("touches of DestinationRules", () => {
  it("are the hosts before and after, and signatures where selectors or places come or go", () => {
    const book = createRuleBook();
    const plain = book.apply(change([dr("shop/r")]));
    expect([[...plain.hosts], plain.signatures]).toEqual([[host], false]);
    const moved = book.apply(
      change([object("DestinationRule", "shop/r", { host: "*.test", ...{ workloadSelector: {} } })]),
    );
    expect([[...moved.hosts].sort(), moved.signatures]).toEqual([["*.test", host], true]);
    expect(book.apply(change([], ["DestinationRule/shop/r"])).signatures).toBe(true);
  });
});

describe("the policy of a port", () => {
  const pool = (maxConnections: number) => ({ connectionPool: { tcp: { maxConnections } } });
  const rule = dr("shop/r", {
    trafficPolicy: {
      ...pool(1),
      loadBalancer: { simple: "RANDOM" },
      tunnel: { protocol: "CONNECT", targetHost: "t", targetPort: 1 },
      portLevelSettings: [{ port: { number: 81 }, ...pool(81) }],
    },
    subsets: [
      {
        ...subset("a"),
        trafficPolicy: { ...pool(2), portLevelSettings: [{ port: { number: 82 }, tls: { mode: "SIMPLE" } }] },
      },
      { ...subset("tunnelled"), trafficPolicy: { tunnel: { protocol: "POST", targetHost: "t", targetPort: 2 } } },
      subset("plain"),
    ],
  });
  const policy = bookOf([rule]).destination(host, "shop", anyClient);
  const shown = (port: number, name: string) => {
    const got = portPolicy(policy, port, name);
    return [got?.connectionPool?.tcp?.maxConnections, got?.loadBalancer?.simple, got?.tls?.mode, got?.tunnel?.protocol];
  };

  it.each([
    ["the host's where nothing else is said", 80, "", [1, "RANDOM", undefined, "CONNECT"]],
    ["the port's where the port has settings, but for the tunnel", 81, "", [81, undefined, undefined, "CONNECT"]],
    ["the subset's before the host's, without its tunnel", 80, "a", [2, "RANDOM", undefined, undefined]],
    ["the subset's before the port's", 81, "a", [2, undefined, undefined, undefined]],
    ["the subset's port's instead of both", 82, "a", [undefined, undefined, "SIMPLE", undefined]],
    ["that of the host and the subset's own tunnel", 80, "tunnelled", [1, "RANDOM", undefined, "POST"]],
    ["the host's for a subset without a policy, without its tunnel", 80, "plain", [1, "RANDOM", undefined, undefined]],
    ["the host's for a subset that is not there, without its tunnel", 80, "none", [1, "RANDOM", undefined, undefined]],
  ])("is %s", (_, port, name, expected) => {
    expect(shown(port, name)).toEqual(expected);
  });

  it("is undefined where nothing is said", () => {
    expect(portPolicy(undefined, 80, "")).toBeUndefined();
    expect(portPolicy(bookOf([dr("shop/r")]).destination(host, "shop", anyClient), 80, "x")).toBeUndefined();
  });
});

describe("many rules for one host", () => {
  it("are merged in time that grows with their number alone", () => {
    const rules = Array.from({ length: 10_000 }, (_, at) =>
      dr(`shop/r${String(at)}`, { subsets: [subset(`s${String(at)}`)] }),
    );
    const book = bookOf(rules);
    const before = process.cpuUsage();
    expect(book.destination(host, "shop", anyClient)?.subsets).toHaveLength(10_000);
    // A copy of the list for each rule takes several seconds.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1500);
  });
});
