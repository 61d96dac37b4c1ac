import { describe, expect, it } from "vitest";
import { registryId } from "./keys.ts";
import { precedence } from "./precedence.ts";
import type { Service } from "./service.ts";

function service(namespace: string, hostname: string, createdAt?: number): Service {
  return {
    hostname,
    namespace,
    ports: [],
    resolution: "STATIC",
    addresses: [],
    labels: {},
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    ...(createdAt !== undefined && { createdAt }),
    provenance: { registry: registryId("test", "a"), object: hostname },
  };
}

describe("precedence", () => {
  it("puts the oldest first, undated ones last, then goes by hostname and namespace", () => {
    const inOrder = [
      service("z", "z.io", 0),
      service("y", "y.io", 5),
      service("b", "a.io", 7),
      service("a", "b.io", 7),
      service("c", "b.io", 7),
      service("a", "a.io"),
      service("b", "a.io"),
    ];
    for (const [i, one] of inOrder.entries())
      for (const [j, other] of inOrder.entries()) expect(Math.sign(precedence(one, other))).toBe(Math.sign(i - j));
  });
});
