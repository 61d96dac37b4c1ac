import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fromJson, type JsonValue } from "@bufbuild/protobuf";
import { anyRegistry } from "@signalbox/envoy-api";
import { BootstrapSchema } from "@signalbox/envoy-api/envoy/config/bootstrap/v3/bootstrap";
import { formatYaml } from "@signalbox/files";
import { describe, expect, it } from "vitest";
import { envoyBootstrap } from "./envoy.ts";
import { grpcBootstrap } from "./grpc.ts";
import {
  defaultNodeCluster,
  parseHostPort,
  parseLocality,
  parseMetadata,
  UsageError,
  type BootstrapOptions,
} from "./options.ts";

const golden = join(import.meta.dirname, "..", "..", "testdata", "bootstrap");

const sidecar: BootstrapOptions = {
  nodeId: "sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local",
  nodeCluster: "web-1.shop",
  metadata: { INTERCEPTION_MODE: "NONE", LABELS: { app: "web" } },
  locality: { region: "eu", zone: "eu-1", subzone: "" },
  xds: { host: "127.0.0.1", port: 15010 },
  transport: { type: "ads", protocol: "delta" },
  adminPort: 15000,
};
const tls = { ca: "/certs/ca.pem", cert: "/certs/cert.pem", key: "/certs/key.pem", serverName: "signalbox.example" };

const envoys: Readonly<Record<string, BootstrapOptions>> = {
  "delta-sidecar": sidecar,
  "sotw-plain": {
    nodeId: "edge",
    nodeCluster: "edge",
    metadata: {},
    xds: { host: "signalbox.example", port: 15010 },
    transport: { type: "ads", protocol: "sotw" },
    adminPort: 0,
  },
  "mutual-tls-by-name": { ...sidecar, xds: { host: "signalbox.example", port: 15012 }, tls },
  "mutual-tls-by-ip": { ...sidecar, xds: { host: "10.0.0.1", port: 15012 }, tls: { ...tls, serverName: "10.0.0.1" } },
  "rest-polling": { ...sidecar, transport: { type: "rest" }, xds: { host: "::1", port: 15014 } },
  "several-addresses": {
    ...sidecar,
    xds: { host: "10.0.0.1", port: 15010 },
    fallbacks: [
      { host: "10.0.0.2", port: 15010 },
      { host: "signalbox.example", port: 15110 },
    ],
  },
  "files-only": { ...sidecar, transport: { type: "files", dir: "/var/lib/signalbox/xds" } },
};

function expectGolden(name: string, text: string): void {
  const file = join(golden, name);
  if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
}

describe("a bootstrap for Envoy", () => {
  it.each(Object.entries(envoys))("is as in the golden file: %s", (name, options) => {
    expectGolden(`${name}.yaml`, formatYaml(envoyBootstrap(options)));
  });

  it.each(Object.entries(envoys))("is a valid envoy.config.bootstrap.v3.Bootstrap: %s", (_name, options) => {
    const message = fromJson(BootstrapSchema, envoyBootstrap(options) as JsonValue, { registry: anyRegistry });
    expect(message.node?.id).toBe(options.nodeId);
    const admin = message.admin?.address?.address;
    expect(admin?.case === "socketAddress" && admin.value.address).toBe("127.0.0.1");
  });

  it("has no golden file that nobody writes", () => {
    const known = [...Object.keys(envoys), "grpc", "grpc-mutual-tls"].map((name) => name.replace(/$/, ".yaml"));
    expect(readdirSync(golden).sort()).toEqual(known.sort());
  });
});

describe("a bootstrap for proxyless gRPC", () => {
  it("asks for gRPC resources through its metadata, which can be overridden", () => {
    expectGolden("grpc.yaml", formatYaml(grpcBootstrap(sidecar)));
    expect(grpcBootstrap({ ...sidecar, metadata: { GENERATOR: "other" } })).toMatchObject({
      node: { metadata: { GENERATOR: "other" } },
    });
  });

  it("names all servers, the preferred one first", () => {
    expect(grpcBootstrap({ ...sidecar, fallbacks: [{ host: "::1", port: 15110 }] })).toMatchObject({
      xds_servers: [{ server_uri: "127.0.0.1:15010" }, { server_uri: "[::1]:15110" }],
    });
  });

  it("uses TLS credentials when certificates are given", () => {
    expectGolden("grpc-mutual-tls.yaml", formatYaml(grpcBootstrap({ ...sidecar, tls })));
  });
});

describe("values of the command line", () => {
  it.each([
    ["127.0.0.1:15010", { host: "127.0.0.1", port: 15010 }],
    ["[::1]:80", { host: "::1", port: 80 }],
    ["signalbox.example:1", { host: "signalbox.example", port: 1 }],
  ])("%s is an address", (text, expected) => {
    expect(parseHostPort(text)).toEqual(expected);
  });

  it.each(["host", ":80", "host:", "host:0", "host:65536", "::1:80", "[host]:80", "a b:80", "host:80/x"])(
    "%s is no address",
    (text) => {
      expect(() => parseHostPort(text)).toThrow(UsageError);
    },
  );

  it("reads metadata as text, or as JSON where it looks like it", () => {
    expect(parseMetadata(["A=b=c", 'LABELS={"app":"web"}', "N=1", "E=", "L=[1]"])).toEqual({
      A: "b=c",
      LABELS: { app: "web" },
      N: "1",
      E: "",
      L: [1],
    });
    expect(Object.hasOwn(parseMetadata(["__proto__=x"]), "__proto__")).toBe(true);
  });

  it.each([["novalue"], ["=x"], ["A={oops"]])("refuses the metadata %s", (pair) => {
    expect(() => parseMetadata([pair])).toThrow(UsageError);
  });

  it("reads a locality of one to three parts", () => {
    expect(parseLocality("eu/a")).toEqual({ region: "eu", zone: "a", subzone: "" });
    expect(() => parseLocality("a/b/c/d")).toThrow(UsageError);
    expect(() => parseLocality("/b")).toThrow(UsageError);
  });

  it("takes the node's cluster from an Istio node id", () => {
    expect(defaultNodeCluster("sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local")).toBe("web-1.shop");
    expect(defaultNodeCluster("edge-7")).toBe("edge-7");
  });
});
