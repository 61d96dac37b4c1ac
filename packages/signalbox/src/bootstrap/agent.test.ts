import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLogger, systemClock, type Clock, type Logger } from "@signalbox/registry";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { eventually } from "../testing/eventually.ts";
import { EnvoyStartError, runAgent, type AgentOptions } from "./agent.ts";
import { envoyBootstrap } from "./envoy.ts";

const fakeEnvoy = join(import.meta.dirname, "..", "..", "testdata", "envoy", "fake-envoy.mjs");

let dir: string;
let record: string;
let stop: AbortController;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "agent-test-"));
  record = join(dir, "record");
  stop = new AbortController();
});
afterEach(() => {
  stop.abort();
  rmSync(dir, { recursive: true, force: true });
});

interface Line {
  readonly event: string;
  readonly url?: string;
  readonly pid?: number;
}

function lines(): Line[] {
  if (!existsSync(record)) return [];
  const text = readFileSync(record, "utf8");
  return text
    .slice(0, text.lastIndexOf("\n") + 1)
    .split("\n")
    .filter((line) => line !== "")
    .map((line) => JSON.parse(line) as Line);
}

function events(): string[] {
  return lines().map(({ event, url }) => (url === undefined ? event : url.replace(/\?.*/, "")));
}

function options(flags: readonly string[], more: Partial<AgentOptions> = {}): AgentOptions {
  return {
    bootstrap: envoyBootstrap({
      nodeId: "test",
      nodeCluster: "test",
      metadata: {},
      xds: { host: "127.0.0.1", port: 15010 },
      transport: { type: "ads", protocol: "delta" },
      adminPort: 0,
    }),
    envoy: fakeEnvoy,
    envoyArgs: ["--record", record, ...flags],
    drainMs: 5_000,
    logger: silentLogger,
    clock: systemClock,
    ...more,
  };
}

/** Ends every wait at once and remembers how long it should have been. */
function hastyClock(): { clock: Clock; sleeps: number[] } {
  const sleeps: number[] = [];
  const sleep = (ms: number, signal: AbortSignal): Promise<void> => {
    signal.throwIfAborted();
    sleeps.push(ms);
    return Promise.resolve();
  };
  return { sleeps, clock: { now: () => 0, sleep } };
}

function alive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

describe("the agent", () => {
  it("drains Envoy before it ends it: health checks first, then listeners, then it waits for the connections", async () => {
    const ended = runAgent(options(["--connections", "2"]), stop.signal);
    await eventually("Envoy to be ready", () => events().includes("ready"));
    stop.abort();
    expect(await ended).toBe(0);
    expect(events()).toEqual([
      "started",
      "ready",
      "/healthcheck/fail",
      "/drain_listeners",
      "/stats",
      "/stats",
      "/stats",
      "SIGTERM",
    ]);
    expect(lines()[0]).toMatchObject({ node: "test", drain: "5" });
  });

  it("ends Envoy when the drain time is over, though connections are left", async () => {
    const ended = runAgent(options(["--connections", "100000"], { drainMs: 50 }), stop.signal);
    await eventually("Envoy to be ready", () => events().includes("ready"));
    stop.abort();
    expect(await ended).toBe(0);
    expect(events().at(-1)).toBe("SIGTERM");
  });

  it("kills an Envoy that does not heed SIGTERM", async () => {
    const { clock } = hastyClock();
    const ended = runAgent(options(["--deaf"], { clock, drainMs: 0 }), stop.signal);
    const pid = await eventually("Envoy to be ready", () =>
      events().includes("ready") ? lines().find((line) => line.pid !== undefined)?.pid : undefined,
    );
    stop.abort();
    expect(await ended).toBe(0);
    expect(alive(pid)).toBe(false);
  });

  it("starts Envoy again after a crash and waits longer each time", async () => {
    const { clock, sleeps } = hastyClock();
    const ended = runAgent(options(["--crash", "3"], { clock }), stop.signal);
    await eventually("Envoy to be ready", () => events().includes("ready"));
    expect(events()).toEqual(["started", "started", "started", "started", "ready"]);
    expect(sleeps).toEqual([200, 400, 800]);
    stop.abort();
    expect(await ended).toBe(0);
  });

  it("gives up with Envoy's own code when it may not start it again", async () => {
    const { clock } = hastyClock();
    expect(await runAgent(options(["--exit", "3"], { clock, maxRestarts: 2 }), stop.signal)).toBe(3);
    expect(events()).toEqual(["started", "started", "started"]);
  });

  it("ends when Envoy ended well by itself", async () => {
    expect(await runAgent(options(["--exit", "0"]), stop.signal)).toBe(0);
  });

  it.each([
    { flags: [], hotRestart: false },
    { flags: ["--base-id", "7"], hotRestart: true },
    { flags: ["--use-dynamic-base-id"], hotRestart: true },
  ])("turns Envoy's hot restart off unless flags ask for it: $flags", async ({ flags, hotRestart }) => {
    expect(await runAgent(options(["--exit", "0", ...flags]), stop.signal)).toBe(0);
    expect(lines()[0]).toMatchObject({ event: "started", hotRestart });
  });

  it("says that Envoy was not found, and not that it was started", async () => {
    const logged: string[] = [];
    const logger: Logger = { ...silentLogger, info: (event) => logged.push(event) };
    const ended = runAgent(options([], { envoy: join(dir, "no-envoy"), logger }), stop.signal);
    await expect(ended).rejects.toThrow(EnvoyStartError);
    await expect(ended).rejects.toThrow("was not found; name Envoy's program with --envoy");
    expect(logged).toEqual([]);
  });

  it("can be stopped while it waits to start Envoy again", async () => {
    const logged: string[] = [];
    const logger: Logger = { ...silentLogger, warn: (event) => logged.push(event) };
    const ended = runAgent(options(["--exit", "3"], { logger }), stop.signal);
    await eventually("a crash", () => logged.includes("envoy-crashed"));
    stop.abort();
    expect(await ended).toBe(0);
  });
});
