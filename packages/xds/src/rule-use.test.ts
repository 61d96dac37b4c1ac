import { registryId, type ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseNode } from "./node.ts";
import { catalogOf, entryOf } from "./testing/catalog.ts";
import { createTranslator } from "./translator.ts";

function object(kind: string, name: string, spec: object): ConfigObject {
  const [namespace = "", short = ""] = name.split("/");
  const provenance = { registry: registryId("static", "test"), object: name };
  return { kind, namespace, name: short, labels: {}, annotations: {}, spec, provenance };
}

const service = (hostname: string, namespace: string, exportTo: readonly string[] = []) =>
  entryOf({ hostname, namespace, exportTo, ports: [{ number: 80, protocol: "HTTP" }], instances: [] });
const sidecar = (namespace: string, labels: object = {}, type = "sidecar") =>
  parseNode({ id: `${type}~10.0.0.1~a.${namespace}~${namespace}.svc.cluster.local`, metadata: { LABELS: labels } });

function translatorOf(objects: readonly ConfigObject[]) {
  const translator = createTranslator();
  const services = [service("web.test", "shop"), service("own.test", "shop", ["."])];
  translator.apply({
    v: 1,
    type: "snapshot",
    catalog: {
      ...catalogOf(services),
      objects: new Map(objects.map((one) => [`${one.kind}/${one.namespace}/${one.name}` as never, one])),
    },
  });
  return translator;
}

const route = (host: string, to = host) => ({ hosts: [host], http: [{ route: [{ destination: { host: to } }] }] });
const filter = {
  configPatches: [{ applyTo: "CLUSTER", patch: { operation: "MERGE", value: { connect_timeout: "1s" } } }],
};
const gateway = {
  selector: { app: "gw" },
  servers: [{ port: { number: 80, name: "http", protocol: "HTTP" }, hosts: ["*"] }],
};

describe("who uses a rule", () => {
  const translator = translatorOf([
    object("VirtualService", "shop/web", route("web.test")),
    object("VirtualService", "shop/edge", { ...route("web.test"), gateways: ["edge"] }),
    object("DestinationRule", "shop/web", { host: "web.test" }),
    object("DestinationRule", "shop/own", { host: "own.test" }),
    object("DestinationRule", "shop/none", { host: "none.test" }),
    object("Sidecar", "shop/default", { egress: [{ hosts: ["./own.test"] }] }),
    object("EnvoyFilter", "shop/all", filter),
    object("Gateway", "shop/edge", gateway),
    object("PeerAuthentication", "shop/strict", { mtls: { mode: "STRICT" } }),
  ]);
  const keys = translator.rules().map(({ key }) => key);

  it.each([
    ["a sidecar of another namespace", sidecar("far"), ["DestinationRule/shop/web", "VirtualService/shop/web"]],
    [
      "a sidecar behind a Sidecar",
      sidecar("shop"),
      ["DestinationRule/shop/own", "EnvoyFilter/shop/all", "Sidecar/shop/default"],
    ],
    [
      "a router that the Gateway selects",
      sidecar("shop", { app: "gw" }, "router"),
      [
        "DestinationRule/shop/own",
        "DestinationRule/shop/web",
        "EnvoyFilter/shop/all",
        "Gateway/shop/edge",
        "VirtualService/shop/edge",
      ],
    ],
    [
      "a gRPC client, which nothing patches",
      parseNode({ id: "g", metadata: { GENERATOR: "grpc", NAMESPACE: "shop" } }),
      ["DestinationRule/shop/own", "DestinationRule/shop/web", "VirtualService/shop/web"],
    ],
  ])("says it of %s", (_, node, expected) => {
    const users = translator.ruleUsers(keys, [node]);
    expect([...users].flatMap(([key, nodes]) => (nodes.length > 0 ? [key] : []))).toEqual(expected);
  });

  it("names the nodes in their order, and none of rules that were not asked for", () => {
    const nodes = [sidecar("far"), sidecar("shop"), sidecar("other")];
    const users = translator.ruleUsers(["VirtualService/shop/web"], nodes);
    expect([...users]).toEqual([["VirtualService/shop/web", [nodes[0], nodes[2]]]]);
  });
});

describe("the services behind a Sidecar", () => {
  it("are also those to which the routes lead that it imports", () => {
    const translator = translatorOf([
      object("VirtualService", "shop/v", route("virtual.test", "web.test")),
      object("DestinationRule", "shop/web", { host: "*.test" }),
      object("Sidecar", "far/default", { egress: [{ hosts: ["shop/virtual.test"] }] }),
    ]);
    const users = translator.ruleUsers(["DestinationRule/shop/web"], [sidecar("far")]);
    expect(users.get("DestinationRule/shop/web")).toHaveLength(1);
  });
});

describe("the report of a rule", () => {
  it("has what a Gateway lost to another one, once somebody serves it", () => {
    const server = (protocol: string) => ({ port: { number: 80, name: "p", protocol }, hosts: ["*"] });
    const translator = translatorOf([
      object("Gateway", "shop/a", { selector: { app: "edge" }, servers: [server("HTTP")] }),
      object("Gateway", "shop/b", { selector: { app: "edge" }, servers: [server("TCP")] }),
    ]);
    translator.view(parseNode({ id: "router~10.9.0.1~r.shop~shop.svc", metadata: { LABELS: { app: "edge" } } }));
    expect(translator.rules().map(({ faults, key }) => [key, faults])).toEqual([
      ["Gateway/shop/a", []],
      ["Gateway/shop/b", ["servers[0] is left out: an earlier server speaks another protocol at this port"]],
    ]);
  });

  it("has what of an EnvoyFilter cannot be used, once somebody gets it", () => {
    const broken = {
      configPatches: [{ applyTo: "CLUSTER", patch: { operation: "MERGE", value: { connect_timeout: "soon" } } }],
    };
    const translator = translatorOf([
      object("EnvoyFilter", "shop/broken", broken),
      object("VirtualService", "shop/bad", { hosts: ["a.test"] }),
    ]);
    translator.view(sidecar("shop"));
    expect(translator.rules()).toMatchObject([
      {
        key: "EnvoyFilter/shop/broken",
        accepted: true,
        faults: [expect.stringContaining("configPatches[0]") as string],
      },
      { key: "VirtualService/shop/bad", accepted: false, inForce: false, faults: [] },
    ]);
  });

  it("has what of a Gateway has no room, once a router gets it", () => {
    const port = (protocol: string) => ({ port: { number: 80, name: "a", protocol }, hosts: ["*"] });
    const gatewayOf = (name: string, protocol: string) => ({
      ...object("Gateway", name, { selector: {}, servers: [port(protocol)] }),
      createdAt: name === "shop/first" ? 1 : 2,
    });
    const translator = translatorOf([gatewayOf("shop/first", "HTTP"), gatewayOf("shop/second", "TCP")]);
    translator.view(sidecar("shop", {}, "router"));
    expect(translator.rules().map(({ faults, key }) => [key, faults])).toEqual([
      ["Gateway/shop/first", []],
      ["Gateway/shop/second", [expect.stringContaining("servers[0] is left out")]],
    ]);
  });
});
