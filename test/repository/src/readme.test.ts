import { spawn, type ChildProcess } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const root = join(import.meta.dirname, "../../..");
const program = join(root, "packages/signalbox/bin/signalbox.js");
const quickstart = join(root, "examples/quickstart/services.yaml");
const pages = [
  "README.md",
  ...readdirSync(join(root, "docs/guide"))
    .filter((name) => name.endsWith(".md"))
    .map((name) => `docs/guide/${name}`),
];

/** The code blocks of a page in a language, each with the number of its first line. */
function blocks(page: string, language: string): { readonly name: string; readonly code: string }[] {
  const text = readFileSync(join(root, page), "utf8");
  const pattern = new RegExp("^```" + language + "\\n([\\s\\S]*?)^```$", "gm");
  return [...text.matchAll(pattern)].map((match) => ({
    name: `${page}:${text.slice(0, match.index).split("\n").length + 1}`,
    code: match[1] ?? "",
  }));
}

vi.setConfig({ testTimeout: 60_000 });

let dir: string;
const running: ChildProcess[] = [];
beforeEach(() => {
  // Below the root, so that the packages of the workspace are found as a user's would be.
  mkdirSync(join(root, "node_modules/.cache"), { recursive: true });
  dir = mkdtempSync(join(root, "node_modules/.cache/readme-test-"));
});
afterEach(() => {
  for (const child of running.splice(0)) child.kill("SIGKILL");
  rmSync(dir, { recursive: true, force: true });
});

interface Run {
  readonly child: ChildProcess;
  readonly exit: Promise<number | null>;
  text(): string;
  /** Waits until the output matches and gives the first group. */
  says(pattern: RegExp): Promise<string>;
}

