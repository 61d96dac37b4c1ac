import type { Protocol } from "@signalbox/model";
import { describe, expect, it } from "vitest";
import { candidates, consul, eureka, instance, keyOf, record, service } from "../testing/world.ts";
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

  it.each<[string, Protocol, Protocol, readonly string[]]>([
    ["HTTP/1 beside gRPC", "HTTP", "GRPC", ["port 80 is spoken to as HTTP, and consul/dc1 says GRPC"]],
    ["HTTP/2 beside HTTP/1", "HTTP2", "HTTP", ["port 80 is spoken to as HTTP2, and consul/dc1 says HTTP"]],
    ["not two names of HTTP/2", "HTTP2", "GRPC", []],
    ["not what is detected, or is no HTTP", "HTTP", "UNSUPPORTED", []],
  ])("finds %s", (_case, first, second, details) => {
    const port = (protocol: Protocol) => ({ ports: [{ name: "p", number: 80, protocol }] });
    const merged = service(eureka, "orders", port(first));
    const records = [
      { ...candidates(record(eureka)), service: merged },
      { ...candidates(record(consul)), service: service(consul, "orders", port(second)) },
    ];
    const found = lintService(merged, records, vips);
    expect(found.map(({ detail }) => detail)).toEqual(details);
    expect(found.every(({ code }) => code === "MIXED_PROTOCOLS")).toBe(true);
  });
});
