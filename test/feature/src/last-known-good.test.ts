import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { typeUrls } from "@signalbox/envoy-api";
import { registryId } from "@signalbox/model";
import type { RegistryModule } from "@signalbox/registry";
import { FakeClock, MemoryRegistry, MemorySource, serviceRecord } from "@signalbox/registry/conformance";
import { connect, resourceNames, sotwStream } from "@signalbox/test-servers";
import { createSignalbox, type Clock, type Logger, type Signalbox, type SignalboxConfigInput } from "signalbox";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";

const id = registryId("memory", "shop");
const host = (name: string) => `${name}.shop.example`;
const web = (name: string) =>
  serviceRecord({ hostname: host(name), namespace: "shop", ports: [8000], instances: ["192.0.2.1"] });
const anyPort = { xds: { plaintext: { port: 0 }, drainMs: 0 }, debug: { port: 0 } } as const;

let dir: string;
let source: MemorySource;
let log: { readonly event: string; readonly fields: object | undefined }[];
const stops: (() => Promise<void>)[] = [];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "last-known-good-"));
  source = new MemorySource();
  log = [];
});
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop();
  await rm(dir, { recursive: true, force: true });
});

const logged = (event: string): number => log.filter((line) => line.event === event).length;
const line = (event: string, fields?: object): void => void log.push({ event, fields });
const logger: Logger = { debug: line, info: line, warn: line, error: line };
const memory: RegistryModule<unknown> = {
  provider: "memory",
  parseConfig: (input) => {
    expect(input).toEqual({});
    return input;
  },
  create: (_config, deps) => new MemoryRegistry(source, deps, { mode: "poll" }),
};

interface Daemon {
  readonly signalbox: Signalbox;
  readonly url: string;
  readonly xdsPort: number;
  stop(): Promise<void>;
}

/** A whole Signalbox as `signalbox run` starts it, with one registry that reads `source`. */
async function daemon(config: SignalboxConfigInput = {}, registry: object = {}, clock?: Clock): Promise<Daemon> {
  const registries = [{ provider: "memory", name: "shop", ...registry }];
  const input = { ...anyPort, aggregate: { syncDeadlineMs: 200 }, state: { dir: "state" }, registries, ...config };
  const options = { baseDir: dir, modules: [memory], logger, ...(clock && { clock }) };
  const signalbox = await createSignalbox(input, options);
  const end = new AbortController();
  const ended = signalbox.run(end.signal);
  const stop = async (): Promise<void> => {
    end.abort();
    await ended;
  };
  stops.push(stop);
  const { debug, xds } = await signalbox.listening(end.signal);
  return { signalbox, stop, url: debug?.url ?? "", xdsPort: xds.plaintext?.port ?? 0 };
}

async function json(url: string): Promise<unknown> {
  return (await fetch(url)).json();
}

const hostnames = ({ signalbox }: Daemon): readonly string[] => signalbox.services().map(({ hostname }) => hostname);
const stateOf = ({ signalbox }: Daemon): unknown => signalbox.registries()[0]?.state;

/** Runs a daemon whose source is well, until it knows these services. */
async function runOnce(...names: readonly string[]): Promise<void> {
  for (const name of names) source.set(web(name));
  const first = await daemon();
  await vi.waitFor(() => expect(hostnames(first)).toEqual(names.map(host)), { timeout: 10_000 });
  await first.stop();
}

