import { mkdir, mkdtemp, readdir, readFile, rm, utimes, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { hashInputs, provideFolder } from "./cache.ts";

const folders: string[] = [];

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-cache-test-"));
  folders.push(folder);
  return folder;
}

afterEach(async () => {
  await Promise.all(folders.splice(0).map((folder) => rm(folder, { recursive: true })));
});

describe("provideFolder", () => {
  it("builds once for all who ask at the same time, and never again", async () => {
    const root = await temporaryFolder();
    let builds = 0;
    const ask = () =>
      provideFolder({
        root,
        name: "thing",
        build: async (folder) => {
          builds++;
          await writeFile(join(folder, "file"), "content");
        },
      });
    const answers = await Promise.all([ask(), ask(), ask()]);
    expect(new Set([...answers, await ask()])).toEqual(new Set([join(root, "thing")]));
    expect(builds).toBe(1);
    expect(await readFile(join(root, "thing", "file"), "utf8")).toBe("content");
    expect(await readdir(root)).toEqual(["thing"]);
  });

  it("leaves nothing behind when the build fails, and tries again when asked again", async () => {
    const root = await temporaryFolder();
    const broken = async (folder: string) => {
      await writeFile(join(folder, "half"), "");
      throw new Error("no network");
    };
    await expect(provideFolder({ root, name: "thing", build: broken })).rejects.toThrow("no network");
    expect(await readdir(root)).toEqual([]);
    await provideFolder({ root, name: "thing", build: async () => {} });
    expect(await readdir(root)).toEqual(["thing"]);
  });

  it.each([
    ["of a dead process", `${hostname()} 999999999`, 0],
    ["that nobody kept fresh", "another-machine 1", 60_000],
  ])("takes over a lock %s, and clears what was half built", async (_, owner, ageMs) => {
    const root = await temporaryFolder();
    const path = join(root, ".thing.lock");
    await writeFile(path, owner);
    await mkdir(join(root, ".building-thing-abc"));
    const then = new Date(Date.now() - ageMs);
    await utimes(path, then, then);
    await provideFolder({ root, name: "thing", build: async () => {}, signal: AbortSignal.timeout(5_000) });
    expect(await readdir(root)).toEqual(["thing"]);
  });

  it("waits for a live owner until the signal", async () => {
    const root = await temporaryFolder();
    await writeFile(join(root, ".thing.lock"), `${hostname()} ${process.pid}`);
    const reason = new Error("enough");
    const stop = new AbortController();
    let built = false;
    const build = () => {
      built = true;
      return Promise.resolve();
    };
    const attempt = provideFolder({ root, name: "thing", build, signal: stop.signal });
    // Longer than an unlocked build takes.
    const other = provideFolder({ root, name: "other", build: () => Promise.resolve() });
    await other.then(() => stop.abort(reason));
    await expect(attempt).rejects.toBe(reason);
    expect(built).toBe(false);
  });
});

it("the hash of a folder changes with each name, content and further text", async () => {
  const folder = await temporaryFolder();
  const hashes = [await hashInputs(folder), await hashInputs(folder, "flag")];
  await writeFile(join(folder, "a"), "1");
  hashes.push(await hashInputs(folder));
  await writeFile(join(folder, "a"), "2");
  hashes.push(await hashInputs(folder));
  await rm(join(folder, "a"));
  await writeFile(join(folder, "b"), "2");
  hashes.push(await hashInputs(folder));
  expect(new Set(hashes).size).toBe(5);
});
