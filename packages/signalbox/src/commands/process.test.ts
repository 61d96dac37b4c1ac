import { execFileSync, spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { connect } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { startFakeConsul } from "../testing/fake-consul.ts";

const packageFolder = join(import.meta.dirname, "..", "..");
const program = join(packageFolder, "bin", "signalbox.js");
const fakeEnvoy = join(packageFolder, "testdata", "envoy", "fake-envoy.mjs");

vi.setConfig({ testTimeout: 60_000 });

// The program is the built one: signals and exit codes belong to a process.
beforeAll(() => {
  const compiler = join(packageFolder, "..", "..", "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [compiler, "-b", packageFolder], { stdio: "inherit" });
}, 180_000);

let dir: string;
let children: ChildProcess[];
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "process-test-"));
  children = [];
});
afterEach(() => {
  for (const child of children) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

interface Program {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  out(): string;
  err(): string;
  /** The log lines with this event so far. */
  logged(event: string): Record<string, unknown>[];
  /** Waits for the nth log line with this event. */
  event(name: string, count?: number): Promise<Record<string, unknown>>;
}

function start(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Program {
  const child = spawn(process.execPath, [program, ...args], {
    cwd: dir,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  children.push(child);
  let out = "";
  let err = "";
  child.stdout.on("data", (part: Buffer) => (out += part.toString()));
  child.stderr.on("data", (part: Buffer) => (err += part.toString()));
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const logged = (event: string): Record<string, unknown>[] =>
    err
      .split("\n")
      .filter((line) => line.startsWith("{") && line.endsWith("}"))
      .map((line) => JSON.parse(line) as Record<string, unknown>)
      .filter((line) => line["event"] === event);
  return {
    ...{ child, exit, logged },
    out: () => out,
    err: () => err,
    event: (name, count = 1) => eventually(`${name} in ${err}`, () => logged(name)[count - 1], 20_000),
  };
}

function write(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(`${path}.new`, text);
  renameSync(`${path}.new`, path);
  return path;
}

function services(name: string, port: number): string {
  return `services:\n  - { name: ${name}, namespace: shop, ports: [8000/http], endpoints: ["127.0.0.1:${port}"] }\n`;
}

const quiet = "xds: {plaintext: {port: 0}, drainMs: 0}\ndebug: {port: 0}\n";
const oneRegistry = "registries:\n  - {provider: static, name: a, paths: [a.yaml]}\n";

async function endpoints(daemon: Program): Promise<string> {
  const { debug } = await daemon.event("listening");
  return (await fetch(`${String(debug)}/debug/endpointz?brief=1`)).text();
}

describe("signalbox run, as a process", () => {
  it("serves, and ends with 0 on SIGTERM", async () => {
    write("a.yaml", services("web", 9001));
    const daemon = start(["run", "--config", write("signalbox.yaml", quiet + oneRegistry)]);
    expect(await daemon.event("synced")).toMatchObject({ level: "info", services: 1, registries: ["static/a SYNCED"] });
    expect(await endpoints(daemon)).toContain("web.shop.svc.cluster.local");
    daemon.child.kill("SIGTERM");
    expect(await daemon.exit).toBe(0);
    expect(daemon.logged("stopped")).toHaveLength(1);
    expect(daemon.out()).toBe("");
  });

  it("warns when a source cannot be read, and when there is none", async () => {
    const config = `${quiet}registries: [{provider: static, name: gone, paths: [gone.yaml]}]\naggregate: {syncDeadlineMs: 2000}\n`;
    const dead = start(["run", "--config", write("dead.yaml", config)]);
    expect(await dead.event("synced")).toMatchObject({ level: "warn", registries: ["static/gone INIT UNREACHABLE"] });
    const empty = start(["run", "--config", write("empty.yaml", `${quiet}log: {format: pretty}\n`)]);
    await eventually("the words for a person", () => empty.err().includes("Ctrl-C"), 20_000);
    expect(empty.err()).toContain("WARN  config-empty");
    expect(empty.err()).toContain("Signalbox is up, but: there are no registries and no rules.");
    expect(empty.err()).toContain("  npx signalbox bootstrap --node");
  });

  it("reads the configuration again on SIGHUP", async () => {
    write("a.yaml", services("web", 9001));
    write("b.yaml", services("shop", 9002));
    const config = write("signalbox.yaml", quiet + oneRegistry);
    const daemon = start(["run", "--no-watch", "--config", config]);
    await daemon.event("synced");
    write(
      "signalbox.yaml",
      `${quiet}${oneRegistry}  - {provider: static, name: b, paths: [b.yaml]}\nmesh: {proxyHttpPort: 1}\n`,
    );
    daemon.child.kill("SIGHUP");
    expect(await daemon.event("config-reloaded")).toMatchObject({ added: ["static/b"], replaced: [], removed: [] });
    expect(await daemon.event("config-needs-restart")).toMatchObject({ fields: ["mesh.proxyHttpPort"] });
    await eventually("the new service", async () => (await endpoints(daemon)).includes("shop.shop.svc"));
    daemon.child.kill("SIGTERM");
    expect(await daemon.exit).toBe(0);
  });

  it("reloads when the configuration file changes, and keeps running on one with mistakes", async () => {
    write("a.yaml", services("web", 9001));
    write("b.yaml", services("shop", 9002));
    const daemon = start(["run", "--config", write("signalbox.yaml", quiet + oneRegistry)]);
    await daemon.event("synced");
    write("signalbox.yaml", `${quiet}registries:\n  - {provider: static, name: a, pahts: [b.yaml]}\n`);
    const { mistakes } = await daemon.event("config-rejected");
    expect(mistakes).toContainEqual(expect.stringMatching(/signalbox\.yaml:4:33: registries\[0\]\.pahts: unknown key/));
    expect(await endpoints(daemon)).toContain("web.shop.svc");
    write("signalbox.yaml", `${quiet}registries:\n  - {provider: static, name: a, paths: [b.yaml]}\n`);
    expect(await daemon.event("config-reloaded")).toMatchObject({ replaced: ["static/a"] });
    await eventually("the other service", async () => /^shop\.shop/m.test(await endpoints(daemon)));
    expect(await endpoints(daemon)).not.toContain("web.shop.svc");
    daemon.child.kill("SIGINT");
    expect(await daemon.exit).toBe(0);
  });

  it("is not ready while it sends clients away, and a SIGHUP then does not hurt", async () => {
    write("a.yaml", services("web", 9001));
    const slow = "xds: {plaintext: {port: 0}, drainMs: 1000}\ndebug: {port: 0}\n";
    const daemon = start(["run", "--config", write("signalbox.yaml", slow + oneRegistry)]);
    const { debug, xds } = await daemon.event("listening");
    const ready = async (): Promise<number> => (await fetch(`${String(debug)}/readyz`)).status;
    await eventually("readiness", async () => (await ready()) === 200);
    const session = connect(`http://${String(xds)}`);
    session.on("error", () => undefined);
    const stream = session.request({
      ":method": "POST",
      ":path": "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources",
      "content-type": "application/grpc",
    });
    stream.on("error", () => undefined);
    const connections = async (): Promise<string> => (await fetch(`${String(debug)}/debug/connections`)).text();
    await eventually("the client", async () => (await connections()).includes("127.0.0.1"));
    daemon.child.kill("SIGTERM");
    await eventually("unreadiness", async () => (await ready()) === 503);
    daemon.child.kill("SIGHUP");
    expect(await daemon.exit).toBe(0);
    session.destroy();
  });

  it("serves files without a configuration, and greets a person", async () => {
    write("a.yaml", services("web", 9001));
    write("signalbox.yaml", `${quiet}log: {format: pretty}\n${oneRegistry}`);
    const daemon = start(["run"]);
    const text = await eventually("the greeting", () => daemon.err().includes("Ctrl-C") && daemon.err());
    expect(text).toMatch(/registry {2}static\/a: 1 service \(synced\)/);
    const [, url] = /curl '(http:\/\/[^']+)' .*every endpoint/.exec(text) ?? [];
    expect(await (await fetch(url ?? "")).text()).toContain("web.shop.svc.cluster.local");
    daemon.child.kill("SIGTERM");
    expect(await daemon.exit).toBe(0);
  });

  it("ends with 2 and names the place when the configuration has a mistake", async () => {
    write("signalbox.yaml", "debug:\n  prot: 1\n");
    const daemon = start(["run", "--config", "signalbox.yaml"]);
    expect(await daemon.exit).toBe(2);
    expect(daemon.err()).toBe(
      'signalbox: the configuration has mistakes\nsignalbox.yaml:2:3: debug.prot: unknown key; did you mean "port"?\n',
    );
  });

  it("ends with 2 and says what to do when there is nothing to run", async () => {
    const daemon = start(["run"]);
    expect(await daemon.exit).toBe(2);
    for (const flag of ["--files services.yaml", "--kubernetes", "--consul http://", "--eureka http://"])
      expect(daemon.err()).toContain(`signalbox run ${flag}`);
  });

  it.each([
    { flags: ["--config", "a.yaml", "--consul", "http://127.0.0.1:1"], says: "give either --config, or any of" },
    { flags: ["--config", "a.yaml", "--xds-port", "0"], says: "a.yaml names the ports" },
    { flags: ["--consul", "somewhere"], says: "--consul: url must be an http:// or https:// URL" },
    { flags: ["--debug-port", "65536"], says: "It must be a whole number from 0 to 65535." },
  ])("ends with 2 and says why: $flags", async ({ flags, says }) => {
    const daemon = start(["run", ...flags]);
    expect(await daemon.exit).toBe(2);
    expect(daemon.err()).toContain(says);
  });

  it("serves what a Consul and files hold, by flags alone, even beside a configuration file", async () => {
    write("signalbox.yaml", "no: configuration\n");
    const consul = await startFakeConsul("secret");
    const files = [
      "--files",
      write("a.yaml", services("web", 9001)),
      "--files",
      write("b.yaml", services("shop", 9002)),
    ];
    const flags = ["run", "--consul", consul.url, ...files, "--xds-port", "0", "--debug-port", "0"];
    try {
      const daemon = start(flags, { CONSUL_HTTP_TOKEN: "secret" });
      expect(await daemon.event("synced")).toMatchObject({
        services: 3,
        registries: ["consul/consul SYNCED", "static/files SYNCED"],
      });
      const listed = await endpoints(daemon);
      for (const name of ["orders.service.consul", "web.shop.svc.cluster.local", "shop.shop.svc.cluster.local"])
        expect(listed).toContain(name);
      consul.add("payments");
      await eventually("the new service", async () => (await endpoints(daemon)).includes("payments.service.consul"));
      daemon.child.kill("SIGTERM");
      expect(await daemon.exit).toBe(0);
    } finally {
      await consul.stop();
    }
  });

  it.each([
    ["xds.plaintext.port", (port: number) => `xds: {plaintext: {port: ${port}}}\ndebug: false\n`],
    ["debug.port", (port: number) => `xds: {plaintext: {port: 0}}\ndebug: {port: ${port}}\n`],
  ])("ends with 1 and names the key when a port is taken: %s", async (key, text) => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    const port = typeof address === "object" && address !== null ? address.port : 0;
    const daemon = start(["run", "--config", write("signalbox.yaml", text(port))]);
    expect(await daemon.exit).toBe(1);
    const [failed] = daemon.logged("failed");
    const error = String(failed?.["error"]);
    expect(failed).toMatchObject({ level: "error" });
    expect(error).toMatch(
      new RegExp(`^${key}: listen EADDRINUSE: .* 127\\.0\\.0\\.1:${port}; does another Signalbox run here`),
    );
    expect(error).toMatch(/\(SBX_LISTEN\)$/);
    expect(error.match(/EADDRINUSE/g)).toHaveLength(1);
    await new Promise((resolve) => taken.close(resolve));
  });

  it("puts environment variables into the configuration", async () => {
    mkdirSync(join(dir, "sub"));
    write("sub/a.yaml", services("web", 9001));
    const config = write(
      "sub/signalbox.yaml",
      `${quiet}registries: [{provider: static, name: a, paths: ["\${FILE}"]}]\n`,
    );
    const daemon = start(["run", "--config", config], { FILE: "a.yaml" });
    expect(await daemon.event("synced")).toMatchObject({ services: 1 });
    daemon.child.kill("SIGTERM");
    expect(await daemon.exit).toBe(0);
  });
});

describe("other commands, as processes", () => {
  it("catalog prints and ends", async () => {
    const catalog = start(["catalog", "--rules", write("a.yaml", services("web", 9001)), "-o", "json"]);
    expect(await catalog.exit).toBe(0);
    expect(JSON.parse(catalog.out())).toMatchObject({ services: [{ hostname: "web.shop.svc.cluster.local" }] });
  });

  it("a usage error ends with 2", async () => {
    const wrong = start(["catlog"]);
    expect(await wrong.exit).toBe(2);
    expect(wrong.err()).toContain("Did you mean catalog?");
  });

  it("agent passes Envoy's output on, and drains it on SIGTERM", async () => {
    const record = join(dir, "record");
    const flags = ["--node", "edge", "--admin-port", "0", "--envoy", fakeEnvoy];
    const agent = start(["agent", ...flags, "--", "--record", record, "--speak"]);
    await agent.event("envoy-started");
    await eventually("Envoy's words", () => agent.out().includes("fake envoy speaks"));
    agent.child.kill("SIGTERM");
    expect(await agent.exit).toBe(0);
  });

  it("agent ends with 127 when Envoy is not there", async () => {
    const agent = start(["agent", "--node", "edge", "--envoy", join(dir, "no-envoy")]);
    expect(await agent.exit).toBe(127);
    expect(agent.err()).toContain("was not found; name Envoy's program with --envoy");
  });

  it("agent ends with Envoy's code when it gives up", async () => {
    const flags = ["--node", "edge", "--envoy", fakeEnvoy, "--max-restarts", "0"];
    const agent = start(["agent", ...flags, "--", "--record", join(dir, "record"), "--exit", "7"]);
    expect(await agent.exit).toBe(7);
  });
});