describe("a daemon that restarts while its source is down", () => {
  it("serves proxies what it knew, says so, and takes the source's word again when it is back", async () => {
    await runOnce("orders");
    source.become("UNREACHABLE");
    const again = await daemon();
    expect(stateOf(again)).toBe("INIT");
    await again.signalbox.synced(new AbortController().signal);
    expect(again.signalbox.registries()).toMatchObject([{ state: "RESTORED", problem: "UNREACHABLE", services: 1 }]);

    const client = connect(again.xdsPort);
    try {
      const stream = sotwStream(client, "sidecar~192.0.2.9~client.shop~shop.svc.cluster.local");
      stream.subscribe(typeUrls.cluster);
      const clusters = await stream.next(typeUrls.cluster);
      expect(resourceNames(clusters)).toContain(`outbound|8000||${host("orders")}`);
    } finally {
      client.close();
    }
    await vi.waitFor(async () => {
      expect((await fetch(`${again.url}/readyz`)).status).toBe(200);
      expect(await json(`${again.url}/readyz`)).toMatchObject({
        ready: true,
        checks: [
          { name: "catalog", note: expect.stringMatching(/^memory\/shop \(UNREACHABLE\) is RESTORED/) as unknown },
          {},
        ],
      });
    });
    expect(await json(`${again.url}/debug/registriesz`)).toMatchObject([
      { id, state: "RESTORED", ageSeconds: expect.any(Number) as unknown },
    ]);
    const metrics = await (await fetch(`${again.url}/metrics`)).text();
    expect(metrics).toMatch(/^signalbox_registry_state\{registry="memory\/shop",state="restored"\} 1$/m);
    expect(metrics).toMatch(/^signalbox_registry_problem\{registry="memory\/shop",problem="unreachable"\} 1$/m);

    source.set(web("payments"));
    source.become("FINE");
    await vi.waitFor(() => expect(hostnames(again)).toEqual([host("orders"), host("payments")]), { timeout: 20_000 });
    expect(stateOf(again)).toBe("SYNCED");
    expect(logged("registry-fresh")).toBe(1);
  });

  it("does not wait for the source where that is wanted", async () => {
    await runOnce("orders");
    source.become("STALLED");
    const state = { dir: "state", restore: "at-once" } as const;
    const again = await daemon({ state, aggregate: { syncDeadlineMs: 600_000 } });
    await again.signalbox.synced(AbortSignal.timeout(10_000));
    expect(hostnames(again)).toEqual([host("orders")]);
  });

  it.each([
    ["damaged", (text: string) => text.replace("192.0.2.1", "192.0.2.2"), "CORRUPT"],
    ["cut", (text: string) => text.slice(0, text.length / 2), "CORRUPT"],
    ["newer", (text: string) => text.replace('"v":1', '"v":2'), "NEWER"],
  ])("starts without a file that is %s, and says so", async (_name, damage, fault) => {
    await runOnce("orders");
    const file = join(dir, "state", "memory~shop.shard");
    await writeFile(file, damage(await readFile(file, "utf8")));
    source.become("UNREACHABLE");
    const again = await daemon();
    await again.signalbox.synced(AbortSignal.timeout(10_000));
    expect([hostnames(again), stateOf(again)]).toEqual([[], "INIT"]);
    expect(log.filter(({ event }) => event === "state-file-ignored")).toMatchObject([
      { fields: { registry: id, fault } },
    ]);
    source.become("FINE");
    await vi.waitFor(() => expect(hostnames(again)).toEqual([host("orders")]), { timeout: 20_000 });
  });

  it("keeps nothing where no folder is given", async () => {
    source.set(web("orders"));
    const signalbox = await createSignalbox(
      { ...anyPort, registries: [{ provider: "memory", name: "shop" }] },
      { baseDir: dir, modules: [memory] },
    );
    const end = new AbortController();
    const ended = signalbox.run(end.signal);
    await signalbox.synced(end.signal);
    end.abort();
    await ended;
    await expect(stat(join(dir, "state"))).rejects.toMatchObject({ code: "ENOENT" });
  });
});

describe("a source that falls silent", () => {
  it("is STALE, then EXPIRED and left out where that is configured, and back with its first read", async () => {
    const clock = new FakeClock();
    source.set(web("orders"));
    const limits = { staleAfter: "1m", expireAfter: "1h", onExpired: "drop" };
    const running = await daemon({}, limits, clock);
    await clock.advance(1000);
    await vi.waitFor(() => expect(hostnames(running)).toEqual([host("orders")]));
    source.become("STALLED");
    await clock.advance(120_000);
    expect(running.signalbox.registries()).toMatchObject([{ state: "STALE", services: 1 }]);
    expect(hostnames(running)).toEqual([host("orders")]);
    await clock.advance(3_600_000);
    await vi.waitFor(() => expect(hostnames(running)).toEqual([]));
    expect(await json(`${running.url}/debug/registriesz`)).toMatchObject([
      { state: "EXPIRED", withheld: true, services: 0 },
    ]);
    source.become("FINE");
    await clock.advance(5000);
    await vi.waitFor(() => expect(hostnames(running)).toEqual([host("orders")]));
    expect(stateOf(running)).toBe("SYNCED");
  });

  it("is EXPIRED and comes last where that is configured, and is never left out", async () => {
    const clock = new FakeClock();
    source.set(web("orders"));
    const running = await daemon({}, { expireAfter: "1h", onExpired: "deprioritise" }, clock);
    await clock.advance(1000);
    await vi.waitFor(() => expect(hostnames(running)).toEqual([host("orders")]));
    source.become("STALLED");
    await clock.advance(3_700_000);
    await vi.waitFor(async () =>
      expect(await json(`${running.url}/debug/registriesz`)).toMatchObject([
        { state: "EXPIRED", deprioritised: true, services: 1 },
      ]),
    );
    expect(hostnames(running)).toEqual([host("orders")]);
  });
});
