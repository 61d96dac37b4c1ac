import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registryId, validateRecord, type ServiceRecord } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { parseAnswer, type EurekaInstance } from "./client/answer.ts";
import { parseEurekaConfig } from "./config.ts";
import { convertService, type Converted } from "./convert.ts";
import { servicesOf } from "./convert/names.ts";
import { instanceOf, type Registration } from "./testing/fake-eureka.ts";

const testdata = join(import.meta.dirname, "../testdata");
const registry = registryId("eureka", "test");

function instancesOf(registrations: readonly (Registration | Record<string, unknown>)[]): EurekaInstance[] {
  const instance = registrations.map((one) => ("instanceId" in one ? one : instanceOf(one as Registration)));
  const body = JSON.stringify({ applications: { application: [{ name: "WEB", instance }] } });
  return parseAnswer(body, "full").entries.map((entry) => entry.instance);
}

/** Every service of the instances, by name. */
function convertAll(instances: readonly EurekaInstance[], settings: object = {}): ReadonlyMap<string, Converted> {
  const config = parseEurekaConfig({ urls: "http://eureka:8761", ...settings });
  const names = new Set(instances.flatMap((instance) => [...servicesOf(instance, config).keys()]));
  const mine = (name: string) => instances.filter((instance) => servicesOf(instance, config).has(name));
  return new Map([...names].sort().map((name) => [name, convertService(name, mine(name), { config, registry })]));
}

const web = (change: Partial<Registration> = {}): Registration => ({ app: "web", id: "w1", ip: "10.0.0.1", ...change });

function one(registrations: readonly (Registration | Record<string, unknown>)[], settings: object = {}): ServiceRecord {
  const record = convertAll(instancesOf(registrations), settings).get("web")?.record;
  if (record === undefined) throw new Error("there is no record");
  expect(validateRecord(record)).toEqual([]);
  return record;
}

const faultsOf = (registrations: readonly Registration[], settings: object = {}) =>
  [...convertAll(instancesOf(registrations), settings).values()].flatMap(({ faults }) =>
    faults.map(({ instance, what }) => `${instance} ${what}`),
  );

const ports = ({ service }: ServiceRecord) => service.ports.map(({ name, protocol }) => `${name} ${protocol}`);
const endpoints = ({ instances }: ServiceRecord) =>
  instances.map(({ id, servicePort, addresses: [first], tls }) => {
    const host = first.type === "ip" ? first.ip : first.type === "hostname" ? first.hostname : first.path;
    return `${id} ${host}:${"port" in first ? first.port : 0} ${servicePort} ${tls}`;
  });

describe("recorded answers", () => {
  const full = readdirSync(join(testdata, "in")).filter((name) => !name.startsWith("delta-"));

  it.each(full)("converts %s as recorded", (name) => {
    const answer = parseAnswer(readFileSync(join(testdata, "in", name), "utf8"), "full");
    const converted = convertAll(answer.entries.map(({ instance }) => instance));
    const records = [...converted.values()].map(({ record }) => record);
    for (const record of records) expect(record && validateRecord(record)).toEqual([]);
    const faults = [...converted.values()].flatMap((service) => service.faults);
    const text = `${JSON.stringify({ records, faults }, undefined, 2)}\n`;
    const recorded = join(testdata, "out", name);
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(recorded, text);
    expect(text).toBe(existsSync(recorded) ? readFileSync(recorded, "utf8") : "");
  });

  it("has no recorded output without input", () => {
    expect(readdirSync(join(testdata, "out")).sort()).toEqual(full.sort());
  });
});