/** Runs Node in the folder of the test; gives what it says on both outputs. */
function node(args: readonly string[], environment: Readonly<Record<string, string>> = {}): Run {
  const child = spawn(process.execPath, args, {
    cwd: dir,
    env: { ...process.env, ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  running.push(child);
  let text = "";
  let told = (): void => {};
  for (const output of [child.stdout, child.stderr])
    output.on("data", (part: Buffer) => {
      text += part.toString();
      told();
    });
  const exit = new Promise<number | null>((resolve) => child.once("close", resolve));
  const says = (pattern: RegExp) =>
    new Promise<string>((resolve, reject) => {
      told = () => {
        const match = pattern.exec(text);
        if (match !== null) resolve(match[1] ?? match[0]);
      };
      void exit.then(() => reject(new Error(`ended without ${String(pattern)}: ${text}`)));
      told();
    });
  return { child, exit, text: () => text, says };
}

function write(name: string, text: string): string {
  const path = join(dir, name);
  writeFileSync(path, text);
  return path;
}

/** What a yaml block is: a whole configuration, rules that belong into one, a file of services, or none of them. */
function kindOf(code: string): "configuration" | "remote" | "rules" | "services" | "other" {
  if (/provider: (consul|eureka|kubernetes)/.test(code)) return "remote";
  if (/^(identity|drift|guards):/m.test(code) || /^ {2}- match:/m.test(code)) return "rules";
  if (/^services:/m.test(code)) return "services";
  return /^(registries|rules|mesh|xds|debug|log|aggregate):/m.test(code) ? "configuration" : "other";
}

const yaml = pages.flatMap((page) => blocks(page, "yaml"));
const configurations = yaml
  .filter(({ code }) => kindOf(code) === "configuration")
  .map((block) => [block.name, block] as const);
const partial = yaml
  .filter(({ code }) => ["remote", "rules"].includes(kindOf(code)))
  .map((block) => [block.name, block] as const);
const services = yaml.filter(({ code }) => kindOf(code) === "services").map((block) => [block.name, block] as const);
const programs = pages.flatMap((page) => blocks(page, "ts")).map((block) => [block.name, block] as const);

describe("the examples in the README and the guide", () => {
  it("are found", () => {
    expect([configurations.length >= 3, services.length >= 2, programs.length >= 2]).toEqual([true, true, true]);
  });

  it.each(configurations)("a configuration has no mistakes: %s", async (_name, { code }) => {
    write("services.yaml", readFileSync(quickstart, "utf8"));
    for (const folder of ["services", "rules"]) mkdirSync(join(dir, folder));
    const run = node([program, "catalog", "--config", write("signalbox.yaml", code)]);
    expect(await run.exit, run.text()).toBe(0);
  });

  it.each(partial)("a part of a configuration has no mistakes: %s", async (_name, { code }) => {
    write("services.yaml", readFileSync(quickstart, "utf8"));
    const registry = "registries: [{ provider: static, name: main, paths: [services.yaml] }]";
    // Nobody answers at the addresses of the examples: what matters is that nothing is wrong with what is written.
    const whole = kindOf(code) === "rules" ? `${registry}\n${code}` : `${code}\naggregate: { syncDeadlineMs: 100 }\n`;
    const run = node([program, "catalog", "--config", write("signalbox.yaml", whole)]);
    expect(await run.exit, run.text()).toBe(kindOf(code) === "rules" ? 0 : 1);
    expect(run.text()).not.toContain("signalbox.yaml:");
  });

  it.each(services)("a file of services has no mistakes: %s", async (_name, { code }) => {
    const run = node([program, "catalog", "--rules", write("services.yaml", code)]);
    expect(await run.exit, run.text()).toBe(0);
    expect(run.text()).toContain("svc.cluster.local");
  });

  it.each(programs)("a program runs and hears of a service: %s", async (_name, { code }) => {
    mkdirSync(join(dir, "services"));
    for (const name of ["services.yaml", "services/a.yaml"]) write(name, readFileSync(quickstart, "utf8"));
    // The default ports may be taken on the machine that tests, and a minute is too long for a test.
    const free = code
      .replace("createSignalbox({", "createSignalbox({ xds: { plaintext: { port: 0 }, drainMs: 0 }, debug: false,")
      .replace("60_000", "3_000");
    expect(free).not.toBe(code);
    const run = node([write("program.mjs", free)]);
    expect(await run.exit, run.text()).toBe(0);
    expect(run.text()).toContain("orders.shop.svc.cluster.local");
  });
});

describe("examples/grpc-client", () => {
  it("reaches its server by the bootstrap that the command prints", async () => {
    const example = join(root, "examples/grpc-client");
    const backend = await node([join(example, "server.mjs"), "0"]).says(/listening on (\S+)\n/);
    write(
      "services.yaml",
      `services: [{ name: payments, namespace: shop, ports: [{ name: grpc, number: 7070 }], endpoints: ["${backend}"] }]\n`,
    );
    const config = write(
      "signalbox.yaml",
      "registries: [{ provider: static, name: a, paths: [services.yaml] }]\nxds: { plaintext: { port: 0 } }\ndebug: false\n",
    );
    const daemon = node([program, "run", "--config", config]);
    const address = await daemon.says(/"xds":"([^"]+)"/);
    await daemon.says(/"event":"synced"/);
    const printed = node([program, "bootstrap", "--grpc", "--node", "client-1", "--xds-address", address]);
    expect(await printed.exit).toBe(0);
    const bootstrap = write("grpc.json", printed.text());
    const client = node([join(example, "client.mjs")], { GRPC_XDS_BOOTSTRAP: bootstrap });
    expect(await client.exit, client.text()).toBe(0);
    expect(client.text()).toContain("payments.shop.svc.cluster.local:7070 is SERVING");
  });
});

describe("npm start", () => {
  it("ends when a supervisor ends the shell that npm starts", async () => {
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as { scripts: { start: string } };
    const config = write("signalbox.yaml", "xds: { plaintext: { port: 0 }, drainMs: 0 }\ndebug: { port: 0 }\n");
    const script = scripts.start.replace("examples/quickstart/signalbox.yaml", config);
    expect(script).toContain(config);
    const shell = spawn("sh", ["-c", script], { cwd: root, stdio: ["ignore", "ignore", "pipe"] });
    running.push(shell);
    let log = "";
    const synced = new Promise<void>((resolve) =>
      shell.stderr.on("data", (part: Buffer) => {
        log += part.toString();
        if (log.includes('"event":"synced"')) resolve();
      }),
    );
    const exit = new Promise((resolve) => shell.once("exit", (code, signal) => resolve(code ?? signal)));
    await Promise.race([synced, exit]);
    shell.kill("SIGTERM");
    expect(await exit, log).toBe(0);
    expect(log).toContain('"event":"stopped"');
  });
});
