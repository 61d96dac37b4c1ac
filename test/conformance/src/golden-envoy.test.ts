import { readdirSync, readFileSync } from "node:fs";
import { provideEnvoy } from "@signalbox/test-servers";
import type { RenderedProxy } from "@signalbox/xds";
import { beforeAll, describe, expect, it } from "vitest";
import { refusal } from "./rules/envoy-validation.ts";

// What the golden tests of packages/xds say that clients get, given to Envoy.

const folder = new URL("../../../packages/xds/testdata/out/", import.meta.url);
const files = readdirSync(folder).sort();
const golden = (file: string) => JSON.parse(readFileSync(new URL(file, folder), "utf8")) as RenderedProxy;

describe("Envoy", () => {
  let envoy = "";
  beforeAll(async () => {
    envoy = await provideEnvoy();
  });

  it.each(files)("loads %s", async (file) => {
    expect(await refusal(envoy, [golden(file)])).toBe("");
  });

  it("refuses what is wrong in any part", async () => {
    const nothing = { listeners: [], routes: [], clusters: [], endpoints: [] };
    const address = { socketAddress: { address: "web.test", portValue: 80 } };
    const wrong: readonly RenderedProxy[] = [
      { ...nothing, listeners: [{ name: "a" }] },
      { ...nothing, routes: [{ name: "a", virtualHosts: [{ name: "b", domains: [] }] }] },
      { ...nothing, clusters: [{ name: "a", type: "EDS" }] },
      { ...nothing, endpoints: [{ clusterName: "a", endpoints: [{ lbEndpoints: [{ endpoint: { address } }] }] }] },
    ];
    for (const one of wrong) expect(await refusal(envoy, [one])).not.toBe("");
  });
});
