import { builtModule, CommandFailedError, inPrivateNetwork, provideEnvoy, runCommand } from "@signalbox/test-servers";
import { expect, it } from "vitest";
import { addresses } from "./captured-addresses.ts";
import type { CapturedResult } from "./captured.scenario.ts";

it("all connections of a pod pass its sidecar, which knows services from other addresses, by rules", async (context) => {
  if (!(await hasIptables())) context.skip("no iptables on this machine");
  // Nothing can be downloaded in there.
  await provideEnvoy();
  const { app, outside, tcp, v1, v2 } = addresses;
  const script = builtModule("./captured.scenario.ts", import.meta.url);
  const output = await inPrivateNetwork({ script, addresses: [app, v1, v2, tcp, outside] });
  const { nacks, seen } = JSON.parse(output) as CapturedResult;
  expect(seen).toEqual({
    "a service by its address": "200 reviews v1",
    "its short name, with a header": "200 reviews v2",
    "a server that speaks first": "hello from the database",
    "an address that nobody knows": "200 outside",
    "the workload itself, from outside": "200 own",
    "the workload's scheme, as its application sees it": "http",
    "a port of the workload that no service has": "200 own, unknown port",
    "itself, by the address of its service": "200 own",
    "behind a Sidecar: a service it names": "200 reviews v1",
    "behind a Sidecar: a service it does not name": "closed",
    "behind a Sidecar: its own application": "200 own",
  });
  expect(nacks).toBe(0);
});

async function hasIptables(): Promise<boolean> {
  try {
    await runCommand("iptables", ["--version"]);
    return true;
  } catch (error) {
    if (error instanceof CommandFailedError) return false;
    throw error;
  }
}
