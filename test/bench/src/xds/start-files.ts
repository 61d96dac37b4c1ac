import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startDaemon, startNats, startRedis, type Daemon } from "@signalbox/test-servers";
import { watchedDaemon, type WatchedDaemon } from "./product/watched-daemon.ts";
import { addressOf } from "./addresses.ts";
import type { MeshSize, ServerKind } from "./cell.ts";
import type { LoopStats, ServerStats } from "./product/messages.ts";
import { serveTriggers } from "./product/triggers.ts";
import type { RunningServer } from "./running-server.ts";

type Files = Extract<ServerKind, { readonly type: "files" }>;

const servicesInFile = 100;
const host = (service: number): string => `svc-${service}.mesh.internal`;

/**
 * Starts the daemon, as it comes, on a folder of YAML files in the short form. `/change` writes the file of the service anew beside the old
 * one and puts it in its place, in this process. Over a bus one daemon reads and another one serves. `watched`: their event loops are, and
 * `/stats` says the larger figures of both.
 */
export async function startFiles(
  { bus, inFile = servicesInFile }: Files,
  mesh: MeshSize,
  { watched }: { readonly watched: boolean },
  signal: AbortSignal,
): Promise<RunningServer> {
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const dir = await mkdtemp(join(tmpdir(), "signalbox-bench-files-"));
    ends.push(() => rm(dir, { recursive: true, force: true }));
    const files = new MeshFiles(join(dir, "services"), mesh, inFile);
    const watches: WatchedDaemon[] = [];
    await files.writeAll();
    const { port, server } = await serveTriggers({
      "/change": (query) => files.change(query.number("service"), query.number("endpoint"), query.text("address")),
      "/stats": async () => largest(await Promise.all(watches.map((watch) => watch.stats()))),
    });
    ends.push(() => {
      server.closeAllConnections();
      return promisify(server.close.bind(server))();
    });
    const registries = [{ provider: "static", name: "files", paths: [files.folder] }];
    const daemon = async (config: object, command: string): Promise<Started> => {
      const watch = watched ? watchedDaemon(join(dir, `${command}.port`)) : undefined;
      const began = performance.now();
      const started = await startDaemon({
        config: { ...config },
        command: [command],
        ...(watch && { env: watch.env }),
      });
      const readyMs = performance.now() - began;
      ends.push(() => started.stop());
      if (watch) watches.push(watch);
      return { daemon: started, readyMs };
    };
    const served = ({ daemon, readyMs }: Started): RunningServer => {
      const triggers = `http://127.0.0.1:${port}`;
      // What becomes of the daemon is seen by the clients that it leaves.
      const failed = new Promise<never>(() => {});
      const stats = watched && { statsUrl: `${triggers}/stats` };
      return { pid: daemon.pid(), xdsPort: daemon.xdsPort, triggers, ...stats, failed, readyMs, stop };
    };
    signal.throwIfAborted();
    if (bus === "in-process") return served(await daemon({ registries }, "run"));
    const engine = await startEngine(bus, signal);
    ends.push(engine.stop);
    await daemon({ registries, bus: engine.config }, "discover");
    return served(await daemon({ bus: engine.config }, "publish"));
  } catch (error) {
    await stop();
    throw error;
  }
}

interface Started {
  readonly daemon: Daemon;
  readonly readyMs: number;
}

/** The larger figures of several processes. */
function largest(all: readonly LoopStats[]): Pick<ServerStats, "loop"> {
  const of = (name: keyof LoopStats): number => Math.max(...all.map((one) => one[name]));
  return all.length === 0
    ? {}
    : { loop: { p50: of("p50"), p99: of("p99"), max: of("max"), slice: of("slice"), own: of("own") } };
}

async function startEngine(bus: "nats" | "redis", signal: AbortSignal) {
  const name = `bench-${randomUUID().slice(0, 8)}`;
  if (bus === "nats") {
    const nats = await startNats({ own: true, signal });
    return { config: { type: "nats", name, servers: [nats.url] }, stop: () => nats.stop() };
  }
  const redis = await startRedis({ own: true, signal, args: ["--appendfsync", "everysec"] });
  return { config: { type: "redis", name, url: redis.url }, stop: () => redis.stop() };
}

/** The mesh as YAML files. */
class MeshFiles {
  readonly folder: string;
  readonly #mesh: MeshSize;
  readonly #inFile: number;
  readonly #moved = new Map<string, string>();

  constructor(folder: string, mesh: MeshSize, inFile: number) {
    this.folder = folder;
    this.#mesh = mesh;
    this.#inFile = inFile;
  }

  async writeAll(): Promise<void> {
    await mkdir(this.folder);
    for (let first = 0; first < this.#mesh.services; first += this.#inFile) await this.#write(first);
  }

  async change(service: number, endpoint: number, address: string): Promise<void> {
    this.#moved.set(`${service}/${endpoint}`, address);
    await this.#write(service - (service % this.#inFile));
  }

  async #write(first: number): Promise<void> {
    const path = join(this.folder, `services-${first}.yaml`);
    // A dot at the beginning: it is no file of the source yet.
    const work = join(this.folder, `.services-${first}.tmp`);
    await writeFile(work, this.#text(first));
    await rename(work, path);
  }

  #text(first: number): string {
    const { endpoints, services } = this.#mesh;
    const lines = ["services:"];
    for (let service = first; service < Math.min(services, first + this.#inFile); service++) {
      lines.push(
        `  - name: svc-${service}`,
        `    hostname: ${host(service)}`,
        "    ports: [{ name: http, number: 80 }]",
      );
      lines.push("    endpoints:");
      for (let endpoint = 0; endpoint < endpoints; endpoint++) {
        const address = this.#moved.get(`${service}/${endpoint}`) ?? addressOf(service, endpoint, endpoints);
        lines.push(`      - { address: ${address}, labels: { version: v${(endpoint % 2) + 1} } }`);
      }
    }
    return `${lines.join("\n")}\n`;
  }
}
