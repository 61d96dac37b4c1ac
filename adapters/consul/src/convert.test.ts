import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registryId, validateRecord, type Labels, type Locality } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseConsulConfig } from "./config.ts";
import { Alike, assembleRecord, conflictingPorts, convertEntries, hostPart, HostParts } from "./convert.ts";
import { consulEntry, type EntryOptions } from "./testing/entries.ts";

const registry = registryId("consul", "test");

function configOf(change: object = {}) {
  return parseConsulConfig({ url: "http://127.0.0.1:8500", ...change });
}

/** The one service that these instances are, and what was left out. */
function convert(entries: readonly unknown[], change: object = {}) {
  const config = configOf(change);
  const { endpoints, rejected } = convertEntries(entries, { config, registry });
  const parts = { name: "web", hostPart: "web", scope: {}, endpoints };
  const record = assembleRecord(parts, { config, registry });
  return { record, rejected: rejected.map(({ fault }) => fault), conflicts: conflictingPorts(endpoints, config) };
}

function one(options: EntryOptions, change: object = {}) {
  return convert([consulEntry("web", options)], change);
}

function endpoint(options: EntryOptions, change: object = {}) {
  const { record } = one(options, change);
  const [instance] = record?.instances ?? [];
  if (instance === undefined) throw new Error("there is no endpoint");
  return instance;
}

describe("what instances have in common", () => {
  it("is one object, and what differs is not", () => {
    const alike = { labels: new Alike<Labels>(), localities: new Alike<Locality>() };
    const entries = ["1.0", "1.0", "2.0"].map((version, index) =>
      consulEntry("web", { id: `web-${index}`, meta: { version } }),
    );
    const { endpoints } = convertEntries(entries, { config: configOf(), registry, alike });
    const [first, second, third] = endpoints;
    expect(endpoints.map(({ labels }) => labels)).toEqual([{ version: "1.0" }, { version: "1.0" }, { version: "2.0" }]);
    expect(second?.labels).toBe(first?.labels);
    expect(third?.labels).not.toBe(first?.labels);
    expect(third?.locality).toBe(first?.locality);
  });
});

describe("answers of a real agent", () => {
  const folder = join(import.meta.dirname, "../testdata");

  it.each(readdirSync(join(folder, "in")))("%s", (file) => {
    const name = file.replace(".jsonc", "");
    const text = readFileSync(join(folder, "in", file), "utf8").replace(/^\/\/.*\n/, "");
    const config = configOf();
    const { endpoints, rejected } = convertEntries(JSON.parse(text) as unknown[], { config, registry });
    const record = assembleRecord({ name, hostPart: name, scope: {}, endpoints }, { config, registry });
    if (record !== undefined) expect(validateRecord(record)).toEqual([]);
    const out = join(folder, "out", `${name}.json`);
    const told = `${JSON.stringify({ record, rejected }, undefined, 2)}\n`;
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(out, told);
    expect(told).toBe(readFileSync(out, "utf8"));
  });
});

describe("health", () => {
  const check = (Status: string, CheckID = "c", ServiceID = "web") => ({ CheckID, Status, ServiceID });

  it.each([
    { checks: [], health: "HEALTHY" },
    { checks: [check("passing")], health: "HEALTHY" },
    { checks: [check("passing"), check("warning")], health: "HEALTHY" },
    { checks: [check("warning"), check("critical"), check("passing")], health: "UNHEALTHY" },
    { checks: [check("critical", "node", "")], health: "UNHEALTHY" },
    { checks: [check("what is this")], health: "UNHEALTHY" },
    { checks: [check("critical"), check("critical", "_node_maintenance", "")], health: "DRAINING" },
    { checks: [check("critical", "_service_maintenance:web")], health: "DRAINING" },
  ])("is the worst of the checks of node and service: $health", ({ checks, health }) => {
    expect(endpoint({ checks }).healthStatus).toBe(health);
  });

  it.each([
    { policy: "healthy", health: "HEALTHY" },
    { policy: "degraded", health: "DEGRADED" },
    { policy: "unhealthy", health: "UNHEALTHY" },
  ])("of an instance that warns is what the policy says: $policy", ({ policy, health }) => {
    expect(endpoint({ checks: [check("warning")] }, { health: { warning: policy } }).healthStatus).toBe(health);
  });

  it.each(["warning", "critical"])("may leave out an instance that is %s", (status) => {
    const { record, rejected } = one({ checks: [check(status)] }, { health: { [status]: "omit" } });
    expect(record).toBeUndefined();
    expect(rejected).toEqual(["excluded"]);
  });

  it("of all instances may be bad, and they are told all the same", () => {
    const entries = ["a", "b"].map((id) => consulEntry("web", { id, checks: [check("critical")] }));
    expect(convert(entries).record?.instances.map(({ healthStatus }) => healthStatus)).toEqual([
      "UNHEALTHY",
      "UNHEALTHY",
    ]);
  });
});

