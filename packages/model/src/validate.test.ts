import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { contentHash } from "./content-hash.ts";
import { registryId, workloadKey } from "./keys.ts";
import type { ServiceRecord } from "./service.ts";
import { validateObject, validateWorkload } from "./validate-workload.ts";
import { validateRecord } from "./validate.ts";
import type { ConfigObject, Workload } from "./workload.ts";

const provenance = { registry: registryId("static", "a"), object: "web.yaml#0" };
const instance = {
  id: "web-1",
  servicePort: "http",
  addresses: [{ type: "ip", ip: "10.0.0.1", port: 8080 }],
  labels: { app: "web" },
  locality: { region: "eu", zone: "", subzone: "" },
  network: "",
  serviceAccount: "",
  tls: "disabled",
  healthStatus: "HEALTHY",
  weight: 1,
  provenance,
};
const record: unknown = {
  service: {
    hostname: "web.example.com",
    namespace: "default",
    ports: [
      { name: "http", number: 80, protocol: "HTTP", targetPort: 8080 },
      { name: "dns", number: 53, protocol: "TCP" },
      { name: "dns-udp", number: 53, protocol: "UDP" },
    ],
    resolution: "STATIC",
    addresses: ["10.96.0.1", "10.1.0.0/16"],
    labels: JSON.parse('{"__proto__":"a","constructor":"b"}') as unknown,
    meshExternal: false,
    exportTo: ["."],
    serviceAccounts: [],
    provenance,
  },
  instances: [instance, { ...instance, id: "web-2", addresses: [{ type: "unix", path: "/run/web.sock" }], weight: 0 }],
};

/** A copy with the member at a path replaced; `undefined` takes the member away. */
function withMember(value: unknown, path: readonly (string | number)[], member: unknown): unknown {
  const [head, ...rest] = path;
  if (head === undefined) return member;
  if (Array.isArray(value)) {
    const index = Number(head);
    return (value as readonly unknown[]).with(index, withMember(value[index], rest, member));
  }
  const members = new Map(Object.entries(value as object));
  const next = withMember(members.get(String(head)), rest, member);
  if (next === undefined) members.delete(String(head));
  else members.set(String(head), next);
  return Object.fromEntries(members);
}

function faultsOf(value: unknown): string[] {
  return validateRecord(value as ServiceRecord).map((fault) => fault.path);
}

