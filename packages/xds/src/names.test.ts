import { expect, it } from "vitest";
import { outboundCluster, requestNames } from "./names.ts";
import { entryOf } from "./testing/catalog.ts";
import { serviceDomains } from "./routes.ts";

it("clusters have Istio's names", () => {
  expect(outboundCluster(8000, "backend.default.svc.cluster.local", "v1")).toBe(
    "outbound|8000|v1|backend.default.svc.cluster.local",
  );
});

it.each([
  [
    "web.shop.svc.cluster.local",
    "shop.svc.cluster.local",
    ["web.shop.svc.cluster.local", "web.shop.svc", "web.shop", "web"],
  ],
  ["web.shop.svc.cluster.local", "pay.svc.cluster.local", ["web.shop.svc.cluster.local", "web.shop.svc", "web.shop"]],
  ["web.shop.svc.cluster.local", "svc.cluster.local", ["web.shop.svc.cluster.local", "web.shop.svc", "web.shop"]],
  ["web.shop.svc.other.local", "shop.svc.cluster.local", ["web.shop.svc.other.local"]],
  ["web.example.com", "shop.svc.cluster.local", ["web.example.com"]],
  ["web", "shop.svc.cluster.local", ["web"]],
  ["web.example.com", "example.com", ["web.example.com"]],
  ["web", "", ["web"]],
])("%s is called from %s as %j", (hostname, dnsDomain, names) => {
  expect(requestNames(hostname, dnsDomain)).toEqual(names);
});

it("a headless cluster service has its pods' names as domains too, an address in brackets where it is IPv6", () => {
  const { service } = entryOf({ hostname: "db.one.svc.cluster.local", resolution: "NONE", ports: [] });
  const headless = serviceDomains(service, ["alias.io"], "one.svc.cluster.local");
  expect(headless.full).toEqual(["db.one.svc.cluster.local", "db.one.svc.cluster.local.", "alias.io", "alias.io."]);
  expect(headless.derived).toContain("*.db");
  const virtual = serviceDomains({ ...service, addresses: ["::1", "10.0.0.0/8", "10.0.0.1/32"] }, [], "");
  expect(virtual.derived).toEqual(["[::1]", "10.0.0.1"]);
});
