import { registryId } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { workloadEntryToWorkload } from "./workload-entry-workload.ts";
import { checkWorkloadEntry } from "./workload-entry.ts";

describe("checkWorkloadEntry", () => {
  it.each([
    { spec: { address: "10.0.0.1", ports: { http: 80 }, labels: { a: "b" }, weight: 2 } },
    { spec: { address: "vm.example.com" } },
    { spec: { address: "unix:///run/vm.sock" } },
  ])("accepts $spec", ({ spec }) => {
    expect(checkWorkloadEntry({ spec }).faults).toEqual([]);
  });

  it.each([
    { spec: {}, fault: "spec.address: is required" },
    { spec: { address: "-" }, fault: "neither an IP address nor a host name" },
    { spec: { address: "unix://relative" }, fault: "is not the absolute path of a socket" },
    { spec: { address: "unix:///dir/" }, fault: "is not the absolute path of a socket" },
    { spec: { address: "unix://@a", ports: { http: 1 } }, fault: "spec.ports: a Unix socket has no ports" },
    { spec: { address: "10.0.0.1", ports: { http: 99999 } }, fault: "spec.ports.http: port 99999" },
    { spec: { address: "10.0.0.1", ports: { "": 1 } }, fault: "is not a DNS label" },
    { spec: { address: "10.0.0.1", adress: "" }, fault: 'did you mean "address"?' },
  ])("reports $fault", ({ spec, fault }) => {
    const faults = checkWorkloadEntry({ spec }).faults.map(({ path, message }) => `${path.join(".")}: ${message}`);
    expect(faults).toContainEqual(expect.stringContaining(fault));
  });
});

describe("workloadEntryToWorkload", () => {
  it("makes a ready workload with what a selector needs", () => {
    const provenance = { registry: registryId("test", "a"), object: "WorkloadEntry default/vm" };
    const spec = { address: "10.0.0.1", ports: { b: 90, a: 80, c: 80 }, weight: 3, serviceAccount: "vm", network: "n" };
    const object = {
      kind: "WorkloadEntry",
      namespace: "default",
      name: "vm",
      labels: {},
      annotations: {},
      spec,
      provenance,
    };
    expect(workloadEntryToWorkload({ ...object, createdAt: 7 }, { cluster: "c1" })).toEqual({
      key: "c1/default/vm",
      addresses: ["10.0.0.1"],
      hostNetwork: false,
      ports: [80, 90],
      namedPorts: { a: 80, b: 90, c: 80 },
      weight: 3,
      tls: "istio",
      phase: "READY",
      labels: {},
      owner: "",
      serviceAccount: "vm",
      node: "",
      locality: { region: "", zone: "", subzone: "" },
      network: "n",
      startedAt: 7,
      provenance,
    });
  });

  it("takes labels from the spec and from the metadata, which win", () => {
    const object = {
      kind: "WorkloadEntry",
      namespace: "default",
      name: "vm",
      labels: { app: "metadata", tier: "back" },
      annotations: {},
      spec: { address: "10.0.0.1", labels: { app: "spec", version: "v1" } },
      provenance: { registry: registryId("test", "a"), object: "WorkloadEntry default/vm" },
    };
    expect(workloadEntryToWorkload(object, { cluster: "c1" }).labels).toEqual({
      app: "metadata",
      tier: "back",
      version: "v1",
    });
  });
});
