import { mkdir, mkdtemp, open, realpath, rename, rm, symlink, unlink, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { WatchDirectory } from "./directory.ts";
import type { FileBatch } from "./scanner.ts";
import { readFiles, watchDocuments, type WatchDocumentsOptions } from "./watch-documents.ts";

let root: string;
const stops: (() => Promise<void>)[] = [];

beforeEach(async () => {
  root = await realpath(await mkdtemp(join(tmpdir(), "signalbox-files-")));
});

afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(root, { recursive: true, force: true });
});

/** Folds batches into what the files hold now, and lets a test wait for a state. */
class Observer {
  readonly batches: FileBatch[] = [];
  readonly texts = new Map<string, string>();
  failures: readonly string[] = [];
  unchanged = 0;
  readonly seen: string[] = [];
  #check: (() => void) | undefined;

  take(batch: FileBatch): void {
    this.batches.push(batch);
    for (const { path, text } of batch.changed) {
      this.texts.set(relative(root, path), text);
      this.seen.push(text);
    }
    for (const path of batch.removed) this.texts.delete(relative(root, path));
    this.failures = batch.failures.map(({ path, code }) => `${relative(root, path)} ${code}`);
    this.#check?.();
  }

  idle(): void {
    this.unchanged++;
    this.#check?.();
  }

  get state(): Record<string, string> {
    return Object.fromEntries([...this.texts].sort());
  }

  async until(holds: () => boolean): Promise<void> {
    const timeout = AbortSignal.timeout(4_000);
    await new Promise<void>((resolve, reject) => {
      const check = () => {
        if (holds()) resolve();
      };
      this.#check = check;
      timeout.addEventListener("abort", () => {
        reject(new Error(`still ${JSON.stringify([this.state, this.failures])}`));
      });
      check();
    });
  }

  async untilText(name: string, text: string | undefined): Promise<void> {
    await this.until(() => this.texts.get(name) === text);
  }
}

async function start(paths: string[], options: Partial<WatchDocumentsOptions> = {}): Promise<Observer> {
  const observer = new Observer();
  const controller = new AbortController();
  const run = watchDocuments({
    paths,
    baseDir: root,
    signal: controller.signal,
    onChange: (batch) => observer.take(batch),
    onUnchanged: () => observer.idle(),
    ...options,
  });
  stops.push(async () => {
    controller.abort();
    await run;
  });
  await observer.until(() => observer.batches.length > 0);
  return observer;
}

const at = (name: string) => join(root, name);
const put = (name: string, text: string) => writeFile(at(name), text);
async function replace(name: string, text: string): Promise<void> {
  await writeFile(at(`${name}.tmp`), text);
  await rename(at(`${name}.tmp`), at(name));
}