describe("addresses", () => {
  it.each([
    { what: "the service's", options: { ip: "10.0.0.1" }, address: { type: "ip", ip: "10.0.0.1", port: 8080 } },
    { what: "the node's without one", options: { ip: "" }, address: { type: "ip", ip: "10.9.9.9", port: 8080 } },
    {
      what: "one spelling of IPv6",
      options: { ip: "2001:DB8:0::1" },
      address: { type: "ip", ip: "2001:db8::1", port: 8080 },
    },
    {
      what: "a hostname",
      options: { ip: "Web.Example.com" },
      address: { type: "hostname", hostname: "web.example.com", port: 8080 },
    },
  ])("are $what", ({ options, address }) => {
    expect(endpoint(options).addresses).toEqual([address]);
  });

  it("have the other family second", () => {
    const Service = {
      TaggedAddresses: { lan_ipv6: { Address: "2001:db8::1", Port: 8080 }, wan: { Address: "1.2.3.4" } },
    };
    expect(endpoint({ Service }).addresses.map((address) => (address.type === "ip" ? address.ip : ""))).toEqual([
      "10.0.0.1",
      "2001:db8::1",
    ]);
    const Node = { TaggedAddresses: { lan_ipv6: "2001:db8::2", lan: "10.9.9.9" } };
    expect(endpoint({ ip: "", Node }).addresses).toHaveLength(2);
  });

  it("with a hostname among them make the service DNS and leave the others as they are", () => {
    const { record } = convert([consulEntry("web", { id: "a" }), consulEntry("web", { id: "b", ip: "b.example.com" })]);
    expect(record?.service.resolution).toBe("DNS");
    expect(record?.instances.map(({ addresses: [first] }) => first.type)).toEqual(["ip", "hostname"]);
  });
});

