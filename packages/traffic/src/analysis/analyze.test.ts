import fc from "fast-check";
import type { ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { object, to } from "../testing/objects.ts";
import { analyze } from "./analyze.ts";
import { findingLevels } from "./finding.ts";
import type { AnalysisInput } from "./input.ts";

const service = (hostname: string, more: Partial<ReturnType<typeof plain>> = {}) => ({ ...plain(hostname), ...more });
function plain(hostname: string) {
  const instances = [{ labels: { app: "web", version: "v1" } as Record<string, string>, ports: [8080] }];
  return { hostname, namespace: "shop", exportTo: [] as readonly string[], ports: [80], instances };
}
const web = "web.shop.svc.cluster.local";
const workload = (name: string, labels: Record<string, string>, namespace = "shop") => ({ name, namespace, labels });
const vs = (name: string, spec: object) => object("VirtualService", name, { hosts: ["web"], ...spec });
const http = (destination: object) => ({ http: [{ route: [{ destination }] }] });

function findings(objects: readonly ConfigObject[], more: Partial<AnalysisInput> = {}) {
  const said = analyze({ objects, services: [service(web)], workloads: [], ...more });
  return said.map(({ code, object: key, path }) => `${code} ${key} ${path.join(".")}`);
}

describe("a destination", () => {
  const at = "VirtualService/shop/v spec.http.0.route.0.destination";

  it.each([
    ["that is there", { host: "web" }, []],
    ["that is written in other letters", { host: "WEB" }, []],
    ["with a port that is there", { host: "web", port: { number: 80 } }, []],
    ["that is not there", { host: "none" }, [`IST0101 ${at}.host`]],
    ["with a port that is not there", { host: web, port: { number: 81 } }, [`IST0101 ${at}.port`]],
    ["without a port where there are two", { host: "two.test" }, [`IST0112 ${at}`]],
    ["that a wildcard service covers", { host: "a.wild.test" }, []],
    ["that its namespace does not see", { host: "hidden.test" }, [`IST0101 ${at}.host`]],
    ["with a subset that is there", { host: "web", subset: "v1" }, []],
    ["with a subset that is not there", { host: "web", subset: "v2" }, [`IST0101 ${at}.subset`]],
  ])("%s", (_, destination, expected) => {
    const services = [
      service(web),
      service("two.test", { ports: [80, 81] }),
      service("*.wild.test"),
      service("hidden.test", { namespace: "other", exportTo: ["."] }),
    ];
    const rule = object("DestinationRule", "shop/d", {
      host: "web",
      subsets: [{ name: "v1", labels: { version: "v1" } }],
    });
    expect(findings([vs("shop/v", http(destination)), rule], { services })).toEqual(expected);
  });

  it("may be a mirror or one of TLS and TCP", () => {
    const none = { destination: { host: "none" } };
    const routes = [{ match: [{ sniHosts: ["x"] }], route: [none] }];
    const spec = { http: [{ mirror: { host: "none" }, mirrors: [none] }], tls: routes, tcp: [{ route: [none] }] };
    expect(findings([vs("shop/v", spec)])).toEqual([
      "IST0101 VirtualService/shop/v spec.http.0.mirror.host",
      "IST0101 VirtualService/shop/v spec.http.0.mirrors.0.destination.host",
      "IST0101 VirtualService/shop/v spec.tcp.0.route.0.destination.host",
      "IST0101 VirtualService/shop/v spec.tls.0.route.0.destination.host",
    ]);
  });
});

describe("the gateways of a VirtualService", () => {
  const gateway = object("Gateway", "edge/gw", {
    servers: [
      { port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["shop/*.shop.test", "./own.test", "*/any.test"] },
    ],
  });
  const workloads = [workload("gw", {})];
  const services = [service(web)];

  it.each([
    ["is not there", "none", ["web"], ["IST0101 VirtualService/shop/v spec.gateways.0"]],
    ["has one of the hosts", "edge/gw", ["web", "a.shop.test"], []],
    ["has them for all namespaces", "edge/gw", ["any.test"], []],
    ["has them for its own namespace only", "edge/gw", ["own.test"], ["IST0132 VirtualService/shop/v spec.gateways.0"]],
    ["has none of them", "gw.edge.svc.cluster.local", ["b.test"], ["IST0132 VirtualService/shop/v spec.gateways.0"]],
    ["is the mesh", "mesh", ["b.test"], []],
  ])("one %s", (_, name, hosts, expected) => {
    const rule = vs("shop/v", { hosts, gateways: [name], ...http({ host: "web" }) });
    expect(findings([rule, gateway], { workloads, services })).toEqual(expected);
  });
});

describe("delegates", () => {
  const root = vs("shop/v", { http: [{ delegate: { name: "d", namespace: "other" } }] });
  const delegate = (spec: object) => object("VirtualService", "other/d", { ...http({ host: web }), ...spec });
  const missing = ["IST0101 VirtualService/shop/v spec.http.0.delegate"];

  it.each([
    ["that are there", [delegate({})], []],
    ["that are not there", [], missing],
    ["that have hosts", [delegate({ hosts: ["x.test"] })], missing],
    ["that are not exported to the root", [delegate({ exportTo: ["."] })], missing],
  ])("%s", (_, objects, expected) => {
    expect(findings([root, ...objects])).toEqual(expected);
  });
});

describe("one host within the mesh", () => {
  const rule = (name: string, more: object = {}) => vs(name, { hosts: [web], ...http({ host: web }), ...more });

  it.each([
    ["for all twice", rule("a/x"), rule("b/y"), true],
    ["for all and for one namespace", rule("a/x"), rule("b/y", { exportTo: ["."] }), true],
    ["for different namespaces", rule("a/x", { exportTo: ["."] }), rule("b/y", { exportTo: ["b", "c"] }), false],
    ["for one namespace twice", rule("a/x", { exportTo: ["."] }), rule("b/y", { exportTo: ["a"] }), true],
    ["for nobody", rule("a/x", { exportTo: ["~"] }), rule("b/y"), false],
    ["at a gateway too", rule("a/x"), rule("b/y", { gateways: ["mesh", "none"] }), true],
    ["for different hosts", rule("a/x"), rule("b/y", { hosts: ["*.svc.cluster.local"] }), false],
  ])("%s", (_, first, second, conflict) => {
    const found = findings([first, second]).filter((one) => one.startsWith("IST0109"));
    const both = ["IST0109 VirtualService/a/x spec.hosts.0", "IST0109 VirtualService/b/y spec.hosts.0"];
    expect(found).toEqual(conflict ? both : []);
  });

  it("at gateways alone is no conflict", () => {
    const found = findings([rule("a/x", { gateways: ["g"] }), rule("b/y")]);
    expect(found.filter((one) => one.startsWith("IST0109"))).toEqual([]);
  });
});

describe("rules that are never reached", () => {
  const route = (match: readonly object[], name = "") => to(web, { match, name });
  const prefix = (text: string, more: object = {}) => ({ uri: { prefix: text }, ...more });

  it.each([
    ["behind a rule for everything", [route([]), route([prefix("/a")])], ["IST0130 spec.http.1"]],
    [
      "with the matches of earlier rules",
      [route([prefix("/a"), prefix("/b")]), route([prefix("/b", { name: "n" })])],
      ["IST0130 spec.http.1", "IST0131 spec.http.1.match.0"],
    ],
    ["in part", [route([prefix("/a")]), route([prefix("/a"), prefix("/b")])], ["IST0131 spec.http.1.match.0"]],
    [
      "below a shorter prefix",
      [route([prefix("/a")]), route([prefix("/a/b", { method: { exact: "GET" } })])],
      ["IST0131 spec.http.1.match.0"],
    ],
    ["but for more than a prefix", [route([prefix("/a", { port: 80 })]), route([prefix("/a/b")])], []],
    ["but for the order", [route([prefix("/a/b")]), route([prefix("/a")]), route([])], []],
  ])("%s", (_, routes, expected) => {
    const found = findings([vs("shop/v", { http: routes })]).map((one) => one.replace("VirtualService/shop/v ", ""));
    expect(found).toEqual(expected);
  });

  it("can be TLS and TCP rules", () => {
    const tls = { match: [{ sniHosts: ["a.test"] }], ...to(web) };
    expect(findings([vs("shop/v", { tls: [tls, tls], tcp: [to(web), to(web)] })])).toEqual([
      "IST0130 VirtualService/shop/v spec.tcp.1",
      "IST0130 VirtualService/shop/v spec.tls.1",
      "IST0131 VirtualService/shop/v spec.tls.1.match.0",
    ]);
  });
});

describe("a DestinationRule", () => {
  const subset = (version: string) => ({ name: version, labels: { version } });

  it.each([
    ["for a service", { host: "web", subsets: [subset("v1")] }, []],
    ["for services of a wildcard", { host: "*.local", subsets: [subset("v1")] }, []],
    ["for no service", { host: "none", subsets: [subset("v1")] }, ["IST0174 DestinationRule/shop/d spec.host"]],
    ["for no service of a wildcard", { host: "*.none" }, ["IST0174 DestinationRule/shop/d spec.host"]],
    [
      "with an empty subset",
      { host: "web", subsets: [subset("v1"), subset("v2")] },
      ["IST0173 DestinationRule/shop/d spec.subsets.1.labels"],
    ],
  ])("%s", (_, spec, expected) => {
    expect(findings([object("DestinationRule", "shop/d", spec)])).toEqual(expected);
  });
});

describe("a Gateway", () => {
  const server = (number: number, more: object = {}) => ({
    port: { number, name: "http", protocol: "HTTP" },
    hosts: ["a.test"],
    ...more,
  });
  const gateway = (name: string, ...servers: readonly object[]) =>
    object("Gateway", name, { selector: { app: "web" }, servers });
  const workloads = [workload("w", { app: "web" })];

  it("selects workloads, at ports of a service before them", () => {
    expect(findings([gateway("a/x", server(80), server(8080), server(443))], { workloads })).toEqual([
      "IST0162 Gateway/a/x spec.servers.2.port",
    ]);
    expect(findings([gateway("a/x", server(443))])).toEqual(["IST0101 Gateway/a/x spec.selector"]);
  });

  it("has no port, host and bind of another for the same workloads", () => {
    const objects = [
      gateway("a/x", server(80)),
      gateway("b/y", server(80), server(80, { bind: "1.1.1.1" }), server(8080)),
    ];
    const conflicts = ["IST0145 Gateway/a/x spec.servers.0", "IST0145 Gateway/b/y spec.servers.0"];
    expect(findings(objects, { workloads })).toEqual(conflicts);
    const wider = object("Gateway", "c/all", { servers: [server(80)] });
    const narrow = gateway("a/x", server(80));
    expect(findings([narrow, wider], { workloads }).filter((one) => one.startsWith("IST0145"))).toHaveLength(2);
    expect(findings([narrow, wider]).filter((one) => one.startsWith("IST0145"))).toHaveLength(0);
  });
});

describe("a Sidecar", () => {
  const sidecar = (name: string, labels?: object) =>
    object("Sidecar", name, labels === undefined ? {} : { workloadSelector: { labels } });
  const workloads = [workload("w", { app: "web", tier: "1" })];

  it.each([
    ["that selects a workload alone", [sidecar("shop/a", { app: "web" }), sidecar("shop/b")], []],
    [
      "that selects none of its namespace",
      [sidecar("other/a", { app: "web" })],
      ["IST0101 Sidecar/other/a spec.workloadSelector.labels"],
    ],
    [
      "that selects what another selects",
      [sidecar("shop/a", { app: "web" }), sidecar("shop/b", { tier: "1" })],
      ["a", "b"].map((name) => `IST0110 Sidecar/shop/${name} spec.workloadSelector.labels`),
    ],
    [
      "that is for all beside another",
      [sidecar("shop/a"), sidecar("shop/b"), sidecar("other/c")],
      ["a", "b"].map((name) => `IST0111 Sidecar/shop/${name} metadata.name`),
    ],
  ])("%s", (_, objects, expected) => {
    expect(findings(objects, { workloads })).toEqual(expected);
  });
});

describe("an analysis", () => {
  const objects = [
    vs("shop/v", { ...http({ host: "none", subset: "x" }), gateways: ["gone", "mesh"] }),
    vs("shop/w", { hosts: ["web"], http: [to("web"), to("gone")] }),
    object("DestinationRule", "shop/d", { host: "missing" }),
    object("Gateway", "shop/g", { selector: { app: "none" }, servers: [] }),
    object("Sidecar", "shop/s", {}),
    object("Sidecar", "shop/t", {}),
    object("VirtualService", "shop/broken", { hosts: 3 }),
  ];

  it("says the same in whatever order objects come, with the level of each code", () => {
    const expected = analyze({ objects, services: [service(web)], workloads: [] });
    expect(expected.map(({ code }) => code).length).toBeGreaterThan(8);
    expect(expected.every(({ code, level }) => level === findingLevels[code])).toBe(true);
    fc.assert(
      fc.property(fc.shuffledSubarray(objects, { minLength: objects.length }), (shuffled) => {
        expect(analyze({ objects: shuffled, services: [service(web)], workloads: [] })).toEqual(expected);
      }),
    );
  });
});