describe("ports", () => {
  it.each<[string, Partial<Registration>, readonly string[], readonly string[]]>([
    ["the plain port", { port: 8080 }, ["http-8080 HTTP"], ["w1/port 10.0.0.1:8080 http-8080 disabled"]],
    [
      "only the secure port",
      { securePort: 8443 },
      ["https-8443 HTTPS"],
      ["w1/securePort 10.0.0.1:8443 https-8443 simple"],
    ],
    [
      "both",
      { port: 8080, securePort: 8443 },
      ["http-8080 HTTP", "https-8443 HTTPS"],
      ["w1/port 10.0.0.1:8080 http-8080 disabled", "w1/securePort 10.0.0.1:8443 https-8443 simple"],
    ],
    [
      "the protocol that metadata names, of the plain port",
      { port: 8080, securePort: 8443, metadata: { protocol: "grpc" } },
      ["grpc-8080 GRPC", "https-8443 HTTPS"],
      ["w1/port 10.0.0.1:8080 grpc-8080 disabled", "w1/securePort 10.0.0.1:8443 https-8443 simple"],
    ],
    [
      "a gRPC port from metadata",
      { port: 8080, metadata: { gRPC_port: "9090" } },
      ["http-8080 HTTP", "grpc-9090 GRPC"],
      ["w1/gRPC_port 10.0.0.1:9090 grpc-9090 disabled", "w1/port 10.0.0.1:8080 http-8080 disabled"],
    ],
    [
      "a gRPC port from metadata that is the plain port",
      { port: 9090, metadata: { gRPC_port: "9090" } },
      ["grpc-9090 GRPC"],
      ["w1/gRPC_port 10.0.0.1:9090 grpc-9090 disabled"],
    ],
  ])("come from %s", (_, change, expectedPorts, expectedEndpoints) => {
    const record = one([web(change)]);
    expect(ports(record)).toEqual(expectedPorts);
    expect(endpoints(record)).toEqual(expectedEndpoints);
  });

  it("are the union of the instances' ports", () => {
    const record = one([web({ port: 31_000 }), web({ id: "w2", ip: "10.0.0.2", port: 31_001 })]);
    expect(ports(record)).toEqual(["http-31000 HTTP", "http-31001 HTTP"]);
  });

  it("collapse into one with servicePort", () => {
    const random = [web({ port: 31_000 }), web({ id: "w2", ip: "10.0.0.2", port: 31_001, securePort: 8443 })];
    const record = one([...random, web({ id: "w3", ip: "10.0.0.3", securePort: 8444 })], { servicePort: 80 });
    expect(ports(record)).toEqual(["http-80 HTTP"]);
    expect(endpoints(record)).toEqual([
      "w1/port 10.0.0.1:31000 http-80 disabled",
      "w2/port 10.0.0.2:31001 http-80 disabled",
    ]);
  });

  it("agree about TLS on one number: the smaller group is left out, and each of it is named", () => {
    const plain = (id: string) => web({ id, ip: `10.0.0.${id.slice(1)}`, port: 8443 });
    const secure = (id: string) => web({ id, ip: `10.0.0.${id.slice(1)}`, securePort: 8443 });
    const protocol = (id: string, name: string) => ({ ...plain(id), metadata: { protocol: name } });
    const told = (list: readonly Registration[], settings: object = {}) => {
      const record = one(list, settings);
      return [...ports(record), ...record.instances.map(({ id, tls }) => `${id} ${tls}`), ...faultsOf(list, settings)];
    };
    const noSecure = ["http-8443 HTTP", "w1/port disabled", "w2 port"];
    const noPlain = ["https-8443 HTTPS", "w1/securePort simple", "w2/securePort simple", "w3 port"];
    expect(told([plain("w1"), secure("w2")])).toEqual(noSecure);
    expect(told([secure("w2"), plain("w1")])).toEqual(noSecure);
    expect(told([secure("w1"), secure("w2"), plain("w3")])).toEqual(noPlain);
    expect(told([secure("w1"), secure("w2"), protocol("w3", "grpc")])).toEqual(noPlain);
    expect(told([secure("w1"), secure("w2"), protocol("w3", "auto")])).toEqual(noPlain);
    // Who names TLS speaks it, too.
    const all = ["https-8443 HTTPS", "w1/port disabled", "w2/securePort simple"];
    expect(told([protocol("w1", "https"), secure("w2")])).toEqual(all);
    expect(told([plain("w1"), secure("w2")], { protocol: "HTTPS" })).toEqual(all);
    expect(told([{ ...secure("w1"), port: 8080 }, secure("w2")], { servicePort: 80 })).toEqual([
      ...["http-80 HTTP", "w1/port disabled", "w2 port"],
    ]);
  });

  it("keep the protocol that one instance names against those that name none, in any order", () => {
    const named = web({ metadata: { "istio.protocol": "http2" } });
    const silent = web({ id: "w0", ip: "10.0.0.2" });
    expect(ports(one([named, silent]))).toEqual(["http2-8080 HTTP2"]);
    expect(one([silent, named])).toEqual(one([named, silent]));
  });

  it("believe neither of two protocols that instances name for one number", () => {
    const mixed = [web({ metadata: { protocol: "grpc" } }), web({ id: "w2", metadata: { protocol: "http" } })];
    expect(ports(one(mixed))).toEqual(["port-8080 UNSUPPORTED"]);
    expect(faultsOf(mixed)).toEqual([" protocol"]);
  });

  it.each([
    ["0", { port: 0 }],
    ["65536", { port: 65_536 }],
    ["no number", { port: "http" }],
  ])("that are %s cost that instance only", (_, change) => {
    const record = one([web({ id: "good" }), web(change)]);
    expect(record.instances.map(({ id }) => id)).toEqual(["good/port"]);
    expect(faultsOf([web(change)])).toEqual(["w1 port", "w1 port"]);
  });
});

