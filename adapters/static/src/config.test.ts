import { ConfigError } from "@signalbox/registry";
import { describe, expect, it } from "vitest";
import { parseStaticConfig } from "./config.ts";

describe("parseStaticConfig", () => {
  it("fills in the defaults", () => {
    expect(parseStaticConfig({ paths: "services" })).toEqual({
      paths: ["services"],
      namespace: "default",
      domain: "cluster.local",
      maxFileBytes: 16_777_216,
    });
  });

  it("keeps what is given", () => {
    const config = {
      paths: ["a.yaml", "b/*.json"],
      namespace: "shop",
      domain: "mesh",
      cluster: "c1",
      maxFileBytes: 10,
    };
    expect(parseStaticConfig(config)).toEqual(config);
  });

  it.each([
    { name: "no paths", input: {}, fault: "paths: is missing" },
    { name: "an empty list", input: { paths: [] }, fault: "paths: must not be empty" },
    { name: "an empty path", input: { paths: ["a", ""] }, fault: "paths[1]: must not be empty" },
    { name: "a path of another type", input: { paths: [7] }, fault: "paths[0]: must be text, not 7" },
    { name: "a misspelt key", input: { paths: "a", pathes: "b" }, fault: 'pathes: unknown key; did you mean "paths"?' },
    {
      name: "an unknown key",
      input: { paths: "a", token: "b" },
      fault: "token: unknown key; known here: cluster, domain, maxFileBytes, namespace, paths",
    },
    { name: "a bad limit", input: { paths: "a", maxFileBytes: 0 }, fault: "maxFileBytes: must be at least 1, not 0" },
    { name: "no map", input: "a", fault: '(root): must be a map, not "a"' },
  ])("refuses $name", ({ input, fault }) => {
    expect(() => parseStaticConfig(input)).toThrow(ConfigError);
    expect(() => parseStaticConfig(input)).toThrow(fault);
  });
});
