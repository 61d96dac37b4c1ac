import { describe, expect, it } from "vitest";
import { redactor } from "./redact.ts";

const secret = "[redacted]";

describe("redaction", () => {
  it.each([
    ["password", true],
    ["DB_PASSWD", true],
    ["pwd", true],
    ["db-pwd", true],
    ["client.secret", true],
    ["accessToken", true],
    ["aws-credentials", true],
    ["api-key", true],
    ["KEY", true],
    ["kubectl.kubernetes.io/last-applied-configuration", true],
    ["app", false],
    ["version", false],
    ["keyspace", false],
    ["topology.kubernetes.io/zone", false],
    ["__proto__", false],
  ])("of the key %s is %s where no rules are given", (key, isSecret) => {
    const labels = Object.fromEntries([[key, "value"]]);
    const [[, value] = []] = Object.entries(redactor()({ labels }).labels);
    expect(value).toBe(isSecret ? secret : "value");
  });

  it.each([
    [["app"], { app: "1", version: secret, token: secret }],
    [["*"], { app: "1", version: "2", token: secret }],
    [["v*n", "token"], { app: secret, version: "2", token: "3" }],
    [[], { app: secret, version: secret, token: secret }],
    [["a.p"], { app: secret, version: secret, token: secret }],
  ])("with the allow-list %j gives %j", (allow, expected) => {
    expect(redactor({ allow })({ labels: { app: "1", version: "2", token: "3" } })).toEqual({ labels: expected });
  });

  it("reaches labels and annotations wherever they stand, and nothing else", () => {
    const given = {
      token: "outside of labels",
      records: [{ service: { labels: { token: "a" } }, instances: [{ labels: { token: "b" } }] }],
      objects: [{ annotations: { token: "c" }, spec: { endpoints: [{ labels: { token: "d", app: "e" } }] } }],
      metadata: { token: "f", labels: { token: "g" }, list: ["token"] },
    };
    expect(redactor()(given)).toEqual({
      token: "outside of labels",
      records: [{ service: { labels: { token: secret } }, instances: [{ labels: { token: secret } }] }],
      objects: [{ annotations: { token: secret }, spec: { endpoints: [{ labels: { token: secret, app: "e" } }] } }],
      metadata: { token: secret, labels: { token: secret }, list: ["token"] },
    });
  });
});