describe("watchDocuments", () => {
  it("starts with one batch of all documents below a directory, and skips other files and dot names", async () => {
    await mkdir(at("sub/deep"), { recursive: true });
    await mkdir(at(".git"));
    await Promise.all([
      put("a.yaml", "a"),
      put("sub/b.json", "b"),
      put("sub/deep/c.yml", "c"),
      put("notes.txt", "-"),
      put(".hidden.yaml", "-"),
      put(".git/d.yaml", "-"),
    ]);
    const observer = await start(["."]);
    expect(observer.state).toEqual({ "a.yaml": "a", "sub/b.json": "b", "sub/deep/c.yml": "c" });
    expect(observer.batches).toMatchObject([{ initial: true, removed: [], failures: [] }]);
    expect(observer.batches[0]?.changed[0]?.hash).toMatch(/^[0-9a-f]{64}$/);
  });

  it("says an empty directory with an empty batch", async () => {
    const observer = await start(["."]);
    expect(observer.batches).toEqual([{ initial: true, changed: [], removed: [], failures: [] }]);
  });

  it("sees every one of many atomic renames of one file", async () => {
    await put("a.yaml", "0");
    const observer = await start(["a.yaml"]);
    for (let turn = 1; turn <= 20; turn++) {
      await replace("a.yaml", String(turn));
      await observer.untilText("a.yaml", String(turn));
    }
    expect(observer.seen).toEqual(Array.from({ length: 21 }, (_, turn) => String(turn)));
  });

  it("never shows a file that is half written in place", async () => {
    const whole = (turn: number) => `${String(turn).repeat(10_000)}end`;
    await put("a.yaml", whole(0));
    const observer = await start(["a.yaml"]);
    for (let turn = 1; turn <= 5; turn++) {
      const file = await open(at("a.yaml"), "w");
      const text = whole(turn);
      for (let part = 0; part < 5; part++) {
        await file.write(text.slice((part * text.length) / 5, ((part + 1) * text.length) / 5));
      }
      await file.close();
      await observer.untilText("a.yaml", text);
    }
    expect(observer.seen).toEqual([0, 1, 2, 3, 4, 5].map(whole));
  });

  it("never shows a new file that is half written", async () => {
    const observer = await start(["."]);
    const text = `${"x".repeat(50_000)}end`;
    for (let turn = 0; turn < 10; turn++) {
      const file = await open(at(`${turn}.yaml`), "w");
      await file.write(text.slice(0, 20_000));
      await file.write(text.slice(20_000));
      await file.close();
    }
    await observer.until(() => observer.texts.size === 10);
    expect(new Set(observer.seen)).toEqual(new Set([text]));
  });

  it("sees each swap of a mounted ConfigMap as one batch", async () => {
    const volume = async (generation: number) => {
      await mkdir(at(`..v${generation}`));
      await put(`..v${generation}/a.yaml`, `a${generation}`);
      await put(`..v${generation}/b.yaml`, `b${generation}`);
      await symlink(`..v${generation}`, at("..data_tmp"));
      await rename(at("..data_tmp"), at("..data"));
    };
    await volume(0);
    await symlink("..data/a.yaml", at("a.yaml"));
    await symlink("..data/b.yaml", at("b.yaml"));
    const observer = await start(["."]);
    for (let generation = 1; generation <= 5; generation++) {
      await volume(generation);
      await rm(at(`..v${generation - 1}`), { recursive: true });
      await observer.untilText("b.yaml", `b${generation}`);
      expect(observer.state).toEqual({ "a.yaml": `a${generation}`, "b.yaml": `b${generation}` });
    }
    expect(observer.batches.map((batch) => batch.changed.length)).toEqual([2, 2, 2, 2, 2, 2]);
    expect(observer.batches.every((batch) => batch.removed.length + batch.failures.length === 0)).toBe(true);
  });

  it("sees a swap as one batch also where one of its files was written long before the other", async () => {
    const volume = async (generation: number) => {
      const folder = `..v${generation}`;
      await mkdir(at(folder));
      await put(`${folder}/a.yaml`, `a${generation}`);
      await utimes(at(`${folder}/a.yaml`), 1000, 1000 + generation);
      await put(`${folder}/b.yaml`, `b${generation}`);
      await symlink(folder, at("..data_tmp"));
      await rename(at("..data_tmp"), at("..data"));
    };
    await volume(0);
    await symlink("..data/a.yaml", at("a.yaml"));
    await symlink("..data/b.yaml", at("b.yaml"));
    const observer = await start(["."]);
    await volume(1);
    await observer.untilText("b.yaml", "b1");
    expect(observer.batches.map((batch) => batch.changed.length)).toEqual([2, 2]);
  });

  it("does not call a file gone that is deleted and created again at once", async () => {
    await put("a.yaml", "old");
    const observer = await start(["a.yaml"]);
    await unlink(at("a.yaml"));
    await put("a.yaml", "new");
    await observer.untilText("a.yaml", "new");
    expect(observer.batches.flatMap((batch) => [...batch.removed, ...batch.failures])).toEqual([]);
  });

  it("removes a deleted file and takes it again when it comes back", async () => {
    await put("a.yaml", "a");
    await put("b.yaml", "b");
    const observer = await start(["."]);
    await unlink(at("a.yaml"));
    await observer.untilText("a.yaml", undefined);
    expect(observer.state).toEqual({ "b.yaml": "b" });
    expect(observer.failures).toEqual([]);
    await put("a.yaml", "a");
    await observer.untilText("a.yaml", "a");
  });

  it("tells a file under its new name together with the end of the old one", async () => {
    await put("a.yaml", "a");
    const observer = await start(["."]);
    await rename(at("a.yaml"), at("b.yaml"));
    await observer.untilText("b.yaml", "a");
    expect(observer.state).toEqual({ "b.yaml": "a" });
    expect(observer.batches).toHaveLength(2);
  });

  it("says of a file with the same content only that nothing changed", async () => {
    await put("a.yaml", "same");
    await put("b.yaml", "1");
    const observer = await start(["."]);
    await replace("a.yaml", "same");
    await observer.until(() => observer.unchanged > 0);
    await replace("b.yaml", "2");
    await observer.untilText("b.yaml", "2");
    expect(observer.batches.flatMap((batch) => batch.changed.map((file) => file.text))).toEqual(["same", "1", "2"]);
  });

  it("keeps everything below a root that is gone, and goes on when it is back", async () => {
    await mkdir(at("root"));
    await put("root/a.yaml", "old");
    const observer = await start(["root"]);
    for (const turn of ["1", "2"]) {
      await rm(at("root"), { recursive: true });
      await observer.until(() => observer.failures[0] === "root ENOENT");
      expect(observer.texts.size).toBe(1);
      await mkdir(at("root"));
      await put("root/a.yaml", turn);
      await observer.untilText("root/a.yaml", turn);
      await observer.until(() => observer.failures.length === 0);
    }
    await replace("root/a.yaml", "live");
    await observer.untilText("root/a.yaml", "live");
  });

  it("forgets the files of a subdirectory that is deleted, and reads it when it is recreated", async () => {
    await mkdir(at("sub"));
    await put("sub/a.yaml", "a");
    const observer = await start(["."]);
    await rm(at("sub"), { recursive: true });
    await observer.untilText("sub/a.yaml", undefined);
    await mkdir(at("sub/deeper"), { recursive: true });
    await put("sub/deeper/b.yaml", "b");
    await observer.untilText("sub/deeper/b.yaml", "b");
    await replace("sub/deeper/b.yaml", "c");
    await observer.untilText("sub/deeper/b.yaml", "c");
  });

  it("reports a file that is absent at the start, and reads it when it comes", async () => {
    const observer = await start(["a.yaml"]);
    expect(observer.batches).toMatchObject([{ initial: true, changed: [], failures: [{ path: at("a.yaml") }] }]);
    expect(observer.failures).toEqual(["a.yaml ENOENT"]);
    await put("a.yaml", "a");
    await observer.untilText("a.yaml", "a");
    await observer.until(() => observer.failures.length === 0);
  });

  it("keeps a file that was named by itself while it is missing, and reads it when it is back", async () => {
    await put("a.yaml", "a");
    await put("b.yaml", "b");
    const observer = await start(["a.yaml", "."]);
    await unlink(at("a.yaml"));
    await unlink(at("b.yaml"));
    await observer.until(() => observer.failures[0] === "a.yaml ENOENT" && !observer.texts.has("b.yaml"));
    expect(observer.state).toEqual({ "a.yaml": "a" });
    await put("a.yaml", "again");
    await observer.untilText("a.yaml", "again");
    await observer.until(() => observer.failures.length === 0);
    expect(observer.batches.flatMap(({ removed }) => removed)).toEqual([at("b.yaml")]);
  });

  it("reads what a glob names, also in directories that come later", async () => {
    await put("a.yaml", "no");
    await put("a.conf", "top");
    const observer = await start(["{a,b}.conf", "teams/*/services.yaml"]);
    expect(observer.failures).toEqual(["teams ENOENT"]);
    await mkdir(at("teams/red/deep"), { recursive: true });
    await put("teams/red/services.yaml", "red");
    await put("teams/red/deep/services.yaml", "no");
    await put("teams/red/other.yaml", "no");
    await observer.untilText("teams/red/services.yaml", "red");
    await replace("b.conf", "b");
    await observer.untilText("b.conf", "b");
    expect(observer.state).toEqual({ "a.conf": "top", "b.conf": "b", "teams/red/services.yaml": "red" });
  });

  it("reads a directory name with the signs of a glob as it is", async () => {
    await mkdir(at("odd[1]"));
    await put("odd[1]/a.yaml", "a");
    const observer = await start(["*.yaml"], { baseDir: at("odd[1]") });
    expect(observer.state).toEqual({ "odd[1]/a.yaml": "a" });
  });

  it("ends with the right state after a burst of replacements", async () => {
    const names = Array.from({ length: 40 }, (_, index) => `${index}.yaml`);
    await Promise.all(names.map((name) => put(name, "0")));
    const observer = await start(["."]);
    for (let turn = 1; turn <= 5; turn++) await Promise.all(names.map((name) => replace(name, String(turn))));
    await observer.until(() => names.every((name) => observer.texts.get(name) === "5"));
  });

  it("reports files that cannot be used, and keeps their last good text", async () => {
    await put("a.yaml", "fine");
    const observer = await start(["."], { maxBytes: 10 });
    await replace("a.yaml", "x".repeat(11));
    await observer.until(() => observer.failures[0] === "a.yaml TOO_LARGE");
    await writeFile(at("a.yaml.tmp"), Buffer.from([0x61, 0xff]));
    await rename(at("a.yaml.tmp"), at("a.yaml"));
    await observer.until(() => observer.failures[0] === "a.yaml NOT_UTF8");
    expect(observer.state).toEqual({ "a.yaml": "fine" });
    await replace("a.yaml", "good");
    await observer.untilText("a.yaml", "good");
    await observer.until(() => observer.failures.length === 0);
  });

  it("survives links that lead in a circle", async () => {
    await mkdir(at("sub"));
    await put("sub/a.yaml", "a");
    await symlink("..", at("sub/up"));
    await symlink("itself", at("itself"));
    const observer = await start(["."]);
    expect(observer.state["sub/a.yaml"]).toBe("a");
  });

  it("finds changes by looking when the system has no watches left, and says so once", async () => {
    const none: WatchDirectory = () => {
      throw Object.assign(new Error("no space left"), { code: "ENOSPC" });
    };
    const warnings: unknown[] = [];
    await mkdir(at("sub"));
    await put("sub/a.yaml", "a");
    const logger = { warn: (event: string, fields?: object) => warnings.push([event, fields]) };
    const observer = await start(["."], { watchDirectory: none, logger, timing: { pollMs: 10 } });
    await replace("sub/a.yaml", "b");
    await observer.untilText("sub/a.yaml", "b");
    expect(warnings).toMatchObject([
      ["file-watch-failed", { code: "ENOSPC", hint: expect.stringContaining("max_user_watches") as string }],
    ]);
  });

  it("finds what no event told, and says when a look at everything found nothing new", async () => {
    const deaf: WatchDirectory = () => ({ close() {} });
    await put("a.yaml", "a");
    const observer = await start(["."], { watchDirectory: deaf, timing: { rescanMs: 10 } });
    await observer.until(() => observer.unchanged > 0);
    await replace("a.yaml", "b");
    await observer.untilText("a.yaml", "b");
  });

  it("ends with what the receiver throws", async () => {
    const onChange = () => {
      throw new Error("receiver failed");
    };
    const run = watchDocuments({ paths: ["."], baseDir: root, signal: new AbortController().signal, onChange });
    await expect(run).rejects.toThrow("receiver failed");
  });

  it("ends at once when the signal has aborted", async () => {
    await watchDocuments({ paths: ["."], baseDir: root, signal: AbortSignal.abort(), onChange() {} });
  });
});

describe("readFiles", () => {
  it("reads all once, with what cannot be read beside", async () => {
    await put("a.yaml", "a");
    const { changed, failures } = await readFiles({ paths: ["a.yaml", "b.yaml"], baseDir: root });
    expect(changed.map((file) => file.text)).toEqual(["a"]);
    expect(failures).toMatchObject([{ path: at("b.yaml"), code: "ENOENT" }]);
  });
});
