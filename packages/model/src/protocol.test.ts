import { describe, expect, it } from "vitest";
import { isHttp, isHttp2, parseProtocol, protocolFromAppProtocol, protocolFromPortName } from "./protocol.ts";
import type { Protocol } from "./service.ts";

describe("parseProtocol", () => {
  it.each<[string, Protocol]>([
    ["http", "HTTP"],
    ["HTTP2", "HTTP2"],
    ["h2c", "HTTP2"],
    ["gRPC", "GRPC"],
    ["grpc-web", "GRPC-WEB"],
    ["Https", "HTTPS"],
    ["tls", "TLS"],
    ["tcp", "TCP"],
    ["udp", "UDP"],
    ["Mongo", "MONGO"],
    ["mysql", "MYSQL"],
    ["redis", "REDIS"],
    ["", "UNSUPPORTED"],
    ["http-foo", "UNSUPPORTED"],
    ["http_proxy", "UNSUPPORTED"],
    ["constructor", "UNSUPPORTED"],
  ])("reads %j as %s", (text, protocol) => {
    expect(parseProtocol(text)).toBe(protocol);
  });
});

describe("protocolFromPortName", () => {
  it.each<[string, number | undefined, Protocol]>([
    ["http", undefined, "HTTP"],
    ["http-admin", undefined, "HTTP"],
    ["HTTP-Admin", undefined, "HTTP"],
    ["httpfoo", undefined, "UNSUPPORTED"],
    ["grpc-web-x", undefined, "GRPC-WEB"],
    ["grpc-webby", undefined, "GRPC-WEB"],
    ["grpc-x", undefined, "GRPC"],
    ["admin-http", undefined, "UNSUPPORTED"],
    ["h2c", undefined, "UNSUPPORTED"],
    ["", undefined, "UNSUPPORTED"],
    ["main", 3306, "TCP"],
    ["http", 3306, "HTTP"],
    ["main", 8080, "UNSUPPORTED"],
  ])("reads %j on port %s as %s", (name, number, protocol) => {
    expect(protocolFromPortName(name, number)).toBe(protocol);
  });
});

describe("protocolFromAppProtocol", () => {
  it.each<[string, Protocol]>([
    ["kubernetes.io/h2c", "HTTP2"],
    ["kubernetes.io/ws", "HTTP"],
    ["kubernetes.io/wss", "HTTPS"],
    ["grpc", "GRPC"],
    ["http-foo", "HTTP"],
    ["example.com/mine", "UNSUPPORTED"],
  ])("reads %j as %s", (text, protocol) => {
    expect(protocolFromAppProtocol(text)).toBe(protocol);
  });
});

describe("isHttp and isHttp2", () => {
  it.each<[Protocol, boolean, boolean]>([
    ["HTTP", true, false],
    ["HTTP2", true, true],
    ["GRPC", true, true],
    ["GRPC-WEB", true, true],
    ["HTTPS", false, false],
    ["TCP", false, false],
    ["UNSUPPORTED", false, false],
  ])("say of %s: %s and %s", (protocol, http, http2) => {
    expect([isHttp(protocol), isHttp2(protocol)]).toEqual([http, http2]);
  });
});
