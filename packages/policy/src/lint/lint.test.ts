import { describe, expect, it } from "vitest";
import { candidates, eureka, instance, keyOf, record, service } from "../testing/world.ts";
import { lintService } from "./lint.ts";

const vips = new Map([["10.96.0.7", keyOf("orders")]]);
const grpc = { name: "grpc", number: 9090, protocol: "GRPC" } as const;

describe("lintService", () => {
  it("finds an endpoint that is a service's virtual address, once for each", () => {
    const own = candidates(
      record(
        eureka,
        instance(eureka, "10.96.0.7"),
        instance(eureka, "10.96.0.7", { id: "again" }),
        instance(eureka, "10.0.0.1"),
      ),
    );
    expect(lintService(service(eureka, "orders"), [own], vips)).toEqual([
      {
        code: "CLUSTERIP_ENDPOINT",
        detail: `eureka/main lists 10.96.0.7:8080, the virtual address of ${keyOf("orders")}`,
      },
    ]);
  });

  it.each([
    ["a gRPC service with a virtual address", ["10.96.0.9"], [grpc], ["HEADLESS_RECOMMENDED"]],
    ["no headless gRPC service", [], [grpc], []],
    ["no other service with a virtual address", ["10.96.0.9"], [{ ...grpc, protocol: "HTTP" } as const], []],
  ])("finds %s", (_case, addresses, ports, codes) => {
    const found = lintService(service(eureka, "orders", { addresses, ports }), [], vips);
    expect(found.map(({ code }) => code)).toEqual(codes);
  });
});
