import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { builtModule, inPrivateNetwork } from "./private-network.ts";
import { provideEnvoy } from "./provide-envoy.ts";
import { provideKube } from "./provide-server.ts";

async function script(text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-network-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await writeFile(join(folder, "script.mjs"), text);
  return join(folder, "script.mjs");
}

describe("a private network", () => {
  it("has the wanted addresses on loopback and no way out", async () => {
    const text = `
      import { connect } from "node:net";
      import { networkInterfaces } from "node:os";
      const all = Object.values(networkInterfaces()).flat().map(({ cidr }) => cidr);
      connect(53, "192.0.2.1").on("error", (e) => console.log(JSON.stringify({ all, way: e.code, args: process.argv.slice(2) })));`;
    const addresses = ["10.244.1.5", "10.244.2.0/24", "fd00:244::5"];
    const output = JSON.parse(await inPrivateNetwork({ script: await script(text), addresses, args: ["a b"] })) as {
      all: string[];
    };
    expect(output).toMatchObject({ way: "ENETUNREACH", args: ["a b"] });
    const expected = ["127.0.0.1/8", "10.244.1.5/32", "10.244.2.0/24", "::1/128", "fd00:244::5/128"];
    expect(output.all.sort()).toEqual(expected.sort());
  });

  it("reports a script that fails with what it printed", async () => {
    const failing = inPrivateNetwork({ script: await script('throw new Error("no pods")') });
    await expect(failing).rejects.toMatchObject({ code: "SBX_COMMAND_FAILED" });
    await expect(failing).rejects.toThrow("no pods");
  });

  it("carries traffic through Envoy to addresses that the Kubernetes API takes for pods", async () => {
    // Nothing can be downloaded in there.
    await provideKube();
    await provideEnvoy();
    const pods = ["10.244.1.5", "10.244.1.6"];
    const scenario = builtModule("./pod-network.scenario.ts", import.meta.url);
    const output = await inPrivateNetwork({ script: scenario, addresses: pods, args: pods });
    expect(JSON.parse(output)).toEqual({ loopbackStatus: 422, answers: pods });
  });
});
