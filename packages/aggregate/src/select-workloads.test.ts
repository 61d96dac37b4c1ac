import { registryId, workloadKey } from "@signalbox/model";
import type { Labels, Resolution, Service, Workload } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { selectWorkloads } from "./select-workloads.ts";
import { instance, service, workload } from "./testing/world.ts";

const one = registryId("fake", "one");
const two = registryId("fake", "two");

function selecting(more: Partial<Service> = {}) {
  return { service: service(one, "a", { workloadSelector: { app: "a" }, ...more }), instances: [] };
}

function selected(more: Partial<Workload>, by: Partial<Service> = {}) {
  return selectWorkloads(selecting(by), [workload(two, "w", { app: "a", version: "v1" }, more)]).instances;
}

describe("selecting workloads", () => {
  it("makes an instance of each port of a workload with the selector's labels", () => {
    const ports = [
      { name: "http", number: 80, protocol: "HTTP" },
      { name: "grpc", number: 90, protocol: "GRPC" },
    ] as const;
    expect(selected({ startedAt: 5, serviceAccount: "sa", network: "n" }, { ports })).toEqual([
      {
        id: "cluster/test/w:http",
        servicePort: "http",
        addresses: [{ type: "ip", ip: "192.0.2.9", port: 80 }],
        labels: { app: "a", version: "v1" },
        locality: { region: "", zone: "", subzone: "" },
        network: "n",
        serviceAccount: "sa",
        tls: "disabled",
        healthStatus: "HEALTHY",
        weight: 1,
        registeredAt: 5,
        provenance: { registry: two, object: "w" },
      },
      expect.objectContaining({ id: "cluster/test/w:grpc", addresses: [{ type: "ip", ip: "192.0.2.9", port: 90 }] }),
    ]);
  });

  it.each([
    { name: "the service number", workload: {}, targetPort: undefined, port: 80 },
    { name: "the target port", workload: {}, targetPort: 8080, port: 8080 },
    { name: "the workload's own port", workload: { namedPorts: { http: 9000 } }, targetPort: 8080, port: 9000 },
    {
      name: "not another port of the workload",
      workload: { namedPorts: { grpc: 9000 } },
      targetPort: 8080,
      port: 8080,
    },
  ])("takes for the port: $name", ({ workload: more, targetPort, port }) => {
    const ports = [{ name: "http", number: 80, protocol: "HTTP", ...(targetPort && { targetPort }) }] as const;
    expect(selected(more, { ports })).toMatchObject([{ addresses: [{ port }] }]);
  });

  it("writes an IPv6 address in its one spelling", () => {
    expect(selected({ addresses: ["2001:DB8:0::1"] })).toMatchObject([{ addresses: [{ ip: "2001:db8::1" }] }]);
  });

  it("does not take a port from the prototype", () => {
    const ports = [{ name: "constructor", number: 80, protocol: "HTTP" }] as const;
    expect(selected({ namedPorts: {} }, { ports })).toMatchObject([{ addresses: [{ port: 80 }] }]);
  });

  it("takes weight and TLS from the workload", () => {
    expect(selected({ weight: 7, tls: "istio" })).toMatchObject([{ weight: 7, tls: "istio" }]);
  });

  it.each([
    { phase: "READY", health: ["HEALTHY"] },
    { phase: "NOT_READY", health: ["UNHEALTHY"] },
    { phase: "PENDING", health: [] },
    { phase: "FAILED", health: [] },
    { phase: "TERMINATING", health: [] },
  ] as const)("makes of the phase $phase: $health", ({ phase, health }) => {
    expect(selected({ phase }).map(({ healthStatus }) => healthStatus)).toEqual(health);
  });

  it.each<{ name: string; addresses: string[]; resolution: Resolution; made: unknown[] }>([
    {
      name: "all addresses of a dual stack",
      addresses: ["192.0.2.1", "2001:db8::1"],
      resolution: "STATIC",
      made: [
        { type: "ip", ip: "192.0.2.1", port: 80 },
        { type: "ip", ip: "2001:db8::1", port: 80 },
      ],
    },
    { name: "a socket", addresses: ["unix:///run/a"], resolution: "STATIC", made: [{ type: "unix", path: "/run/a" }] },
    {
      name: "a hostname for DNS",
      addresses: ["vm.test"],
      resolution: "DNS",
      made: [{ type: "hostname", hostname: "vm.test", port: 80 }],
    },
    { name: "no hostname for STATIC", addresses: ["vm.test"], resolution: "STATIC", made: [] },
    { name: "nothing of nothing", addresses: [], resolution: "STATIC", made: [] },
  ])("takes $name", ({ addresses, resolution, made }) => {
    expect(selected({ addresses }, { resolution }).flatMap((each) => each.addresses)).toEqual(made);
  });

  it.each<{ name: string; more: Partial<Workload>; selector: Labels }>([
    { name: "another namespace", more: { key: workloadKey("cluster", "other", "w") }, selector: { app: "a" } },
    { name: "a label that differs", more: { labels: { app: "b" } }, selector: { app: "a" } },
    { name: "a label that is missing", more: {}, selector: { app: "a", tier: "x" } },
    { name: "a label that only the prototype has", more: {}, selector: { constructor: "x" } },
    { name: "an empty selector", more: {}, selector: {} },
  ])("picks nothing for $name", ({ more, selector }) => {
    expect(selected(more, { workloadSelector: selector })).toEqual([]);
  });

  it("finds the namespace behind a cluster with slashes", () => {
    expect(selected({ key: workloadKey("fake/one", "test", "w") })).toHaveLength(1);
  });

  it("gives the record back as it is where there is no selector, and keeps its own instances", () => {
    const plain = { service: service(one, "a"), instances: [instance(one, "192.0.2.1")] };
    expect(selectWorkloads(plain, [workload(two, "w", { app: "a" })])).toBe(plain);
    const both = selectWorkloads({ ...selecting(), instances: plain.instances }, [workload(two, "w", { app: "a" })]);
    expect(both.instances.map(({ id }) => id)).toEqual(["at 192.0.2.1", "cluster/test/w:http"]);
  });
});
