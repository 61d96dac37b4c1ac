import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { ownPath } from "./cache.ts";
import { guardChild } from "./guard.ts";
import { provideRedis } from "./provide-redis.ts";
import { provideNats } from "./provide-server.ts";

/** `npm run servers` as a process, with a cache folder of its own. */
async function command() {
  const cache = await mkdtemp(join(tmpdir(), "signalbox-command-test-"));
  onTestFinished(() => rm(cache, { recursive: true }));
  const [nats, redis] = [await provideNats(), await provideRedis()];
  const own = { SIGNALBOX_CACHE: cache, SIGNALBOX_NATS: nats.file, SIGNALBOX_REDIS: redis.file };
  const run = (...args: readonly string[]) => {
    const child = spawn(process.execPath, [ownPath("bin", "servers.js"), ...args], {
      stdio: ["ignore", "pipe", "pipe"],
      env: { ...process.env, ...own },
    });
    guardChild(child);
    let output = "";
    const exited = once(child, "close").then(([code]) => code as number | null);
    const says = (text: string) =>
      new Promise<void>((resolve, reject) => {
        const look = () => {
          if (output.includes(text)) resolve();
        };
        child.stdout.on("data", look);
        void exited.then(() => reject(new Error(`it never said "${text}":\n${output}`)));
        look();
      });
    for (const stream of [child.stdout, child.stderr])
      stream.on("data", (chunk: Buffer) => (output += chunk.toString()));
    return { child, exited, says, output: () => output };
  };
  return { cache, run };
}

async function answers(url: string): Promise<boolean> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port) });
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

describe("npm run servers", () => {
  it.each(["Ctrl-C", "down"])("starts what is named, says where it is, and ends it all on %s", async (end) => {
    const { cache, run } = await command();
    const up = run("up", "redis", "nats");
    await up.says("Ctrl-C ends them.");
    const urls = [...up.output().matchAll(/^ {2}url: (\S+)$/gm)].map(([, url]) => url ?? "");
    expect(urls.map((url) => new URL(url).protocol)).toEqual(["nats:", "redis:"]);
    expect(await Promise.all(urls.map(answers))).toEqual([true, true]);
    if (end === "Ctrl-C") up.child.kill("SIGINT");
    else expect(await run("down").exited).toBe(0);
    expect(await up.exited).toBe(0);
    expect(await Promise.all(urls.map(answers))).toEqual([false, false]);
    expect(await readdir(cache)).toEqual([]);
  });

  it("leaves a stranger alone who got the process id of one that crashed", async () => {
    const { cache, run } = await command();
    const stranger = spawn("sleep", ["300"], { stdio: "ignore" });
    guardChild(stranger);
    await writeFile(join(cache, "servers.pid"), String(stranger.pid));
    expect(await run("down").exited).toBe(0);
    expect(stranger.exitCode ?? stranger.signalCode).toBeNull();
    expect(await readdir(cache)).toEqual([]);
    stranger.kill("SIGKILL");
  });

  it.each([
    [["up", "zookeeper"], "unknown server: zookeeper"],
    [[], "npm run servers -- up"],
  ])("refuses %j and says what it takes", async (args, text) => {
    const { run } = await command();
    const refused = run(...args);
    expect(await refused.exited).toBe(1);
    expect(refused.output()).toContain(text);
  });
});
