import { ConfigError } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { parseEurekaConfig } from "./config.ts";

const urls = ["http://eureka:8761/eureka"];

describe("parseEurekaConfig", () => {
  it("fills in the defaults", () => {
    expect(parseEurekaConfig({ urls })).toEqual({
      urls,
      pollSeconds: 5,
      fullSeconds: 300,
      delta: true,
      timeoutSeconds: 10,
      maxAnswerBytes: 268_435_456,
      losses: { confirmReads: 2, maxShrink: 0.3, holdSeconds: 90 },
      apps: { include: [], exclude: [] },
      serviceBy: "app",
      domain: "eureka",
      namespace: "default",
      status: {
        UP: "HEALTHY",
        DOWN: "UNHEALTHY",
        STARTING: "UNHEALTHY",
        OUT_OF_SERVICE: "DRAINING",
        UNKNOWN: "UNHEALTHY",
      },
      hostnames: "dns",
      protocol: "HTTP",
      secureProtocol: "HTTPS",
      protocolKeys: ["istio.protocol", "protocol"],
      portKeys: new Map([
        ["gRPC_port", "GRPC"],
        ["gRPC.port", "GRPC"],
        ["grpc.port", "GRPC"],
      ]),
      weightKeys: ["weight"],
      versionKeys: ["version"],
      localityKeys: { region: ["region"], zone: ["zone"], subzone: ["subzone"] },
    });
  });

  it.each([
    ["http://a:8761", ["http://a:8761/eureka"]],
    ["http://a:8761/", ["http://a:8761/eureka"]],
    ["http://a:8761/eureka/", ["http://a:8761/eureka"]],
    ["http://a/eureka/v2/, https://b/eureka", ["http://a/eureka/v2", "https://b/eureka"]],
    [["http://[::1]:8761"], ["http://[::1]:8761/eureka"]],
  ])("reads the URLs %j as %j", (given, expected) => {
    expect(parseEurekaConfig({ urls: given }).urls).toEqual(expected);
  });

  it("takes a password as it is, or from a file", () => {
    const auth = { username: "u", password: "p4ssw0rd" };
    expect(parseEurekaConfig({ urls, auth }).auth).toEqual({ username: "u", password: { value: "p4ssw0rd" } });
    const fromFile = { username: "u", password: { file: "secret" } };
    expect(parseEurekaConfig({ urls, auth: fromFile }).auth).toEqual(fromFile);
  });

  it("reads protocols and statuses without regard to case", () => {
    const config = parseEurekaConfig({
      urls,
      protocol: "grpc",
      portKeys: { rpc: "h2c" },
      status: { DOWN: "degraded" },
    });
    expect([config.protocol, config.portKeys.get("rpc"), config.status.DOWN]).toEqual(["GRPC", "HTTP2", "DEGRADED"]);
  });

  it.each([
    { name: "no URLs", input: {}, fault: "urls: is missing" },
    { name: "an empty list", input: { urls: [] }, fault: "urls: must not be empty" },
    { name: "another scheme", input: { urls: "ftp://a" }, fault: "urls[0]: must be an http:// or https:// URL" },
    { name: "no URL", input: { urls: "eureka" }, fault: "urls[0]: must be an http:// or https:// URL" },
    {
      name: "credentials in a URL",
      input: { urls: "http://u:hidden@a/eureka" },
      fault: "urls[0]: must hold no credentials; use `auth`",
    },
    { name: "one URL twice", input: { urls: "http://a,http://a/eureka/" }, fault: "urls: names one URL twice" },
    {
      name: "a misspelt key",
      input: { urls, pollSecond: 1 },
      fault: 'pollSecond: unknown key; did you mean "pollSeconds"?',
    },
    { name: "a misspelt inner key", input: { urls, losses: { hold: 1 } }, fault: "losses.hold: unknown key; " },
    {
      name: "a share above one",
      input: { urls, losses: { maxShrink: 30 } },
      fault: "losses.maxShrink: must be at most 1, not 30",
    },
    {
      name: "a password without a source",
      input: { urls, auth: { username: "u", password: {} } },
      fault: "auth.password: must be the secret as text, or a map with either `file` or `value`",
    },
    { name: "an unknown protocol", input: { urls, protocol: "htcpcp" }, fault: 'protocol: "htcpcp" is not a protocol' },
    {
      name: "HTTP on secure ports",
      input: { urls, secureProtocol: "grpc" },
      fault: "secureProtocol: cannot be read by proxies on secure ports, where callers speak TLS; use HTTPS",
    },
    { name: "an unknown health", input: { urls, status: { DOWN: "dead" } }, fault: "status.DOWN: must be one of" },
    {
      name: "a namespace with a slash",
      input: { urls, namespace: "a/b" },
      fault: "namespace: must not contain a slash",
    },
    {
      name: "a key without its certificate",
      input: { urls: "https://a", tls: { key: { file: "k" } } },
      fault: "tls.cert: is missing: cert and key go together",
    },
    { name: "TLS for a plain URL", input: { urls, tls: {} }, fault: "urls[0]: must begin with https://" },
    { name: "no map", input: "a", fault: '(root): must be a map, not "a"' },
  ])("refuses $name", ({ input, fault }) => {
    expect(() => parseEurekaConfig(input)).toThrow(ConfigError);
    expect(() => parseEurekaConfig(input)).toThrow(fault);
  });

  it("shows no secret in a fault", () => {
    const input = { urls: "http://u:hidden@a/eureka", auth: { username: "u", password: ["hidden"] } };
    expect(() => parseEurekaConfig(input)).toThrow(
      expect.not.objectContaining({ message: expect.stringContaining("hidden") as string }) as Error,
    );
  });
});