describe("ports and protocols", () => {
  it("are the union of the instances' ports", () => {
    const { record } = convert([
      consulEntry("web", { id: "a", port: 8080, meta: { protocol: "http" } }),
      consulEntry("web", { id: "b", port: 8081, tags: ["protocol=grpc"] }),
      consulEntry("web", { id: "c", port: 8080 }),
    ]);
    expect(record?.service.ports).toEqual([
      { name: "http-8080", number: 8080, protocol: "HTTP" },
      { name: "grpc-8081", number: 8081, protocol: "GRPC" },
    ]);
    expect(record?.instances.map(({ servicePort }) => servicePort)).toEqual(["http-8080", "grpc-8081", "http-8080"]);
  });

  it("collapse to servicePort, and endpoints keep where they listen", () => {
    const entries = [30_001, 30_002].map((port) => consulEntry("web", { id: `web-${port}`, port }));
    const { record } = convert(entries, { servicePort: 80, defaultProtocol: "http" });
    expect(record?.service.ports).toEqual([{ name: "http-80", number: 80, protocol: "HTTP" }]);
    expect(record?.instances.map(({ addresses: [first] }) => first)).toMatchObject([
      { port: 30_001 },
      { port: 30_002 },
    ]);
  });

  it.each([
    { what: "declared by a meta key", options: { meta: { protocol: "HTTP2" } }, protocol: "HTTP2" },
    { what: "declared by a tag as old Pilot wrote it", options: { tags: ["protocol|tcp"] }, protocol: "TCP" },
    {
      what: "found under other keys",
      options: { meta: { proto: "grpc" } },
      config: { protocolKeys: ["proto"] },
      protocol: "GRPC",
    },
    { what: "left to the traffic", options: {}, protocol: "UNSUPPORTED" },
    { what: "the default", options: {}, config: { defaultProtocol: "http" }, protocol: "HTTP" },
    { what: "TCP where the server speaks first", options: { port: 3306 }, protocol: "TCP" },
    { what: "not what nobody knows", options: { meta: { protocol: "gopher" } }, protocol: "UNSUPPORTED" },
  ])("are $what", ({ options, config = {}, protocol }) => {
    expect(one(options, config).record?.service.ports[0]?.protocol).toBe(protocol);
  });

  it("of instances that contradict each other are left to the traffic, in any order", () => {
    const entries = ["http", "grpc"].map((protocol) => consulEntry("web", { id: protocol, meta: { protocol } }));
    const { record, conflicts } = convert(entries);
    expect(conflicts).toEqual([8080]);
    expect(record?.service.ports).toEqual([{ name: "port-8080", number: 8080, protocol: "UNSUPPORTED" }]);
    expect(convert([...entries].reverse()).record).toEqual(record);
  });

  it("have one more for a port key", () => {
    const { record } = one({ meta: { gRPC_port: "9090", protocol: "http" } });
    expect(record?.service.ports.map(({ name }) => name)).toEqual(["http-8080", "grpc-9090"]);
    expect(record?.instances.map(({ id }) => id)).toEqual(["dc1/node-1/web", "dc1/node-1/web:gRPC_port"]);
    const same = one({ meta: { gRPC_port: "8080" } }).record;
    expect(same?.service.ports.map(({ name }) => name)).toEqual(["grpc-8080"]);
    expect(same?.instances.map(({ id }) => id)).toEqual(["dc1/node-1/web"]);
  });
});

describe("labels, locality and weight", () => {
  it("takes labels from tags with a separator and from meta, which wins", () => {
    const tags = ["version=v1", "track|stable", "plain", "a=b=c", "x|y=z", "team=tag", "=empty"];
    expect(endpoint({ tags, meta: { team: "meta" } }).labels).toEqual({
      version: "v1",
      track: "stable",
      a: "b=c",
      x: "y=z",
      team: "meta",
    });
    expect(endpoint({ tags: ["a:b"] }, { tagSeparators: [":"] }).labels).toEqual({ a: "b" });
  });

  it.each([
    { what: "the datacenter", options: {}, locality: { region: "dc1", zone: "", subzone: "" } },
    {
      what: "meta of the node",
      options: { Node: { Meta: { zone: "b", rack: "r7", region: "eu" } } },
      locality: { region: "eu", zone: "b", subzone: "r7" },
    },
    {
      what: "meta of the service before the node's",
      options: { meta: { zone: "a" }, Node: { Meta: { zone: "b" } } },
      locality: { region: "dc1", zone: "a", subzone: "" },
    },
    {
      what: "Consul's own locality before all",
      options: { meta: { zone: "a" }, Service: { Locality: { Region: "us", Zone: "us-1" } } },
      locality: { region: "us", zone: "us-1", subzone: "" },
    },
  ])("takes the locality from $what", ({ options, locality }) => {
    expect(endpoint(options).locality).toEqual(locality);
  });

  it("takes the weight of the state that the instance is in", () => {
    const Service = { Weights: { Passing: 10, Warning: 0 } };
    expect(endpoint({ Service }).weight).toBe(10);
    expect(endpoint({ Service, checks: [{ CheckID: "c", Status: "warning" }] }).weight).toBe(0);
    expect(endpoint({ Service: { Weights: null } }).weight).toBe(1);
  });
});

