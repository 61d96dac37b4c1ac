import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { startConsul } from "./consul.ts";
import { composeDown, sharedUrl } from "./shared-server.ts";

const consul = { service: "consul", url: "http://127.0.0.1:8500" };

/** A `docker` that writes down what it is asked; `info` fails when no engine runs. */
async function docker(infoExitCode: number): Promise<{ env: Record<string, string>; calls: () => Promise<string[]> }> {
  const folder = await mkdtemp(join(tmpdir(), "signalbox-docker-test-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const log = join(folder, "calls");
  await writeFile(log, "");
  const script = `#!/bin/sh\necho "$@" >> '${log}'\nif [ "$1" = info ]; then exit ${infoExitCode}; fi\n`;
  await writeFile(join(folder, "docker"), script);
  await chmod(join(folder, "docker"), 0o755);
  const calls = async () => (await readFile(log, "utf8")).split("\n").filter((line) => line !== "");
  return { env: { PATH: `${folder}:/usr/bin:/bin` }, calls };
}

describe("a shared server", () => {
  it("is the one that the environment names, which a test may use but not stop", async () => {
    const own = await startConsul({ own: true });
    onTestFinished(() => own.stop());
    const shared = await startConsul({ env: { SIGNALBOX_CONSUL_URL: `${own.url}/` } });
    expect(shared.url).toBe(own.url);
    expect((await shared.request("/v1/agent/self")).status).toBe(200);
    expect(() => shared.freeze()).toThrow("{ own: true }");
    await expect(shared.kill()).rejects.toMatchObject({ code: "SBX_SERVER_SHARED", server: "consul" });
    await shared.stop();
    expect((await own.request("/v1/agent/self")).status).toBe(200);
  });

  it("is started with Docker Compose where an engine runs", async () => {
    const { env, calls } = await docker(0);
    expect(await sharedUrl("SIGNALBOX_CONSUL_URL", consul, { env })).toBe("http://127.0.0.1:8500");
    expect(await calls()).toEqual(["info", expect.stringMatching(/^compose -p signalbox-tests -f \S+ up -d consul$/)]);
    await composeDown(env);
    expect((await calls()).at(-1)).toMatch(/^compose -p signalbox-tests -f \S+ down$/);
  });

  it.each([
    ["the test wants its own", 0, { own: true }, {}],
    ["the test wants a certain port", 0, { port: 8501 }, {}],
    ["the environment keeps tests away from Docker", 0, {}, { SIGNALBOX_SERVERS: "own" }],
    ["no engine runs", 1, {}, {}],
  ])("is not used when %s", async (_, infoExitCode, options, variables) => {
    const { env } = await docker(infoExitCode);
    const asked = { ...options, env: { ...env, ...variables } };
    expect(await sharedUrl("SIGNALBOX_CONSUL_URL", consul, asked)).toBeUndefined();
  });
});