describe("validateRecord", () => {
  it("finds nothing wrong with a good record", () => {
    expect(validateRecord(record as ServiceRecord)).toEqual([]);
  });

  it.each<[string, (string | number)[], unknown]>([
    ["a hostname with a space", ["service", "hostname"], "a b"],
    ["a bare wildcard", ["service", "hostname"], "*"],
    ["no hostname", ["service", "hostname"], undefined],
    ["an empty namespace", ["service", "namespace"], ""],
    ["a namespace that would break the key", ["service", "namespace"], "a/b"],
    ["port 0", ["service", "ports", 1, "number"], 0],
    ["port 65536", ["service", "ports", 1, "number"], 65536],
    ["a port of 1.5", ["service", "ports", 1, "number"], 1.5],
    ["a port that is text", ["service", "ports", 1, "number"], "80"],
    ["a port that is NaN", ["service", "ports", 1, "number"], Number.NaN],
    ["a target port out of range", ["service", "ports", 0, "targetPort"], 70000],
    ["a port name twice", ["service", "ports", 1, "name"], "http"],
    ["a port number twice", ["service", "ports", 1, "number"], 80],
    ["an unknown protocol", ["service", "ports", 1, "protocol"], "SMTP"],
    ["an unknown resolution", ["service", "resolution"], "toString"],
    ["a virtual address that is a name", ["service", "addresses", 0], "web"],
    ["a label that is a number", ["service", "labels", "n"], 1],
    ["labels that are a Map", ["service", "labels"], new Map()],
    ["a workload selector that is a list", ["service", "workloadSelector"], ["a"]],
    ["meshExternal that is text", ["service", "meshExternal"], "no"],
    ["an empty exportTo entry", ["service", "exportTo", 0], ""],
    ["a creation time that is a Date", ["service", "createdAt"], new Date(0)],
    ["no provenance of the service", ["service", "provenance"], undefined],
    ["an empty object in provenance", ["service", "provenance", "object"], ""],
    ["instances that are no list", ["instances"], {}],
    ["an empty instance id", ["instances", 0, "id"], ""],
    ["an instance id twice", ["instances", 1, "id"], "web-1"],
    ["an unknown service port", ["instances", 0, "servicePort"], "grpc"],
    ["no address", ["instances", 0, "addresses"], []],
    ["a hole for an address", ["instances", 0, "addresses"], new Array<unknown>(1)],
    ["an IP out of range", ["instances", 0, "addresses", 0, "ip"], "10.0.0.256"],
    ["an endpoint port of 0", ["instances", 0, "addresses", 0, "port"], 0],
    ["an endpoint port of 65536", ["instances", 0, "addresses", 0, "port"], 65536],
    ["a relative socket", ["instances", 1, "addresses", 0, "path"], "run/web.sock"],
    ["an unknown kind of address", ["instances", 0, "addresses", 0, "type"], "mac"],
    ["a weight below 0", ["instances", 0, "weight"], -1],
    ["a weight of 2^32", ["instances", 0, "weight"], 2 ** 32],
    ["a fractional weight", ["instances", 0, "weight"], 0.5],
    ["an unknown health status", ["instances", 0, "healthStatus"], "OK"],
    ["an unknown tls mode", ["instances", 0, "tls"], "mutual"],
    ["a locality without zone", ["instances", 0, "locality", "zone"], undefined],
    ["no provenance of an instance", ["instances", 0, "provenance"], undefined],
    ["no registry in provenance", ["instances", 0, "provenance", "registry"], ""],
    ["a null instance", ["instances", 0], null],
    ["an unknown member that cannot be hashed", ["instances", 0, "extra"], 1n],
  ])("refuses %s and says where", (_, path, member) => {
    const faults = faultsOf(withMember(record, path, member));
    expect(faults).not.toEqual([]);
    const where = path.map((part) => (typeof part === "number" ? `[${part}]` : `.${part}`)).join("");
    expect(faults.every((fault) => `.${fault}`.startsWith(where.replace(/\.(zone|registry|object|n)$/, "")))).toBe(
      true,
    );
  });

  it.each<[string, (string | number)[], unknown]>([
    ["a wildcard hostname", ["service", "hostname"], "*.example.com"],
    ["an unnamed port", ["service", "ports", 1, "name"], ""],
    ["the widest weight", ["instances", 0, "weight"], 2 ** 32 - 1],
    ["port 65535", ["service", "ports", 1, "number"], 65535],
    ["an IPv6 endpoint", ["instances", 0, "addresses", 0, "ip"], "2001:db8::1"],
    ["an abstract socket", ["instances", 1, "addresses", 0, "path"], "@web"],
    ["a member of a later release", ["service", "later"], { a: [1] }],
  ])("accepts %s", (_, path, member) => {
    expect(faultsOf(withMember(record, path, member))).toEqual([]);
  });

  it.each([
    ["STATIC", "ip", true],
    ["STATIC", "hostname", false],
    ["STATIC", "unix", true],
    ["NONE", "hostname", false],
    ["DNS", "ip", true],
    ["DNS", "hostname", true],
    ["DNS", "unix", false],
    ["DNS_ROUND_ROBIN", "hostname", true],
  ])("says of resolution %s with a %s address: %s", (resolution, type, fits) => {
    const address = { ip: "10.0.0.1", hostname: "db.example.com", path: "/a" };
    const member = type === "unix" ? { type, path: address.path } : { type, [type]: address[type as "ip"], port: 80 };
    const one = withMember(withMember(record, ["instances"], [instance]), ["instances", 0, "addresses", 0], member);
    expect(faultsOf(withMember(one, ["service", "resolution"], resolution)).length === 0).toBe(fits);
  });

  it("says at most 20 faults", () => {
    expect(faultsOf(withMember(record, ["instances"], new Array<number>(1000).fill(1)))).toHaveLength(20);
  });

  it("never throws on junk, and what passes can be hashed", () => {
    const junk = fc.oneof(fc.anything({ withBigInt: true, withMap: true, withDate: true, withSparseArray: true }));
    const paths = fc.constantFrom<(string | number)[]>(
      [],
      ["service"],
      ["instances"],
      ["instances", 0],
      ["instances", 0, "addresses"],
      ["instances", 0, "locality"],
      ["service", "labels"],
      ["service", "ports", 0],
      ["service", "exportTo"],
      ["service", "anything"],
    );
    fc.assert(
      fc.property(paths, junk, (path, member) => {
        const value = withMember(record, path, member);
        if (faultsOf(value).length === 0) contentHash(value);
      }),
      { numRuns: 200 },
    );
  });
});

describe("validateWorkload", () => {
  const workload: Workload = {
    key: workloadKey("c1", "default", "web-1"),
    addresses: ["10.0.0.1", "vm.example.com", "unix:///run/a.sock"],
    hostNetwork: false,
    ports: [8080],
    namedPorts: { http: 8080 },
    weight: 1,
    phase: "READY",
    labels: {},
    owner: "",
    serviceAccount: "",
    node: "",
    locality: { region: "", zone: "", subzone: "" },
    network: "",
    provenance,
  };

  it("finds nothing wrong with a good workload", () => {
    expect(validateWorkload(workload)).toEqual([]);
    expect(validateWorkload({ ...workload, key: workloadKey("", "", "vm") })).toEqual([]);
  });

  it.each([
    ["key", "web-1"],
    ["key", "c1/default/"],
    ["addresses", ["a b"]],
    ["ports", [0]],
    ["namedPorts", { http: 70000 }],
    ["weight", -1],
    ["phase", "RUNNING"],
    ["labels", { a: 1 }],
    ["locality", null],
    ["provenance", undefined],
  ])("refuses %s: %j", (member, value) => {
    const faults = validateWorkload({ ...workload, [member]: value });
    expect(faults.map((fault) => fault.path.split(/[.[]/)[0])).toEqual(expect.arrayContaining([member]));
  });
});

describe("validateObject", () => {
  const object: ConfigObject = {
    kind: "VirtualService",
    namespace: "default",
    name: "web",
    labels: {},
    annotations: {},
    spec: { hosts: ["web"] },
    provenance,
  };

  it("finds nothing wrong with a good object", () => {
    expect(validateObject(object)).toEqual([]);
  });

  it.each([
    ["kind", ""],
    ["name", "a/b"],
    ["labels", []],
    ["annotations", { a: null }],
    ["spec", new Map()],
    ["spec", { a: { b: Number.NaN } }],
    ["provenance", {}],
  ])("refuses %s: %j", (member, value) => {
    expect(validateObject({ ...object, [member]: value }).length).toBeGreaterThan(0);
  });
});
