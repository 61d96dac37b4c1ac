import { describe, expect, it } from "vitest";
import { namespaceCheck } from "./namespace-check.ts";

const shop = "sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local";
const web = "spiffe://cluster.local/ns/shop/sa/web";

describe("the check of namespaces on the TLS port", () => {
  it.each([
    { name: "a node of the certificate's namespace", id: shop, identities: [web] },
    { name: "one of several names", id: shop, identities: ["web.example", "spiffe://other/ns/bank/sa/x", web] },
    { name: "a node without a namespace", id: "edge-1", identities: [web] },
  ])("serves $name", ({ id, identities }) => {
    expect(namespaceCheck(false)({ id }, { address: "", identities })).toBeUndefined();
  });

  it.each([
    {
      name: "a node of another namespace",
      identities: ["spiffe://cluster.local/ns/bank/sa/web"],
      has: "namespace bank",
    },
    { name: "a certificate that has no namespace", identities: ["web.shop.example"], has: "no namespace" },
    { name: "a certificate without names", identities: [], has: "no namespace" },
    {
      name: "a namespace elsewhere in the name",
      identities: ["spiffe://ns/shop/sa/web/ns/bank/sa/x"],
      has: "no namespace",
    },
    { name: "a longer name", identities: [`${web}/more`], has: "no namespace" },
  ])("refuses $name", ({ has, identities }) => {
    expect(namespaceCheck(false)({ id: shop }, { address: "", identities })).toBe(
      `the node says namespace shop, its certificate has ${has}`,
    );
  });

  it("believes metadata no more than the id", () => {
    const node = { id: "edge-1", metadata: { NAMESPACE: "bank" } };
    expect(namespaceCheck(false)(node, { address: "", identities: [web] })).toContain("says namespace bank");
  });

  it("asks clients of the plaintext port for nothing", () => {
    expect(namespaceCheck(true)({ id: shop }, { address: "", identities: [] })).toBeUndefined();
    expect(namespaceCheck(true)({ id: shop }, { address: "", identities: ["x"] })).toBeDefined();
  });
});