describe("status", () => {
  it.each([
    ["UP", "UNKNOWN", "HEALTHY"],
    ["UP", "OUT_OF_SERVICE", "DRAINING"],
    ["UP", "DOWN", "UNHEALTHY"],
    ["DOWN", "UNKNOWN", "UNHEALTHY"],
    ["DOWN", "UP", "UNHEALTHY"],
    ["STARTING", "UP", "UNHEALTHY"],
    ["STARTING", "UNKNOWN", "UNHEALTHY"],
    ["OUT_OF_SERVICE", "UNKNOWN", "DRAINING"],
    ["OUT_OF_SERVICE", "UP", "HEALTHY"],
    ["UNKNOWN", "UNKNOWN", "UNHEALTHY"],
    ["UNKNOWN", "UP", "HEALTHY"],
    ["BOGUS", "UNKNOWN", "UNHEALTHY"],
    ["up", "", "HEALTHY"],
  ])("%s with the override %s is %s", (status, override, health) => {
    expect(one([web({ status, override })]).instances.map(({ healthStatus }) => healthStatus)).toEqual([health]);
  });

  it("that is omitted leaves the service and its ports", () => {
    const record = one([web({ status: "DOWN" })], { status: { DOWN: "omit" } });
    expect(record.instances).toEqual([]);
    expect(ports(record)).toEqual(["http-8080 HTTP"]);
  });

  it("reads the override in the spelling of XML as well", () => {
    const { overriddenStatus: _, ...instance } = instanceOf(web());
    const record = one([{ ...instance, overriddenstatus: "OUT_OF_SERVICE" }]);
    expect(record.instances[0]?.healthStatus).toBe("DRAINING");
  });
});

describe("addresses", () => {
  it("of one instance with nothing but a name leave the others as they are", () => {
    const others = [web(), web({ id: "w2", ip: "10.0.0.2" })];
    const named = web({ id: "w3", ip: "host-3.example.com", hostName: "host-3.example.com" });
    const record = one([...others, named]);
    expect(endpoints(record).slice(0, 2)).toEqual(endpoints(one(others)));
    expect(record.instances[2]?.addresses).toEqual([{ type: "hostname", hostname: "host-3.example.com", port: 8080 }]);
    expect(record.service.resolution).toBe("DNS");
    expect(one(others).service.resolution).toBe("STATIC");
  });

  it("that are names are left out where the configuration says so", () => {
    const mixed = [web(), web({ id: "w2", ip: "", hostName: "host-2.example.com" })];
    const record = one(mixed, { hostnames: "omit" });
    expect(record).toEqual(one([web()], { hostnames: "omit" }));
    expect(faultsOf(mixed, { hostnames: "omit" })).toEqual(["w2 hostname"]);
  });

  it.each([
    ["10.0.0.999", "also not"],
    ["0.0.0.0", "0.0.0.0"],
    ["", ""],
  ])("%j and %j are none", (ip, hostName) => {
    const record = one([web({ id: "good" }), web({ ip, hostName })]);
    expect(record.instances.map(({ id }) => id)).toEqual(["good/port"]);
    expect(faultsOf([web({ ip, hostName })])).toEqual(["w1 address"]);
  });

  it("are those of IPv6, too", () => {
    expect(endpoints(one([web({ ip: "2001:db8::1" })]))).toEqual(["w1/port 2001:db8::1:8080 http-8080 disabled"]);
  });
});

