import { ConfigError } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { parseConsulConfig } from "./config.ts";

const url = "http://127.0.0.1:8500";

describe("parseConsulConfig", () => {
  it("fills in the defaults", () => {
    expect(parseConsulConfig({ url })).toEqual({
      url,
      datacenters: [],
      namespaces: [],
      partitions: [],
      include: { names: [], tags: [] },
      exclude: { names: ["consul"], tags: [] },
      kinds: ["typical"],
      concurrency: 150,
      waitSeconds: 30,
      timeoutSeconds: 10,
      rotationSeconds: 30,
      auditSeconds: 300,
      restartGraceSeconds: 300,
      consistency: { mode: "default", maxStaleSeconds: 10 },
      health: { warning: "healthy", critical: "unhealthy" },
      protocolKeys: ["protocol"],
      portKeys: new Map([
        ["gRPC_port", "GRPC"],
        ["gRPC.port", "GRPC"],
      ]),
      defaultProtocol: "UNSUPPORTED",
      tagSeparators: ["=", "|"],
      localityKeys: {
        region: ["region"],
        zone: ["zone", "availability-zone", "availability_zone"],
        subzone: ["subzone", "rack"],
      },
      domain: "consul",
      namespace: "default",
      maxAnswerBytes: 67_108_864,
    });
  });

  it.each([
    { token: "abc", parsed: { value: "abc" } },
    { token: { value: "abc" }, parsed: { value: "abc" } },
    { token: { file: "token" }, parsed: { file: "token" } },
  ])("takes a token as $token", ({ token, parsed }) => {
    expect(parseConsulConfig({ url, token }).token).toEqual(parsed);
  });

  it("takes one text for a list of one", () => {
    const config = parseConsulConfig({ url, datacenters: "dc2", include: { names: "web-*" }, protocolKeys: "proto" });
    expect(config).toMatchObject({ datacenters: ["dc2"], include: { names: ["web-*"] }, protocolKeys: ["proto"] });
  });

  it.each([
    { name: "no URL", input: {}, fault: "url: is missing" },
    { name: "another scheme", input: { url: "ftp://a" }, fault: "url: must be an http:// or https:// URL" },
    { name: "no URL at all", input: { url: "consul:8500" }, fault: "url: must be an http:// or https:// URL" },
    { name: "credentials in the URL", input: { url: "http://u:p@h" }, fault: "url: must hold no credentials" },
    {
      name: "a misspelt key",
      input: { url, datacentres: [] },
      fault: 'datacentres: unknown key; did you mean "datacenters"?',
    },
    {
      name: "a misspelt key below",
      input: { url, health: { warnings: "omit" } },
      fault: 'health.warnings: unknown key; did you mean "warning"?',
    },
    { name: "a wait too long", input: { url, waitSeconds: 61 }, fault: "waitSeconds: must be at most 60, not 61" },
    { name: "no concurrency", input: { url, concurrency: 0 }, fault: "concurrency: must be at least 1, not 0" },
    {
      name: "an unknown policy",
      input: { url, health: { warning: "maybe" } },
      fault: "health.warning: must be one of healthy, degraded, unhealthy, omit",
    },
    {
      name: "an unknown protocol",
      input: { url, defaultProtocol: "gopher" },
      fault: 'defaultProtocol: "gopher" is not a protocol',
    },
    {
      name: "an unknown mode",
      input: { url, consistency: { mode: "eventual" } },
      fault: "consistency.mode: must be one of default, stale",
    },
    {
      name: "a token of two places",
      input: { url, token: { file: "a", value: "b" } },
      fault: "token: must be the secret as text, or a map with either `file` or `value`",
    },
    {
      name: "a token of the environment",
      input: { url, token: { env: "CONSUL_HTTP_TOKEN" } },
      fault: "token: has no `env`: write an environment variable as text, `${NAME}`",
    },
    { name: "a port out of range", input: { url, servicePort: 0 }, fault: "servicePort: must be at least 1, not 0" },
    { name: "a list", input: [], fault: "(root): must be a map, not a list" },
  ])("refuses $name", ({ input, fault }) => {
    expect(() => parseConsulConfig(input)).toThrow(ConfigError);
    expect(() => parseConsulConfig(input)).toThrow(fault);
  });

  it("names no secret in what it refuses", () => {
    const secret = "0f6ad5c1-7a0b-4f4e";
    for (const input of [
      { url, token: { value: secret, file: 7 } },
      { url: `http://user:${secret}@host` },
      { url, tls: { key: secret } },
    ]) {
      expect(() => parseConsulConfig(input)).toThrow(
        expect.not.objectContaining({ message: expect.stringContaining(secret) as unknown }),
      );
    }
  });
});
