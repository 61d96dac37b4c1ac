import { registryId, type ConfigObject } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { serviceEntryToRecords } from "./service-entry-records.ts";

const provenance = { registry: registryId("test", "a"), object: "ServiceEntry default/web" };

function records(spec: object, rest: Partial<ConfigObject> = {}) {
  const base = {
    kind: "ServiceEntry",
    namespace: "default",
    name: "web",
    labels: {},
    annotations: {},
    spec,
    provenance,
  };
  return serviceEntryToRecords({ ...base, ...rest });
}

function ids(spec: object): string[] {
  return records(spec).flatMap(({ instances }) => instances.map(({ id }) => id));
}

const ports = [
  { number: 80, name: "http", protocol: "HTTP", targetPort: 8080 },
  { number: 443, name: "tls", protocol: "tls" },
];

describe("serviceEntryToRecords", () => {
  it("makes one service for each host, each with all addresses", () => {
    const spec = { hosts: ["a.b", "c.d", "A.B"], addresses: ["10.0.0.1/32", "10.0.0.0/24", "2001:db8::1/128"], ports };
    expect(records(spec, { createdAt: 5, labels: { team: "red" } }).map(({ service }) => service)).toEqual(
      ["A.B", "c.d"].map((hostname) => ({
        hostname,
        namespace: "default",
        ports: [
          { name: "http", number: 80, protocol: "HTTP", targetPort: 8080 },
          { name: "tls", number: 443, protocol: "TLS" },
        ],
        resolution: "NONE",
        addresses: ["10.0.0.1", "10.0.0.0/24", "2001:db8::1"],
        labels: { team: "red" },
        meshExternal: true,
        exportTo: [],
        serviceAccounts: [],
        createdAt: 5,
        provenance,
      })),
    );
  });

  it("takes the endpoint's own port before the target port before the service's port", () => {
    const endpoints = [{ address: "10.0.0.1", ports: { http: 9000 } }, { address: "10.0.0.2" }];
    expect(ids({ hosts: ["a.b"], ports, resolution: "STATIC", endpoints })).toEqual([
      "http/10.0.0.1:9000",
      "http/10.0.0.2:8080",
      "tls/10.0.0.1:443",
      "tls/10.0.0.2:443",
    ]);
  });

  it.each([
    { resolution: "DNS", expected: ["http/a.b:8080", "tls/a.b:443"] },
    { resolution: "DNS_ROUND_ROBIN", expected: ["http/a.b:8080", "tls/a.b:443"] },
    { resolution: "STATIC", expected: [] },
    { resolution: "NONE", expected: [] },
  ])("without endpoints and with resolution $resolution gives $expected", ({ resolution, expected }) => {
    expect(ids({ hosts: ["a.b"], ports, resolution })).toEqual(expected);
  });

  it("leaves the instances of a workload selector to whoever knows the workloads", () => {
    const [record] = records({ hosts: ["a.b"], ports, resolution: "DNS", workloadSelector: { labels: { app: "x" } } });
    expect(record).toMatchObject({ instances: [], service: { workloadSelector: { app: "x" } } });
  });

  it("takes an endpoint that is given twice once, and none without an address", () => {
    const endpoints = [{ address: "10.0.0.1" }, { address: "10.0.0.1", weight: 7 }, { network: "n" }];
    const [record] = records({ hosts: ["a.b"], ports: [ports[0]], resolution: "STATIC", endpoints });
    expect(record?.instances.map(({ id, weight }) => [id, weight])).toEqual([["http/10.0.0.1:8080", 1]]);
  });

  it("reads sockets and spells addresses in one way", () => {
    const endpoints = [{ address: "unix:///run/a.sock" }, { address: "2001:DB8::0:1" }];
    expect(ids({ hosts: ["a.b"], ports: [ports[0]], resolution: "STATIC", endpoints })).toEqual([
      "http/unix:/run/a.sock",
      "http/[2001:db8::1]:8080",
    ]);
  });

  it.each([
    { endpoint: {}, tls: "disabled" },
    { endpoint: { serviceAccount: "web" }, tls: "istio" },
    { endpoint: { serviceAccount: "web", labels: { "security.istio.io/tlsMode": "disabled" } }, tls: "disabled" },
    { endpoint: { labels: { "security.istio.io/tlsMode": "istio" } }, tls: "istio" },
  ])("speaks $tls TLS to $endpoint", ({ endpoint, tls }) => {
    const endpoints = [{ address: "10.0.0.1", ...endpoint }];
    const [record] = records({ hosts: ["a.b"], ports: [ports[0]], resolution: "STATIC", endpoints });
    expect(record?.instances[0]?.tls).toBe(tls);
  });

  it.each([
    { endpoint: { locality: "r/z/s" }, locality: ["r", "z", "s"] },
    { endpoint: { labels: { "istio-locality": "r.z.s" } }, locality: ["r", "z", "s"] },
    { endpoint: { labels: { "istio-locality": "r/z.1" } }, locality: ["r", "z.1", ""] },
    { endpoint: { locality: "x", labels: { "istio-locality": "r.z" } }, locality: ["x", "", ""] },
  ])("finds the locality of $endpoint", ({ endpoint, locality }) => {
    const endpoints = [{ address: "10.0.0.1", ...endpoint }];
    const [record] = records({ hosts: ["a.b"], ports: [ports[0]], resolution: "STATIC", endpoints });
    const [region, zone, subzone] = locality;
    expect(record?.instances[0]?.locality).toEqual({ region, zone, subzone });
  });
});
