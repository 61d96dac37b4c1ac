import { describe, expect, it } from "vitest";
import { createAccess } from "./access.ts";

const check = createAccess(["Debug.Example.com"]);
const plain = { origin: undefined, fetchSite: undefined, fetchMode: undefined };

describe("the Host rule", () => {
  it.each([
    "localhost",
    "LOCALHOST:15014",
    "localhost.:15014",
    "a.localhost",
    "127.0.0.1:15014",
    "[::1]:15014",
    "10.1.2.3",
    "debug.example.com:15014",
  ])("lets %s pass", (host) => {
    expect(check({ ...plain, host }, {})).toBeUndefined();
  });

  it.each([
    undefined,
    "",
    "evil.example",
    "evil.example:15014",
    "localhost.evil.example",
    "127.0.0.1.evil.example",
    "evil.example#localhost",
    "localhost@evil.example",
    "evillocalhost",
    "127.0.0.1:15014:1",
    "[evil.example]",
  ])("refuses %s", (host) => {
    expect(check({ ...plain, host }, {})).toMatchObject({ status: 421, code: "SBX_HOST_REFUSED" });
  });

  it("does not look at the host where a route says so, but still at the origin", () => {
    expect(check({ ...plain, host: "xds-rest" }, { anyHost: true })).toBeUndefined();
    expect(check({ ...plain, host: "xds-rest", origin: "http://evil.example" }, { anyHost: true })).toMatchObject({
      status: 403,
    });
  });
});

describe("the Origin rule", () => {
  it.each(["http://localhost:3000", "http://127.0.0.1:15014", "https://debug.example.com"])(
    "lets %s pass",
    (origin) => {
      expect(check({ ...plain, host: "localhost", origin }, {})).toBeUndefined();
    },
  );

  it.each(["http://evil.example", "null", "", "file://", "http://localhost@evil.example"])("refuses %s", (origin) => {
    expect(check({ ...plain, host: "localhost", origin }, {})).toMatchObject({ status: 403 });
  });

  it.each([
    ["cross-site", "no-cors", {}, true],
    ["same-site", "cors", {}, true],
    ["cross-site", "navigate", {}, false],
    ["cross-site", "navigate", { noLinks: true }, true],
    ["same-origin", "cors", { noLinks: true }, false],
    ["none", "navigate", { noLinks: true }, false],
  ] as const)("with Sec-Fetch-Site %s and mode %s and %o refuses: %s", (fetchSite, fetchMode, rule, refuses) => {
    const refusal = check({ host: "localhost", origin: undefined, fetchSite, fetchMode }, rule);
    expect(refusal !== undefined).toBe(refuses);
  });
});
