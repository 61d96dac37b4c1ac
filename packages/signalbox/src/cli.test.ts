import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Command } from "commander";
import { describe, expect, it } from "vitest";
import { createProgram, main } from "./cli.ts";
import { capturedContext } from "./testing/captured-context.ts";

const packageFolder = join(import.meta.dirname, "..");

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const context = capturedContext();
  const code = await main(args, context);
  return { code, out: context.out(), err: context.err() };
}

function commands(): readonly Command[] {
  return createProgram(capturedContext(), () => {}).commands;
}

describe("the command line", () => {
  it.each(commands().map((command) => [command.name()]))(
    "%s --help teaches with two or three examples",
    async (name) => {
      const { code, out } = await run(name, "--help");
      expect(code).toBe(0);
      const examples = out
        .slice(out.indexOf("Examples:"))
        .split("\n")
        .filter((line) => line.startsWith("  $ "));
      expect(examples.length).toBeGreaterThanOrEqual(2);
      expect(examples.length).toBeLessThanOrEqual(3);
    },
  );

  it("tells of no command that looks for processes by name, and of every type of proxy", async () => {
    expect((await run("run", "--help")).out).toContain("kill -HUP <pid>");
    expect((await run("render", "--help")).out.replace(/\s+/g, " ")).toContain("sidecar, router, plain or grpc");
  });

  it("explains every flag and argument", () => {
    const silent = commands().flatMap((command) =>
      command.options.filter((option) => option.description === "").map((option) => option.flags),
    );
    expect(silent).toEqual([]);
  });

  it.each([
    { args: [], says: "Usage: signalbox" },
    { args: ["catlog"], says: "unknown command 'catlog'\n(Did you mean catalog?)" },
    { args: ["catalog", "--rulez", "x"], says: "(Did you mean --rules?)" },
    { args: ["bootstrap"], says: "required option '--node <id>' not specified" },
    { args: ["bootstrap", "--node", "a", "--xds-address", "nowhere"], says: '"nowhere" is not an address' },
    { args: ["bootstrap", "--node", "a", "--delta", "--sotw"], says: "cannot be used with" },
    { args: ["bootstrap", "--node", "a", "--tls-ca", "x"], says: "--tls-ca, --tls-cert and --tls-key belong together" },
    { args: ["bootstrap", "--node", "a", "--metadata", "x"], says: '"x" is not metadata' },
    { args: ["bootstrap", "--node", "a", "--admin-port", "1e3"], says: "whole number from 0 to 65535" },
    { args: ["bootstrap", "--node", " "], says: "--node must not be empty" },
    { args: ["agent", "--node", ""], says: "--node must not be empty" },
    { args: ["version", "extra"], says: "too many arguments" },
    { args: ["catalog"], says: "--config or --rules" },
    { args: ["catalog", "--config", "a", "--rules", "b"], says: "--config or --rules" },
  ])("ends with 2 and says why: $args", async ({ args, says }) => {
    const { code, err } = await run(...args);
    expect(err).toContain(says);
    expect(code).toBe(2);
  });

  it("prints its version", async () => {
    const { version } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as { version: string };
    expect(await run("version")).toMatchObject({ code: 0, out: `${version}\n` });
    expect(await run("--version")).toMatchObject({ code: 0, out: `${version}\n` });
  });

  it("prints the schema that is published with the package", async () => {
    const { out } = await run("schema");
    const file = join(packageFolder, "config.schema.json");
    if (process.env["UPDATE_GOLDEN"] === "1") writeFileSync(file, out);
    const schema = JSON.parse(out) as { properties: object };
    expect(schema).toEqual(JSON.parse(readFileSync(file, "utf8")));
    expect(Object.keys(schema.properties)).toContain("registries");
  });

  it("prints a bootstrap for Envoy as YAML and JSON", async () => {
    const flags = ["bootstrap", "--node", "edge-1", "--sotw", "--xds-address", "[::1]:9", "--admin-port", "0"];
    expect((await run(...flags)).out).toContain("api_type: GRPC\n");
    const { out } = await run(...flags, "--metadata", "A=1", "--metadata", 'LABELS={"app":"x"}', "-o", "json");
    expect(JSON.parse(out)).toMatchObject({
      node: { id: "edge-1", cluster: "edge-1", metadata: { A: "1", LABELS: { app: "x" } } },
      admin: { address: { socket_address: { address: "127.0.0.1", port_value: 0 } } },
    });
  });

  it.each([
    ["sidecar~web-1.shop~shop.svc.cluster.local", "it has 3 parts and not 4"],
    ["sidecar~web~web-1.shop~shop.svc.cluster.local", '"web" is not an IP address'],
    ["waypoint~10.0.0.1~web-1.shop~shop.svc.cluster.local", 'its type is "waypoint" and not sidecar or router'],
    ["router~10.0.0.1~~shop.svc.cluster.local", "a part is empty"],
  ])("warns of the node id %s", async (node, says) => {
    const { code, err, out } = await run("bootstrap", "--node", node);
    expect(code).toBe(0);
    expect(err).toContain("signalbox: warning:");
    expect(err).toContain(says);
    expect(out).toContain("dynamic_resources");
  });

  it.each([
    "edge-1",
    "sidecar~10.1.1.3~web-1.shop~shop.svc.cluster.local",
    "router~::1~gw.edge~edge.svc.cluster.local",
  ])("takes the node id %s without a word", async (node) => {
    expect((await run("bootstrap", "--node", node)).err).toBe("");
  });

  it("prints a bootstrap for gRPC as JSON", async () => {
    const { out } = await run("bootstrap", "--node", "client", "--grpc");
    expect(JSON.parse(out)).toMatchObject({
      xds_servers: [
        { server_uri: "127.0.0.1:15010", channel_creds: [{ type: "insecure" }], server_features: ["xds_v3"] },
      ],
      node: { id: "client", metadata: { GENERATOR: "grpc" } },
    });
  });
});
