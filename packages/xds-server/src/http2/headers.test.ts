import { describe, expect, it } from "vitest";
import { encodeStatusMessage, parseTimeout, refuseRequest } from "./headers.ts";

describe("grpc-timeout", () => {
  it.each([
    ["1H", 3_600_000],
    ["2M", 120_000],
    ["3S", 3_000],
    ["40m", 40],
    ["1500u", 2],
    ["1n", 1],
    ["0S", 0],
    ["123456789S", undefined],
    ["-1S", undefined],
    ["1s", undefined],
    ["", undefined],
  ])("%s is %s ms", (text, milliseconds) => {
    expect(parseTimeout(text)).toBe(milliseconds);
  });
});

describe("grpc-message", () => {
  it.each([
    ["plain words", "plain words"],
    ["50 %", "50 %25"],
    ["line\nbreak", "line%0Abreak"],
    ["ü€", "%C3%BC%E2%82%AC"],
  ])("%j is sent as %s", (message, encoded) => {
    expect(encodeStatusMessage(message)).toBe(encoded);
    expect(decodeURIComponent(encoded)).toBe(message);
  });
});

describe("request headers", () => {
  const good = { ":method": "POST", "content-type": "application/grpc", te: "trailers" };

  it.each([
    ["a gRPC call", good, undefined],
    ["a codec", { ...good, "content-type": "application/grpc+proto" }, undefined],
    ["a parameter", { ...good, "content-type": "application/grpc;x=y" }, undefined],
    ["another te", { ...good, te: "gzip" }, 400],
    ["grpc-web", { ...good, "content-type": "application/grpc-web" }, 415],
    ["no content type", { ":method": "POST" }, 415],
    ["another method", { ...good, ":method": "PUT" }, 405],
  ])("with %s are answered with status %s", (_name, headers, status) => {
    expect(refuseRequest(headers)?.status).toBe(status);
  });
});
