import { typeUrls } from "@signalbox/envoy-api";
import { describe, expect, it } from "vitest";
import { encodeAssignment, localityGroups } from "./endpoints.ts";
import { parseNode } from "./node.ts";
import { renderView } from "./render.ts";
import { catalogOf, entryOf, type InstanceSketch } from "./testing/catalog.ts";
import { createTranslator } from "./translator.ts";

const ports = [
  { number: 80, protocol: "HTTP" },
  { number: 81, protocol: "HTTP" },
] as const;
const expired = { priority: 1, findings: [{ stage: "freshness", code: "EXPIRED", since: 1 }] } as const;

const groupsOf = (instances: readonly InstanceSketch[], port = "p80") =>
  localityGroups(entryOf({ hostname: "web.test", ports, instances }).instances, port, "ip");
const bytesOf = (instances: readonly InstanceSketch[], port?: string) =>
  Buffer.from(encodeAssignment("web", groupsOf(instances, port))).toString("hex");

describe("endpoints that only an expired registry knows", () => {
  const fresh = { address: "10.0.0.1:80" };
  const old = { address: "10.0.0.2:80", ...expired };

  it("come after the others of their port, with the health and the locality that they had", () => {
    const zone = { region: "r", zone: "z", subzone: "" };
    const groups = groupsOf([
      { ...old, locality: zone },
      { ...fresh, locality: zone },
    ]);
    expect(groups.map(({ priority, locality, instances }) => [priority, locality, instances[0]?.id])).toEqual([
      [0, zone, "10.0.0.1:80"],
      [1, zone, "10.0.0.2:80"],
    ]);
  });

  it("are told in the same bytes as before where there are no others", () => {
    const { address } = old;
    expect(bytesOf([old])).toBe(bytesOf([{ address }]));
    // Another port has a fresh one; this one has not.
    const both = [{ ...old, servicePort: "p81" }, fresh];
    expect(bytesOf(both, "p81")).toBe(bytesOf([{ address, servicePort: "p81" }], "p81"));
    expect(bytesOf([old, fresh])).not.toBe(bytesOf([{ address }, fresh]));
  });

  it("reach sidecars and proxyless clients as the second priority", () => {
    const translator = createTranslator();
    const entry = entryOf({ hostname: "web.test", ports: [ports[0]], instances: [old, fresh] });
    translator.apply({ v: 1, type: "snapshot", catalog: catalogOf([entry]) });
    const nodes = [
      { id: "sidecar~10.0.0.9~a.default~default.svc.cluster.local" },
      { id: "sidecar~10.0.0.9~a.default~default.svc.cluster.local", metadata: { GENERATOR: "grpc" } },
    ];
    for (const node of nodes) {
      const view = translator.view(parseNode(node));
      const assignment = JSON.stringify(renderView(view).endpoints);
      expect(view.resources(typeUrls.endpoint).size, JSON.stringify(node)).toBe(1);
      expect([...assignment.matchAll(/"priority":(\d)/g)].map(([, priority]) => priority)).toEqual(["1"]);
      expect(assignment.indexOf("10.0.0.1")).toBeLessThan(assignment.indexOf("10.0.0.2"));
      expect(assignment).not.toContain("DEGRADED");
    }
  });
});
