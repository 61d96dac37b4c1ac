import { chmod, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { provideRedis } from "./provide-redis.ts";
import { provideConsul, provideJava, provideKube, provideNats } from "./provide-server.ts";

const folders: string[] = [];

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-provide-test-"));
  folders.push(folder);
  return folder;
}

/** A folder with programs that print a version and no more. */
async function programs(versions: Readonly<Record<string, string>>): Promise<string> {
  const folder = await temporaryFolder();
  for (const [name, version] of Object.entries(versions)) {
    await writeFile(join(folder, name), `#!/bin/sh\necho '${version}'\n`);
    await chmod(join(folder, name), 0o755);
  }
  return folder;
}

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

describe("a server's program", () => {
  it.each([
    ["SIGNALBOX_CONSUL", provideConsul],
    ["SIGNALBOX_KUBE", provideKube],
    ["SIGNALBOX_NATS", provideNats],
    ["SIGNALBOX_REDIS", provideRedis],
  ])("must be executable when %s names it", async (variable, provide) => {
    const env = { PATH: "", [variable]: "/nonexistent/server" };
    await expect(provide({ env })).rejects.toMatchObject({ code: "SBX_SERVER_UNAVAILABLE" });
    await expect(provide({ env })).rejects.toThrow(`${variable} is set to /nonexistent/server`);
  });

  it("is taken from the variable, whatever its version", async () => {
    const folder = await programs({ consul: "Consul v1.0.0" });
    const env = { PATH: "", SIGNALBOX_CONSUL: join(folder, "consul") };
    expect(await provideConsul({ env })).toEqual({ file: join(folder, "consul"), args: [] });
  });

  it("is taken from the PATH if the version is right", async () => {
    const old = await programs({ consul: "Consul v1.9.0", "nats-server": "nats-server: v2.9.10" });
    const right = await programs({
      consul: "Consul v1.22.3",
      "nats-server": "nats-server: v2.11.1",
      "redis-server": "Redis server v=7.0.15 sha=00000000:0",
      etcd: "etcd Version: 3.6.8",
      "kube-apiserver": "Kubernetes v1.36.0",
    });
    const env = { PATH: `${old}:${right}:/usr/bin:/bin` };
    expect((await provideConsul({ env })).file).toBe(join(right, "consul"));
    expect((await provideNats({ env })).file).toBe(join(right, "nats-server"));
    expect((await provideRedis({ env })).file).toBe(join(right, "redis-server"));
    expect(await provideKube({ env })).toEqual({
      etcd: { file: join(right, "etcd"), args: [] },
      apiserver: { file: join(right, "kube-apiserver"), args: [] },
    });
  });

  it.each([
    ["consul", provideConsul, "SIGNALBOX_CONSUL"],
    ["kube", provideKube, "go build"],
    ["eureka-server", (options: object) => provideJava("eureka-server", options), "mvn"],
    ["redis", provideRedis, "apt-get install redis-server"],
  ])("is refused with advice where there is nothing to build it with: %s", async (server, provide, advice) => {
    const cache = await temporaryFolder();
    const attempt = provide({ env: { PATH: cache, SIGNALBOX_CACHE: cache } });
    await expect(attempt).rejects.toMatchObject({ code: "SBX_SERVER_UNAVAILABLE", server });
    await expect(attempt).rejects.toThrow(advice);
    expect(await readdir(cache)).toEqual([]);
  });
});
