// Two processes that discover, two that publish, and NATS or Redis between them: node examples/scale-out/run.mjs nats|redis
// The engine is the one at NATS_URL or REDIS_URL, or else a nats-server or redis-server of the PATH, which is started and ended.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { createInterface } from "node:readline";
import { setTimeout as delay } from "node:timers/promises";

const here = import.meta.dirname;
const program = join(here, "../../packages/signalbox/bin/signalbox.js");
const say = (text) => process.stdout.write(`${text}\n`);

const engines = {
  nats: {
    variable: "NATS_URL",
    scheme: "nats",
    server: "nats-server",
    flags: (port, dir) => ["-a", "127.0.0.1", "-p", port, "-js", "-sd", dir],
  },
  redis: {
    variable: "REDIS_URL",
    scheme: "redis",
    server: "redis-server",
    flags: (port, dir) => ["--bind", "127.0.0.1", "--port", port, "--dir", dir, "--appendonly", "yes"],
  },
};
const name = process.argv[2] ?? "nats";
const engine = engines[name];
if (engine === undefined) throw new Error(`usage: node examples/scale-out/run.mjs ${Object.keys(engines).join("|")}`);

const dir = await mkdtemp(join(tmpdir(), "signalbox-scale-out-"));
const services = join(dir, "services.yaml");
const children = new Set();

/** Starts a program that is ended with this one. */
function start(file, args, options) {
  const child = spawn(file, args, options);
  children.add(child);
  child.ended = new Promise((resolve, reject) => {
    child.once("error", reject);
    child.once("exit", resolve);
  }).finally(() => children.delete(child));
  // Who waits for it has the error as well.
  child.ended.catch((error) => say(`${file}: ${error.message}`));
  return child;
}

/** Starts `signalbox` in this folder, on free ports. Resolves with its debug address once it listens. */
function signalbox(...args) {
  say(`$ signalbox ${args.join(" ")}`);
  const env = { ...process.env, [engine.variable]: url, SERVICES: services, XDS_PORT: "0", DEBUG_PORT: "0" };
  const child = start(process.execPath, [program, ...args], { cwd: here, env, stdio: ["ignore", "ignore", "pipe"] });
  return new Promise((resolve, reject) => {
    child.ended.then(() => reject(new Error(`signalbox ${args[0]} ended`)), reject);
    createInterface({ input: child.stderr }).on("line", (line) => {
      const logged = line.startsWith("{") ? JSON.parse(line) : {};
      if (logged.event === "listening") resolve({ child, debug: logged.debug, xds: logged.xds });
      if (logged.level === "error") say(line);
    });
  });
}

/** Asks until the answer is a truth, for half a minute at most. */
async function until(what, ask) {
  for (const began = performance.now(); performance.now() - began < 30_000; await delay(20)) {
    const answer = await ask().catch(() => undefined);
    if (answer) return answer;
  }
  throw new Error(`waited in vain for ${what}`);
}

const page = async ({ debug }, path) => (await fetch(`${debug}${path}`)).text();
const leads = async (process_) => JSON.parse(await page(process_, "/debug/busz")).led;

/** Changes the endpoint of the service, and waits until both publishers have it. */
async function change(from, to) {
  const text = (await readFile(services, "utf8")).replace(from, to);
  await writeFile(`${services}.new`, text);
  const began = performance.now();
  await rename(`${services}.new`, services);
  const arrival = async (publisher) => {
    await until(`${to} on ${publisher.xds}`, async () => (await page(publisher, "/debug/endpointz")).includes(to));
    return `${publisher.xds} after ${(performance.now() - began).toFixed(0)} ms`;
  };
  say(`  ${to} is on ${(await Promise.all(publishers.map(arrival))).join(", on ")}`);
}

async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return String(port);
}

async function end() {
  for (const child of children) child.kill("SIGTERM");
  await Promise.allSettled([...children].map((child) => child.ended));
  await rm(dir, { recursive: true, force: true });
}
for (const signal of ["SIGINT", "SIGTERM"]) process.once(signal, () => void end().then(() => process.exit(1)));

let url = process.env[engine.variable];
let publishers = [];
try {
  if (url === undefined) {
    const port = await freePort();
    url = `${engine.scheme}://127.0.0.1:${port}`;
    say(`$ ${engine.server} (at ${url})`);
    const server = start(engine.server, engine.flags(port, dir), { stdio: "ignore" });
    await once(server, "spawn").catch(() => {
      throw new Error(`install ${engine.server}, or set ${engine.variable} to the address of one that runs`);
    });
  }
  await copyFile(join(here, "services.yaml"), services);

  const config = `${name}.yaml`;
  const discoverers = [
    await signalbox("discover", "--config", config),
    await signalbox("discover", "--config", config),
  ];
  publishers = [await signalbox("publish", "--config", config), await signalbox("publish", "--config", config)];
  const leader = await until("one that leads", async () => {
    for (const discoverer of discoverers) if (await leads(discoverer)) return discoverer;
  });
  const standby = discoverers.find((discoverer) => discoverer !== leader);

  say("A change in the file:");
  await change("127.0.0.1:9001", "127.0.0.1:9002");

  say("The process that leads is killed:");
  const began = performance.now();
  leader.child.kill("SIGKILL");
  await until("the standby to lead", () => leads(standby));
  say(`  the standby leads after ${((performance.now() - began) / 1000).toFixed(1)} s`);

  say("Another change:");
  await change("127.0.0.1:9002", "127.0.0.1:9003");
} finally {
  await end();
}
