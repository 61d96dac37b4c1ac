import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { registryId, validateRecord } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { convertService, serviceOfHostname, type ClusterView } from "./convert.ts";
import { readPod, readService, readSlice, type KubePod, type KubeSlice } from "./convert/objects.ts";
import { formatManifestFault, readManifests } from "./index.ts";

const testdata = join(import.meta.dirname, "../testdata");
const context = {
  registry: registryId("kubernetes", "test"),
  cluster: "test",
  network: "net-1",
  domain: "cluster.local",
  trustDomain: "td",
};
const nothing: ClusterView = { pod: () => undefined, node: () => undefined, service: () => undefined };
const noReport = () => {
  throw new Error("nothing should be reported");
};

const web = readService(
  { metadata: { name: "web", namespace: "a" }, spec: { clusterIP: "10.96.0.1", ports: [{ name: "http", port: 80 }] } },
  noReport,
);

function slice(name: string, endpoints: readonly object[], change: object = {}): KubeSlice {
  const metadata = { name, namespace: "a", labels: { "kubernetes.io/service-name": "web" } };
  const ports = [{ name: "http", port: 8080 }];
  const read = readSlice({ metadata, addressType: "IPv4", ports, endpoints, ...change }, noReport);
  if (read === undefined) throw new Error("not a slice of a service");
  return read;
}

function pod(name: string, labels: object = {}): KubePod {
  return readPod({
    metadata: { name, namespace: "a", labels },
    spec: { nodeName: "n" },
    status: { podIP: "10.1.0.1" },
  });
}

const instancesOf = (slices: readonly KubeSlice[], view: Partial<ClusterView> = {}) =>
  convertService(web, slices, { ...nothing, ...view }, context).instances;

