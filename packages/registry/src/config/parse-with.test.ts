import { describe, expect, it } from "vitest";
import { z } from "zod";
import { ConfigError } from "../config-error.ts";
import { listOf, namespace, portKeys, protocol, secret, texts, tls } from "./fields.ts";
import { parseWith } from "./parse-with.ts";

const schema = z.strictObject({
  names: texts.default([]),
  urls: listOf(z.url("must be a URL"), 1).optional(),
  protocol: protocol.default("HTTP"),
  portKeys: portKeys.prefault({}),
  token: secret.optional(),
  tls: tls.optional(),
  namespace: namespace.default("default"),
});

const faultsOf = (input: unknown, secrets?: readonly string[]): readonly string[] => {
  try {
    parseWith(schema, input, secrets);
    return [];
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.message.split("\n");
  }
};

describe("a configuration that is parsed with a schema", () => {
  it("has its defaults, and shorthands written out", () => {
    expect(parseWith(schema, { names: "a", token: "t", portKeys: { rpc: "h2c" }, protocol: "auto", tls: {} })).toEqual({
      names: ["a"],
      protocol: "UNSUPPORTED",
      portKeys: new Map([["rpc", "HTTP2"]]),
      token: { value: "t" },
      tls: { insecureSkipVerify: false },
      namespace: "default",
    });
  });

  it.each([
    { input: { names: [""] }, says: "names[0]: must not be empty" },
    { input: { urls: [] }, says: "urls: must not be empty" },
    { input: { urls: "x" }, says: "urls[0]: must be a URL" },
    { input: { protocol: "gopher" }, says: 'protocol: "gopher" is not a protocol' },
    { input: { portKeys: { rpc: "gopher" } }, says: 'portKeys.rpc: "gopher" is not a protocol' },
    { input: { token: {} }, says: "token: must be the secret as text, or a map with either `file` or `value`" },
    {
      input: { token: { env: "TOKEN" } },
      says: "token: has no `env`: write an environment variable as text, `${NAME}`",
    },
    { input: { tls: { ca: "x" } }, says: "tls.ca: must be a map with either `file` or `pem`" },
    { input: { tls: { key: { file: "x" } } }, says: "tls.cert: is missing: cert and key go together" },
    { input: { tls: { cert: { pem: "x" } } }, says: "tls.key: is missing: cert and key go together" },
    { input: { tls: { serverNmae: "x" } }, says: 'tls.serverNmae: unknown key; did you mean "serverName"?' },
    { input: { namespace: "a/b" }, says: "namespace: must not contain a slash" },
  ])("is refused: $says", ({ input, says }) => {
    expect(faultsOf(input)).toEqual([says]);
  });

  it("shows of a secret only what kind of value it is", () => {
    expect(faultsOf({ tls: { serverName: 77001 }, names: 77002 }, ["tls"])).toEqual([
      "names: must be a list, not 77002",
      "tls.serverName: must be text, not a number",
    ]);
  });
});
