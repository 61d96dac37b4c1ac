import { describe, expect, it } from "vitest";
import { checkServiceEntry } from "./service-entry.ts";

const http = { number: 80, name: "http", protocol: "HTTP" };
const good = { hosts: ["web.example.com"], ports: [http], resolution: "DNS" };

function faults(spec: unknown, labels: Record<string, string> = {}): string[] {
  const checked = checkServiceEntry({ spec, labels, namespace: "default" });
  return checked.faults.map(({ path, severity, message }) => `${severity} ${path.join(".")}: ${message}`);
}

describe("checkServiceEntry", () => {
  it("gives every field its default", () => {
    expect(checkServiceEntry({ spec: { hosts: ["a.example"] }, labels: {}, namespace: "default" })).toEqual({
      value: {
        hosts: ["a.example"],
        addresses: [],
        ports: [],
        location: "MESH_EXTERNAL",
        resolution: "NONE",
        endpoints: undefined,
        workloadSelector: undefined,
        exportTo: [],
        subjectAltNames: [],
      },
      faults: [],
    });
  });

  it("reads the forms that protobuf's JSON allows", () => {
    const spec = {
      hosts: ["a.example"],
      ports: [{ number: "80", name: "http", target_port: 8080, protocol: null }],
      resolution: 1,
      workload_selector: { labels: { __proto__: "x", app: "a" } },
      export_to: ["."],
    };
    const { value, faults } = checkServiceEntry({ spec, labels: {}, namespace: "default" });
    expect(faults).toEqual([]);
    expect(value).toMatchObject({
      ports: [{ number: 80, targetPort: 8080, protocol: "" }],
      resolution: "STATIC",
      exportTo: ["."],
      workloadSelector: { labels: { app: "a" } },
    });
  });

  it.each([
    {
      name: "DNS with endpoints",
      spec: { ...good, hosts: ["*.x.y"], endpoints: [{ address: "a.b" }, { address: "10.0.0.1" }] },
    },
    { name: "static without endpoints", spec: { ...good, resolution: "STATIC" } },
    { name: "a block with NONE", spec: { ...good, resolution: "NONE", addresses: ["10.0.0.0/8", "2001:db8::/32"] } },
    { name: "a socket", spec: { ...good, resolution: "STATIC", endpoints: [{ address: "unix:///a/b" }] } },
    { name: "an abstract socket", spec: { ...good, resolution: "STATIC", endpoints: [{ address: "unix://@a" }] } },
    { name: "dynamic DNS", spec: { ...good, hosts: ["*.x.y"], resolution: "DYNAMIC_DNS" } },
    { name: "a host with a final dot", spec: { ...good, hosts: ["x.y."] } },
    { name: "no one as the audience", spec: { ...good, exportTo: ["~"] } },
    { name: "several HTTP hosts", spec: { ...good, hosts: ["a.b", "c.d"] } },
    { name: "Istio's http_proxy", spec: { ...good, ports: [{ ...http, protocol: "http_proxy" }] } },
  ])("accepts $name", ({ spec }) => {
    expect(faults(spec)).toEqual([]);
  });

  it.each([
    { spec: { ...good, hosts: [] }, fault: "error spec.hosts: at least one host is required" },
    { spec: { ...good, hosts: ["*"] }, fault: "error spec.hosts.0: a host must not be * alone" },
    { spec: { ...good, hosts: ["a_b.c"] }, fault: 'error spec.hosts.0: "a_b.c" is not a host name' },
    { spec: { ...good, hosts: ["1.2.3.4"] }, fault: "its last label must not be a number" },
    { spec: { ...good, hosts: ["*.x.y"] }, fault: 'error spec.hosts.0: "*.x.y" cannot be resolved' },
    { spec: { ...good, resolution: "NONE", hosts: ["*x.y"] }, fault: "warning spec.hosts.0" },
    { spec: { ...good, addresses: ["10.0.0.0/8"] }, fault: "needs resolution NONE or STATIC, not DNS" },
    { spec: { ...good, addresses: ["10.0.0.0/33"] }, fault: "the prefix length is 0 to 32" },
    { spec: { ...good, addresses: ["web"] }, fault: "error spec.addresses.0" },
    { spec: { ...good, ports: [http, http] }, fault: 'error spec.ports.1.name: another port is named "http"' },
    { spec: { ...good, ports: [http, http] }, fault: "error spec.ports.1.number: another port has the number 80" },
    { spec: { ...good, ports: [{ ...http, number: 65536 }] }, fault: "error spec.ports.0.number: port 65536" },
    { spec: { ...good, ports: [{ ...http, targetPort: 70000 }] }, fault: "error spec.ports.0.targetPort" },
    { spec: { ...good, ports: [{ ...http, name: "" }] }, fault: "error spec.ports.0.name" },
    { spec: { ...good, ports: [{ ...http, protocol: "h2c" }] }, fault: "error spec.ports.0.protocol" },
    { spec: { ...good, ports: [{ ...http, number: 1.5 }] }, fault: "must be a whole number of at least 0" },
    { spec: { ...good, ports: [null] }, fault: "error spec.ports.0: must not be null" },
    { spec: { ...good, ports: {} }, fault: "error spec.ports: must be a list, not a map" },
    { spec: { ...good, port: [] }, fault: 'error spec.port: unknown field "port", did you mean "ports"?' },
    { spec: { ...good, exportTo: [], export_to: [] }, fault: 'field "exportTo" is given twice' },
    { spec: { ...good, resolution: "dns" }, fault: "(did you mean DNS?)" },
    { spec: { ...good, resolution: "NONE", endpoints: [{ address: "10.0.0.1" }] }, fault: "error spec.endpoints" },
    {
      spec: { ...good, endpoints: [{ address: "10.0.0.1" }], workloadSelector: {} },
      fault: "error spec.workloadSelector: cannot stand",
    },
    { spec: { ...good, workloadSelector: { labels: { a: "*" } } }, fault: "wildcards do not work" },
    { spec: { ...good, workloadSelector: { labels: { "": "b" } } }, fault: "a label needs a key" },
    { spec: { ...good, workloadSelector: {} }, fault: "warning spec.workloadSelector: has no labels" },
    { spec: { ...good, resolution: "STATIC", endpoints: [{ address: "a.b" }] }, fault: "is not an IP address" },
    { spec: { ...good, resolution: "STATIC", endpoints: [{}] }, fault: "error spec.endpoints.0.address: is required" },
    {
      spec: { ...good, resolution: "STATIC", endpoints: [{ network: "n" }] },
      fault: "warning spec.endpoints.0.address",
    },
    { spec: { ...good, endpoints: [{ address: "*.a" }] }, fault: "is neither an IP address nor a host name" },
    { spec: { ...good, endpoints: [{ address: "a", ports: { tcp: 1 } }] }, fault: 'has no port named "tcp"' },
    { spec: { ...good, endpoints: [{ address: "a", ports: { http: 0 } }] }, fault: "port 0 is not in 1..65535" },
    { spec: { ...good, endpoints: [{ address: "a", labels: { "a b": "c" } }] }, fault: "is not the key of a label" },
    { spec: { ...good, endpoints: [{ address: "a", labels: { a: "c d" } }] }, fault: "is not the value of a label" },
    {
      spec: { ...good, resolution: "DNS_ROUND_ROBIN", endpoints: [{ address: "a" }, { address: "b" }] },
      fault: "one endpoint at most",
    },
    {
      spec: { ...good, resolution: "DYNAMIC_DNS" },
      fault: "error spec.hosts.0: resolution DYNAMIC_DNS needs wildcard",
    },
    { spec: { ...good, resolution: "DYNAMIC_DNS", addresses: ["10.0.0.1"] }, fault: "error spec.addresses" },
    { spec: { ...good, hosts: ["a.b", "c.d"], ports: [{ ...http, protocol: "TCP" }] }, fault: "rejected spec.ports.0" },
    { spec: { ...good, exportTo: [".", "default"] }, fault: 'error spec.exportTo.1: "default" is named twice' },
    { spec: { ...good, exportTo: ["*", "other"] }, fault: 'error spec.exportTo: "*" must stand alone' },
    { spec: { ...good, exportTo: ["a/b"] }, fault: "error spec.exportTo.0" },
    { spec: "text", fault: "error spec: must be a map" },
  ])("reports $fault", ({ spec, fault }) => {
    expect(faults(spec)).toContainEqual(expect.stringContaining(fault));
  });

  it("refuses dynamic DNS within the mesh behind a waypoint", () => {
    const spec = { hosts: ["*.x.y"], ports: [http], resolution: "DYNAMIC_DNS", location: "MESH_INTERNAL" };
    expect(faults(spec, { "istio.io/use-waypoint": "none" })).toEqual([]);
    expect(faults(spec, { "istio.io/use-waypoint": "w" })).toEqual([expect.stringContaining("waypoint")]);
  });
});