describe("what is left out", () => {
  it.each([
    { what: "no map", entry: 7, fault: "shape" },
    { what: "no service", entry: { Node: { Node: "n" } }, fault: "shape" },
    { what: "a port too large", entry: consulEntry("web", { port: 65_536 }), fault: "port" },
    { what: "a negative port", entry: consulEntry("web", { port: -1 }), fault: "port" },
    {
      what: "a fractional weight",
      entry: consulEntry("web", { Service: { Weights: { Passing: 0.4 } } }),
      fault: "weight",
    },
    { what: "no address", entry: consulEntry("web", { ip: "no address" }), fault: "address" },
    { what: "meta that is no text", entry: consulEntry("web", { Service: { Meta: { a: 1 } } }), fault: "shape" },
    { what: "no port", entry: consulEntry("web", { port: 0 }), fault: "no-port" },
    { what: "a proxy", entry: consulEntry("web", { Service: { Kind: "connect-proxy" } }), fault: "excluded" },
    { what: "a second of the same id", entry: consulEntry("web", { id: "good", node: "node-1" }), fault: "duplicate" },
  ])("is an instance with $what, and nothing beside it", ({ entry, fault }) => {
    const { record, rejected } = convert([consulEntry("web", { id: "good", node: "node-1" }), entry]);
    expect(rejected).toEqual([fault]);
    expect(record?.instances.map(({ id }) => id)).toEqual(["dc1/node-1/good"]);
  });

  it("follows the tags", () => {
    const entries = [["a"], ["a", "b"], []].map((tags, at) => consulEntry("web", { id: `web-${at}`, tags }));
    const ids = (change: object) => convert(entries, change).record?.instances.map(({ id }) => id.at(-1));
    expect(ids({ include: { tags: ["a"] } })).toEqual(["0", "1"]);
    expect(ids({ exclude: { tags: ["b"] } })).toEqual(["0", "2"]);
    expect(ids({ include: { tags: ["a"] }, exclude: { tags: ["b"] } })).toEqual(["0"]);
  });

  it("keeps proxies where they are wanted", () => {
    const entries = [consulEntry("web", { Service: { Kind: "connect-proxy" } })];
    expect(convert(entries, { kinds: ["connect-proxy"] }).record?.instances).toHaveLength(1);
  });
});

describe("names", () => {
  it.each([
    { scope: {}, hostname: "web.service.consul", namespace: "default" },
    { scope: { namespace: "shop" }, hostname: "web.service.shop.ns.consul", namespace: "shop" },
    { scope: { namespace: "default", partition: "default" }, hostname: "web.service.consul", namespace: "default" },
    {
      scope: { namespace: "shop", partition: "eu" },
      hostname: "web.service.shop.ns.eu.ap.consul",
      namespace: "shop",
    },
    { scope: { partition: "eu" }, hostname: "web.service.default.ns.eu.ap.consul", namespace: "default" },
  ])("are those of Consul's DNS: $hostname", ({ scope, hostname, namespace }) => {
    const config = configOf();
    const { endpoints } = convertEntries([consulEntry("web")], { config, registry });
    const record = assembleRecord({ name: "web", hostPart: "web", scope, endpoints }, { config, registry });
    expect(record?.service).toMatchObject({ hostname, namespace });
  });

  it.each([
    ["web", "web"],
    ["Web_Shop", "web_shop"],
    ["a/b:c d", "a-b-c-d"],
    ["a.b", "a.b"],
    ["-a-", "a"],
  ])("that DNS cannot hold are changed: %s", (name, part) => {
    expect(hostPart(name)).toBe(part);
  });

  it("that are too long or empty end in a hash", () => {
    expect(hostPart("x".repeat(80))).toMatch(/^x{54}-[0-9a-f]{8}$/);
    expect(hostPart(":::")).toMatch(/^service-[0-9a-f]{8}$/);
    expect(hostPart(":::")).not.toBe(hostPart("::"));
  });

  it("that collide are told apart, in any order", () => {
    for (const names of [
      ["a:b", "a-b", "a/b"],
      ["a/b", "a:b", "a-b"],
    ]) {
      const hosts = new HostParts();
      for (const name of names) hosts.add(name);
      expect(hosts.of("a-b")).toBe("a-b");
      expect(hosts.of("a:b")).toMatch(/^a-b-[0-9a-f]{8}$/);
      expect(hosts.of("a:b")).not.toBe(hosts.of("a/b"));
      expect([...hosts.remove("a-b")].sort()).toEqual(["a/b", "a:b"]);
      expect(hosts.of("a/b")).toBe("a-b");
    }
  });
});