describe("the conversion", () => {
  const inputs = readdirSync(join(testdata, "in"));

  it.each(inputs)("converts %s as recorded", async (name) => {
    const texts = new Map([[name, readFileSync(join(testdata, "in", name), "utf8")]]);
    const { faults, records, workloads } = await readManifests({ texts }, { config: { cluster: "test" } });
    const readable = {
      records,
      workloads,
      faults: faults.map((fault) => `${fault.severity} ${formatManifestFault(fault)}`),
    };
    const text = `${JSON.stringify(readable, undefined, 2)}\n`;
    const recorded = join(testdata, "out", name.replace(/\.yaml$/, ".json"));
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(recorded, text);
    expect(text).toBe(existsSync(recorded) ? readFileSync(recorded, "utf8") : "");
    for (const record of records) expect(validateRecord(record)).toEqual([]);
  });

  it("has no recorded output without input", () => {
    const outputs = readdirSync(join(testdata, "out")).map((name) => name.replace(/\.json$/, ".yaml"));
    expect(outputs.sort()).toEqual([...inputs].sort());
  });

  it.each([
    { conditions: undefined, health: "HEALTHY" },
    { conditions: {}, health: "HEALTHY" },
    { conditions: { ready: null }, health: "HEALTHY" },
    { conditions: { ready: true, serving: true, terminating: false }, health: "HEALTHY" },
    { conditions: { ready: true, terminating: true }, health: "HEALTHY" },
    { conditions: { ready: false }, health: "UNHEALTHY" },
    { conditions: { ready: false, serving: true }, health: "UNHEALTHY" },
    { conditions: { ready: false, serving: true, terminating: true }, health: "TERMINATING" },
    { conditions: { ready: false, serving: false, terminating: true }, health: "UNHEALTHY" },
  ])("makes $health of $conditions", ({ conditions, health }) => {
    const [instance] = instancesOf([slice("one", [{ addresses: ["10.1.0.1"], conditions }])]);
    expect(instance?.healthStatus).toBe(health);
  });

  it("counts an endpoint once that two slices hold, as healthy as the healthier, whatever their order", () => {
    const ready = slice("a", [{ addresses: ["10.1.0.1"], conditions: { ready: true } }]);
    const notReady = slice("b", [{ addresses: ["10.1.0.1"], conditions: { ready: false } }]);
    for (const slices of [
      [ready, notReady],
      [notReady, ready],
    ]) {
      expect(instancesOf(slices)).toMatchObject([{ id: "http/10.1.0.1:8080", healthStatus: "HEALTHY" }]);
    }
  });

  it("keeps the target ports of slices that differ", () => {
    const other = { ports: [{ name: "http", port: 9090 }] };
    const slices = [slice("a", [{ addresses: ["10.1.0.1"] }]), slice("b", [{ addresses: ["10.1.0.2"] }], other)];
    expect(instancesOf(slices).map(({ id }) => id)).toEqual(["http/10.1.0.1:8080", "http/10.1.0.2:9090"]);
  });

  it("makes one instance of the two addresses of a pod, with those of the service's first family first", () => {
    const targetRef = { kind: "Pod", name: "web-0" };
    const slices = [
      slice("six", [{ addresses: ["2001:DB8::1"], targetRef }], { addressType: "IPv6" }),
      slice("four", [{ addresses: ["10.1.0.1"], targetRef }]),
    ];
    const addresses = (list: ReturnType<typeof instancesOf>) =>
      list.map((instance) => instance.addresses.map((address) => (address.type === "ip" ? address.ip : "")));
    expect(addresses(instancesOf(slices))).toEqual([["10.1.0.1", "2001:db8::1"]]);
    const sixFirst = { ...web, ipv6First: true };
    expect(addresses(convertService(sixFirst, slices, nothing, context).instances)).toEqual([
      ["2001:db8::1", "10.1.0.1"],
    ]);
  });

  it("does not join addresses of which it does not know that they are one pod", () => {
    const slices = [
      slice("six", [{ addresses: ["2001:db8::1"] }], { addressType: "IPv6" }),
      slice("four", [{ addresses: ["10.1.0.1"] }]),
    ];
    expect(instancesOf(slices)).toHaveLength(2);
  });

  it.each([
    { what: "the slice's zone", endpoint: { zone: "z9", nodeName: "n" }, labels: {}, locality: ["eu", "z9", "r1"] },
    { what: "the node's zone", endpoint: { nodeName: "n" }, labels: {}, locality: ["eu", "z1", "r1"] },
    { what: "the pod's node", endpoint: {}, labels: {}, locality: ["eu", "z1", "r1"] },
    {
      what: "the pod's label",
      endpoint: { zone: "z9" },
      labels: { "istio-locality": "a.b.c" },
      locality: ["a", "b", "c"],
    },
  ])("takes the locality from $what", ({ endpoint, labels, locality }) => {
    const node = { namespace: "", name: "n", version: "", locality: { region: "eu", zone: "z1", subzone: "r1" } };
    const view = {
      pod: () => pod("web-0", labels),
      node: (name: string) => (name === "n" ? node : undefined),
    };
    const targetRef = { kind: "Pod", name: "web-0" };
    const [instance] = instancesOf([slice("a", [{ addresses: ["10.1.0.1"], targetRef, ...endpoint }])], view);
    const { region, zone, subzone } = instance?.locality ?? {};
    expect([region, zone, subzone]).toEqual(locality);
  });

  it("leaves out slices that belong to no service, that hold host names, and ports without a number", () => {
    const read = (change: object) =>
      readSlice(
        { metadata: { name: "x", namespace: "a", labels: { "kubernetes.io/service-name": "web" } }, ...change },
        noReport,
      );
    expect(read({ metadata: { name: "x", namespace: "a" } })).toBeUndefined();
    expect(read({ addressType: "FQDN", endpoints: [{ addresses: ["example.com"] }] })).toBeUndefined();
    expect(read({ addressType: "IPv4", ports: [{ name: "all" }] })?.ports).toEqual([]);
  });

  it.each([
    { hostname: "web.shop.svc.cluster.local", found: { namespace: "shop", name: "web" } },
    { hostname: "web.shop.svc.other.local", found: undefined },
    { hostname: "a.web.shop.svc.cluster.local", found: undefined },
    { hostname: "shop.svc.cluster.local", found: undefined },
    { hostname: "example.com", found: undefined },
  ])("finds the service of the host name $hostname", ({ hostname, found }) => {
    expect(serviceOfHostname(hostname, "Cluster.Local")).toEqual(found);
  });
});
