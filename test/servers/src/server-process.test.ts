import { statSync } from "node:fs";
import { access, rm } from "node:fs/promises";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it } from "vitest";
import { serverFolder, ServerFailedError, ServerProcess } from "./server-process.ts";
import { waitFor } from "./wait-for.ts";

const shell = async (script: string) => ({
  name: "shell",
  program: { file: "/bin/sh", args: ["-c"] },
  args: [script],
  dir: await serverFolder("shell"),
  deadlineMs: 10_000,
});

const logSize = (dir: string) => statSync(join(dir, "shell.log")).size;

describe("a server's process", () => {
  it("that ends during its start is reported with its log, and its files are kept", async () => {
    const recipe = await shell("echo out of memory >&2; exit 3");
    const start = ServerProcess.start({ ...recipe, ready: () => Promise.resolve(false) });
    const error = await start.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ServerFailedError);
    expect(error).toMatchObject({ code: "SBX_SERVER_FAILED", server: "shell", dir: recipe.dir });
    expect(String(error)).toContain("out of memory");
    await rm(recipe.dir, { recursive: true });
  });

  it("that is not there at all is reported", async () => {
    const recipe = { ...(await shell("")), program: { file: "/nonexistent/server", args: [] } };
    const start = ServerProcess.start({ ...recipe, ready: () => Promise.resolve(false) });
    await expect(start).rejects.toThrow("ENOENT");
    await rm(recipe.dir, { recursive: true });
  });

  it("that is not ready in time is ended", async () => {
    const recipe = { ...(await shell("echo $$; exec sleep 300")), deadlineMs: 200 };
    const start = ServerProcess.start({ ...recipe, ready: () => Promise.resolve(false) });
    const error = (await start.catch((reason: unknown) => reason)) as ServerFailedError;
    expect(error.code).toBe("SBX_SERVER_FAILED");
    expect(() => process.kill(Number(error.log.trim()), 0)).toThrow("ESRCH");
    await rm(recipe.dir, { recursive: true });
  });

  it("that ended by itself makes stop() fail and keep the files; one that was killed does not", async () => {
    const recipe = await shell("exec sleep 300");
    const server = await ServerProcess.start({ ...recipe, ready: () => Promise.resolve(true) });
    process.kill(server.pid, "SIGKILL");
    await server.exited;
    await expect(server.stop()).rejects.toThrow("ended by itself (code null, SIGKILL)");
    await access(recipe.dir);
    await server.restart();
    await server.kill();
    await server.stop();
    await expect(access(recipe.dir)).rejects.toThrow("ENOENT");
  });

  it("that is frozen does nothing more from that moment on", async () => {
    const writes = "for (;;) require('node:fs').writeSync(1, '.')";
    const recipe = { ...(await shell("")), program: { file: process.execPath, args: ["-e"] }, args: [writes] };
    const server = await ServerProcess.start({ ...recipe, ready: () => Promise.resolve(logSize(recipe.dir) > 0) });
    try {
      for (let round = 0; round < 20; round++) {
        server.freeze();
        const size = logSize(recipe.dir);
        // Nothing is waited for: one that runs would write hundreds of times.
        await delay(5);
        expect(logSize(recipe.dir)).toBe(size);
        server.thaw();
        await waitFor(() => logSize(recipe.dir) > size, { what: "it to go on", intervalMs: 1 });
      }
    } finally {
      await server.stop();
    }
  });
});