describe("metadata", () => {
  it.each([
    ["5", 5, []],
    ["0", 0, []],
    ["0.4", 1, []],
    ["", 1, []],
    ["-0.5", 1, ["w1 weight"]],
    ["-1", 1, ["w1 weight"]],
    ["NaN", 1, ["w1 weight"]],
    ["4294967296", 1, ["w1 weight"]],
  ])("gives weight %j as %d", (weight, expected, faults) => {
    expect(one([web({ metadata: { weight } })]).instances[0]?.weight).toBe(expected);
    expect(faultsOf([web({ metadata: { weight } })])).toEqual(faults);
  });

  it("becomes labels, as texts, whatever the keys are called, without Java's class", () => {
    const metadata = JSON.parse(
      '{"@class":"java.util.Collections$EmptyMap","__proto__":"a","n":7,"no":{"x":1}}',
    ) as object;
    const labels = one([web({ metadata: { ...metadata, ["__proto__"]: "a" } })]).instances[0]?.labels ?? {};
    expect(Object.entries(labels).sort()).toEqual([
      ["__proto__", "a"],
      ["n", "7"],
    ]);
  });

  it("gives the version under the name that subsets use", () => {
    const metadata = { "app-version": "v2" };
    expect(one([web({ metadata })], { versionKeys: ["app-version"] }).instances[0]?.labels).toEqual({
      "app-version": "v2",
      version: "v2",
    });
  });

  it("gives the locality by the keys of the configuration", () => {
    const settings = { localityKeys: { region: "r", zone: ["availability", "zone"], subzone: "rack" } };
    const metadata = { r: "eu", zone: "eu-1", rack: "7" };
    expect(one([web({ metadata })], settings).instances[0]?.locality).toEqual({
      region: "eu",
      zone: "eu-1",
      subzone: "7",
    });
  });

  it("of an Amazon data centre gives zone, region and, in old registrations, the id", () => {
    const { instanceId: _, ...instance } = instanceOf(web({ hostName: "h" }));
    const metadata = { "instance-id": "i-1", "availability-zone": "us-east-1c" };
    const record = one([{ ...instance, instanceId: "", dataCenterInfo: { name: "Amazon", metadata } }]);
    expect(record.instances[0]).toMatchObject({
      id: "i-1/port",
      locality: { region: "us-east-1", zone: "us-east-1c", subzone: "" },
    });
  });
});

describe("names", () => {
  const hostOf = (app: string) => {
    const instances = instancesOf([{ app, id: "x", ip: "10.0.0.1" }]);
    const [record] = [...convertAll(instances).values()].map((converted) => converted.record);
    expect(record && validateRecord(record)).toEqual([]);
    return record?.service.hostname;
  };

  it.each([
    ["ORDERS", "orders.eureka"],
    ["ORDER_SERVICE", "order_service.eureka"],
    ["SHOP.ORDERS", "shop.orders.eureka"],
  ])("%s is %s", (app, hostname) => {
    expect(hostOf(app)).toBe(hostname);
  });

  it("that DNS does not allow are made to fit and never become one", () => {
    const names = ["A:B", "A/B", "A B", ":", `${"X".repeat(80)}1`, `${"X".repeat(80)}2`].map(hostOf);
    expect(new Set(names).size).toBe(names.length);
    expect(names[0]).toMatch(/^a-b-[0-9a-f]{8}\.eureka$/);
  });

  it("are chosen by include and exclude, without regard to case", () => {
    const instances = instancesOf(["shop-a", "shop-b", "other"].map((app) => ({ app, id: "x", ip: "10.0.0.1" })));
    const apps = { include: "Shop-*", exclude: ["SHOP-B"] };
    expect([...convertAll(instances, { apps }).keys()]).toEqual(["shop-a"]);
  });

  it("are those of VIPs where the configuration says so: each serves the ports that it stands for", () => {
    const both = web({ port: 80, securePort: 443, vip: "web, WEB-alt", secureVip: "web,web-s" });
    const converted = convertAll(
      instancesOf([both, web({ app: "web2", id: "w2", ip: "10.0.0.2", vip: "web", port: 80 })]),
      {
        serviceBy: "vip",
      },
    );
    const told = [...converted].map(([name, { record }]) => [name, record && endpoints(record).length]);
    expect(told).toEqual([
      ["web", 3],
      ["web-alt", 1],
      ["web-s", 1],
    ]);
  });
});
