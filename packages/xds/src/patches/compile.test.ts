import { fromBinary } from "@bufbuild/protobuf";
import { TypedExtensionConfigSchema } from "@signalbox/envoy-api/envoy/config/core/v3/extension";
import { describe, expect, it } from "vitest";
import { patchesOf, sidecar } from "../testing/patches.ts";
import { compilePatches } from "./compile.ts";
import { extensionConfigType, Patcher } from "./patcher.ts";

const add = (applyTo: string, value: unknown) => ({ applyTo, patch: { operation: "ADD", value } });

describe("compilePatches", () => {
  it.each<[string, object, RegExp]>([
    ["a wrong type", add("CLUSTER", { name: "a", connect_timeout: 5 }), /connect_timeout|Duration/],
    ["a name that is missing", add("CLUSTER", { connect_timeout: "5s" }), /short/],
    [
      "a type of API v2",
      add("HTTP_FILTER", {
        name: "a",
        typed_config: { "@type": "type.googleapis.com/envoy.config.filter.http.lua.v2.Lua" },
      }),
      /v3/,
    ],
    ["a number out of bounds", add("HTTP_ROUTE", { match: { prefix: "/" }, direct_response: { status: 99 } }), /99/],
    ["a choice that is not made", add("HTTP_ROUTE", { match: { prefix: "/" } }), /one of its members/],
    [
      "a broken rule in a packed configuration",
      add("NETWORK_FILTER", {
        name: "a",
        typed_config: {
          "@type": "type.googleapis.com/envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy",
          cluster: "c",
        },
      }),
      /short/,
    ],
    ["a list that is too short", add("VIRTUAL_HOST", { name: "a" }), /items/],
    ["no value", { applyTo: "CLUSTER", patch: { operation: "ADD" } }, /required/],
    ["no operation", { applyTo: "CLUSTER", patch: { value: {} } }, /operation/],
    [
      "a broken expression",
      { ...add("CLUSTER", { name: "a" }), match: { proxy: { proxyVersion: "(" } } },
      /expression/,
    ],
    [
      "an expression that is not understood",
      { ...add("CLUSTER", { name: "a" }), match: { proxy: { proxyVersion: "\\pN" } } },
      /more of RE2/,
    ],
  ])("leaves out %s and keeps the others", (_, patch, message) => {
    const { patches, faults } = compilePatches(patchesOf(patch, add("CLUSTER", { name: "good" })));
    expect(patches.map(({ index }) => index)).toEqual([1]);
    expect(faults).toMatchObject([{ object: "shop/web", patch: 0, message: expect.stringMatching(message) as string }]);
  });

  it.each<[string, object, RegExp]>([
    ["of the object", { name: "a", nonsense: 1 }, /nonsense/],
    [
      "of a packed configuration",
      {
        name: "a",
        typed_extension_protocol_options: {
          o: {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            auto_config: {},
            younger: { yes: true },
          },
        },
      },
      /younger/,
    ],
  ])("leaves out a field %s that is not known, and tells so", (_, value, message) => {
    const { patches, faults } = compilePatches(patchesOf(add("CLUSTER", value)));
    expect(patches).toMatchObject([{ index: 0, value: { name: "a" } }]);
    expect(faults).toMatchObject([{ object: "shop/web", patch: 0, message: expect.stringMatching(message) as string }]);
  });

  it("tells which patches do nothing", () => {
    const { withoutEffect, faults } = compilePatches(
      patchesOf(add("BOOTSTRAP", {}), add("ROUTE_CONFIGURATION", { name: "a" })),
    );
    expect(faults).toEqual([]);
    expect(withoutEffect.map(({ patch }) => patch)).toEqual([0, 1]);
  });

  it("hands on a configuration of an unknown type as a typed struct", () => {
    const value = { name: "x", typed_config: { "@type": "type.googleapis.com/acme.Filter", level: 1 } };
    const added = new Patcher(compilePatches(patchesOf(add("EXTENSION_CONFIG", value))), sidecar).added(
      extensionConfigType,
    );
    const { typedConfig } = fromBinary(TypedExtensionConfigSchema, added.get("x")?.bytes ?? new Uint8Array());
    expect(typedConfig?.typeUrl).toBe("type.googleapis.com/xds.type.v3.TypedStruct");
  });
});
