import { validateObject, validateRecord } from "@signalbox/model";
import { expect, it } from "vitest";
import { Mesh } from "./mesh.ts";

const size = { services: 30, endpoints: 4, rules: 10, namespaces: 3 };
const addresses = (record: ReturnType<Mesh["change"]>) =>
  record.instances.map(({ addresses: [first] }) => (first.type === "ip" ? first.ip : ""));

it("is a catalog without a fault, with a rule for each of so many services", () => {
  const mesh = new Mesh(size);
  const records = mesh.records();
  expect(records).toHaveLength(30);
  expect(records.flatMap((record) => validateRecord(record))).toEqual([]);
  expect(mesh.objects().flatMap((object) => validateObject(object))).toEqual([]);
  const hosts = mesh.objects().map(({ spec }) => (spec as { readonly hosts: readonly string[] }).hosts[0]);
  expect(new Set(hosts).size).toBe(10);
  expect(hosts[0]).toBe("svc-1.mesh.internal");
  const known = new Set(records.map(({ service }) => service.hostname));
  expect(hosts.filter((host) => !known.has(host ?? ""))).toEqual([]);
});

it("remembers what moved", () => {
  const mesh = new Mesh(size);
  mesh.change(2, 1, "10.250.0.1");
  expect(addresses(mesh.change(2, 3, "10.250.0.2")).filter((ip) => ip.startsWith("10.250."))).toEqual([
    "10.250.0.1",
    "10.250.0.2",
  ]);
  expect(() => mesh.change(30, 0, "10.250.0.1")).toThrow(RangeError);
  expect(() => mesh.change(0, 4, "10.250.0.1")).toThrow(RangeError);
});

it("spreads a churn over all services, and then over their endpoints", () => {
  const mesh = new Mesh(size);
  expect(mesh.churn(7).service.hostname).toBe("svc-7.mesh.internal");
  const again = mesh.churn(37);
  expect(again.service.hostname).toBe("svc-7.mesh.internal");
  expect(addresses(again).slice(0, 2)).toEqual(["11.0.0.7", "11.0.0.37"]);
});

it("moves everything at once, again and again, and nothing to where it was", () => {
  const mesh = new Mesh(size);
  mesh.change(2, 1, "10.250.0.1");
  const seen = new Set(mesh.records().flatMap(addresses));
  for (const address of ["10.250.0.2", "10.250.0.3"]) {
    mesh.moveAll(address);
    const now = mesh.records().flatMap(addresses);
    expect(now[0]).toBe(address);
    expect(new Set(now).size).toBe(120);
    expect(now.filter((one) => seen.has(one))).toEqual([]);
    for (const one of now) seen.add(one);
  }
});

it("gives a new service endpoints that nobody else has", () => {
  const mesh = new Mesh(size);
  const taken = new Set(mesh.records().flatMap(addresses));
  const added = mesh.add("new-0", "10.250.0.9");
  expect(added.service.hostname).toBe("new-0.mesh.internal");
  expect(addresses(added)[0]).toBe("10.250.0.9");
  expect(addresses(added).filter((ip) => taken.has(ip))).toEqual([]);
});
