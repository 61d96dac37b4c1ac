import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { Role } from "../role.ts";
import { capturedContext } from "../testing/captured-context.ts";
import { daemonCommand } from "./daemon.ts";
import { planOf, withoutBus, type DaemonFlags } from "./plan.ts";

const flags = (more: Partial<DaemonFlags> = {}): DaemonFlags => ({
  consul: [],
  eureka: [],
  files: [],
  kubernetes: [],
  watch: false,
  ...more,
});
const planned = (role: Role, more: Partial<DaemonFlags>) => planOf(role, flags(more), capturedContext());

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "plan-test-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

describe("what a daemon is to do", () => {
  it("is over NATS with --nats, whose servers have commas between them", async () => {
    const { config, registries } = await planned("publish", { nats: "nats://a:4222, nats://b:4222", xdsPort: 15110 });
    expect(config.bus).toMatchObject({ type: "nats", name: "signalbox", servers: ["nats://a:4222", "nats://b:4222"] });
    expect(config.xds.plaintext).toMatchObject({ port: 15110 });
    expect(registries).toEqual([]);
  });

  it("is over Redis with --redis, beside the registries of other flags", async () => {
    const { config, registries } = await planned("discover", { redis: "redis://a:6379", consul: ["http://c:8500"] });
    expect(config.bus).toMatchObject({ type: "redis", url: "redis://a:6379" });
    expect(registries.map(({ id }) => id)).toEqual(["consul/consul"]);
  });

  it("is over one bus only", async () => {
    await expect(planned("publish", { nats: "a", redis: "redis://b" })).rejects.toMatchObject({
      exitCode: 2,
      message: "give either --nats or --redis: a catalog travels over one bus",
    });
  });

  it.each<{ role: Role; names: string }>([
    { role: "all", names: "--kubernetes, --consul, --eureka and --files" },
    { role: "discover", names: "--kubernetes, --consul, --eureka, --files, --nats and --redis" },
    { role: "publish", names: "--nats and --redis" },
  ])("comes from a file or from flags, not from both: $role", async ({ names, role }) => {
    const file = join(dir, "signalbox.yaml");
    writeFileSync(file, "{}");
    const both = { config: file, ...(role === "all" ? { consul: ["http://c:8500"] } : { nats: "a" }) };
    await expect(planned(role, both)).rejects.toMatchObject({
      exitCode: 2,
      message: `give either --config, or any of ${names}`,
    });
  });

  it.each<Role>(["discover", "publish"])("needs a bus, and says how to name one: %s", async (role) => {
    const file = join(dir, "signalbox.yaml");
    writeFileSync(file, "log: { level: silent }");
    const running = daemonCommand(role, flags({ config: file }), capturedContext());
    await expect(running).rejects.toMatchObject({ exitCode: 2, message: withoutBus(role) });
    expect(withoutBus(role)).toContain(`signalbox ${role}`);
    expect(withoutBus(role)).toContain("--nats nats://127.0.0.1:4222");
  });

  it("ends with the fault where the bus cannot be used", async () => {
    const file = join(dir, "signalbox.yaml");
    writeFileSync(file, "bus: { type: redis, url: http://a }\nlog: { level: silent }");
    await expect(daemonCommand("publish", flags({ config: file }), capturedContext())).rejects.toMatchObject({
      exitCode: 2,
      message: "bus: redis: the URL begins with redis:// or rediss://",
    });
  });
});
