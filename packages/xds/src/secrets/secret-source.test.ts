import { expect, it } from "vitest";
import { credentialOf } from "./secret-source.ts";

it.each([
  ["the keys of Kubernetes", { "tls.crt": "C", "tls.key": "K", "ca.crt": "A", "ca.crl": "L" }, "C K A L"],
  ["the older keys", { cert: "c", key: "k", cacert: "a", crl: "l" }, "c k a l"],
  ["the older keys before the others", { cert: "c", key: "k", "tls.crt": "C", "tls.key": "K" }, "c k - -"],
  ["the other keys where an older one is missing", { cert: "c", key: "", "tls.crt": "C", "tls.key": "K" }, "C K - -"],
  ["the older certificates of callers before the others", { cacert: "a", "ca.crt": "A", "ca.crl": "L" }, "- - a -"],
  ["nothing else", { "ca.crt": "A", password: "p" }, "- - A -"],
])("reads %s", (_, parts, expected) => {
  const { ca = "-", certificate = "-", crl = "-", privateKey = "-" } = credentialOf(parts);
  expect([certificate, privateKey, ca, crl].join(" ")).toBe(expected);
});
