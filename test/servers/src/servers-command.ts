import { readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { adsBootstrap } from "./bootstrap.ts";
import { cacheFolder } from "./cache.ts";
import { startConsul } from "./consul.ts";
import { startEnvoy } from "./envoy.ts";
import { startEureka } from "./eureka.ts";
import { startKube } from "./kube.ts";
import { startNats } from "./nats.ts";
import { freePort, isFreePort } from "./ports.ts";
import { prepareServers, serverNames } from "./prepare-servers.ts";
import type { ServerName } from "./prepare-servers.ts";
import { startRedis } from "./redis.ts";
import { composeDown } from "./shared-server.ts";
import { startSpringProvider } from "./spring-provider.ts";

const usage = `npm run servers -- up [${serverNames.join("|")}]…   starts them (all by default) until Ctrl-C
npm run servers -- down                  ends those of another terminal, and those of Docker Compose
npm run servers -- prepare [name]…       builds or installs what they need into the cache folder
`;

interface Running {
  /** What a person needs to use it. */
  readonly facts: Readonly<Record<string, string | undefined>>;
  readonly stop: () => Promise<void>;
}

/** What a server may need of those before it. */
interface Context {
  eurekaUrl?: string;
}

const start: Readonly<Record<ServerName, (signal: AbortSignal, context: Context) => Promise<Running>>> = {
  async consul(signal) {
    const consul = await startConsul({ port: await portNear(8500), data: "disk", acl: true, signal });
    return { facts: { url: consul.url, token: consul.token }, stop: () => consul.stop() };
  },
  async eureka(signal, context) {
    const eureka = await startEureka({ port: await portNear(8761), signal });
    context.eurekaUrl = eureka.url;
    return { facts: { url: eureka.url }, stop: () => eureka.stop() };
  },
  async kube(signal) {
    const kube = await startKube({ port: await portNear(6443), own: true, signal });
    const facts = { url: kube.url, kubeconfig: kube.kubeconfig, token: kube.adminToken, authority: kube.caFile };
    return { facts: { ...facts, etcd: kube.etcdUrl }, stop: () => kube.stop() };
  },
  async nats(signal) {
    const nats = await startNats({ port: await portNear(4222), signal });
    return { facts: { url: nats.url, monitor: nats.monitorUrl }, stop: () => nats.stop() };
  },
  async redis(signal) {
    const redis = await startRedis({ port: await portNear(6379), signal });
    return { facts: { url: redis.url }, stop: () => redis.stop() };
  },
  async spring(signal, { eurekaUrl = "http://127.0.0.1:8761/eureka" }) {
    const provider = await startSpringProvider({ eurekaUrl, name: "spring-provider", signal });
    return { facts: { url: provider.url, "registers with": eurekaUrl }, stop: () => provider.stop() };
  },
  async envoy(signal) {
    const node = { id: "sidecar~127.0.0.1~player.default~default.svc.cluster.local", cluster: "player" };
    const bootstrap = adsBootstrap({ node, xdsPort: 15010, mode: "delta", adminPort: await portNear(9901) });
    const envoy = await startEnvoy({ bootstrap, until: "admin", deadlineMs: 60_000, signal });
    const facts = {
      admin: `http://${envoy.adminAddress}`,
      "xDS from": "127.0.0.1:15010 (npm start)",
      files: envoy.dir,
    };
    return { facts, stop: () => envoy.stop() };
  },
};

const say = (text: string): void => void process.stdout.write(`${text}\n`);

/** The command line of `npm run servers`. Resolves with the exit code. */
export async function serversCommand(args: readonly string[]): Promise<number> {
  const [verb, ...rest] = args;
  const unknown = rest.filter((name) => !serverNames.some((known) => known === name));
  if (unknown.length > 0) return fail(`unknown server: ${unknown.join(", ")}\n${usage}`);
  const names = serverNames.filter((name) => rest.length === 0 || rest.includes(name));
  switch (verb) {
    case "prepare":
      return prepare(names);
    case "up":
      return up(names);
    case "down":
      return down();
    default:
      return fail(usage);
  }
}

async function prepare(names: readonly ServerName[]): Promise<number> {
  const started = performance.now();
  const results = await prepareServers(names, {
    onBuild: (name) => say(`building ${name} …`),
    onReady: ({ name, seconds, error }) => {
      if (error === undefined) say(`${name}: ready after ${seconds.toFixed(1)} s`);
      else say(`${name}: MISSING after ${seconds.toFixed(1)} s: ${text(error)}`);
    },
  });
  say(`all in ${((performance.now() - started) / 1000).toFixed(1)} s; cache folder ${cacheFolder(process.env)}`);
  return results.some((result) => result.error !== undefined) ? 1 : 0;
}

/** Starts what is named one after the other, so that each has the machine for itself, and stays until a signal. */
async function up(names: readonly ServerName[]): Promise<number> {
  if ((await prepare(names)) !== 0) return 1;
  const running: Running[] = [];
  const context: Context = {};
  const interrupted = new AbortController();
  const interrupt = (): void => interrupted.abort(new Error("interrupted"));
  process.on("SIGINT", interrupt).on("SIGTERM", interrupt);
  await writeFile(pidFile(), String(process.pid));
  let exitCode = 0;
  try {
    for (const name of names) {
      const started = performance.now();
      const server = await start[name](interrupted.signal, context);
      running.push(server);
      say(`\n${name}   (${((performance.now() - started) / 1000).toFixed(1)} s)`);
      for (const [fact, value] of Object.entries(server.facts)) if (value !== undefined) say(`  ${fact}: ${value}`);
    }
    say("\nCtrl-C ends them.");
    // A signal handler alone keeps nothing alive.
    const alive = setInterval(() => {}, 3_600_000);
    await new Promise<void>((resolve) => {
      if (interrupted.signal.aborted) resolve();
      else interrupted.signal.addEventListener("abort", () => resolve(), { once: true });
    });
    clearInterval(alive);
  } catch (error) {
    if (!interrupted.signal.aborted) exitCode = fail(text(error));
  } finally {
    await rm(pidFile(), { force: true });
    // The last one first: a provider takes itself out of a Eureka that still runs.
    for (const server of running.reverse())
      await server.stop().catch((error: unknown) => (exitCode = fail(text(error))));
  }
  return exitCode;
}

async function down(): Promise<number> {
  const pid = await readFile(pidFile(), "utf8").catch(() => "");
  // After a crash the file is still there and the id may be anybody's.
  const commandLine = pid === "" ? "" : await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  if (commandLine.includes("servers.js")) process.kill(Number(pid), "SIGTERM");
  else await rm(pidFile(), { force: true });
  await composeDown();
  return 0;
}

function pidFile(): string {
  return join(cacheFolder(process.env), "servers.pid");
}

async function portNear(usual: number): Promise<number> {
  return (await isFreePort(usual)) ? usual : freePort();
}

function fail(message: string): number {
  process.stderr.write(`${message}\n`);
  return 1;
}

function text(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
