import { randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { startDaemon, startNats, startRedis, type Daemon } from "@signalbox/test-servers";
import { addressOf } from "./addresses.ts";
import type { MeshSize, ServerKind } from "./cell.ts";
import { serveTriggers } from "./product/triggers.ts";
import type { RunningServer } from "./running-server.ts";

type Files = Extract<ServerKind, { readonly type: "files" }>;

/** So many services stand in one file. */
export const servicesInFile = 100;
const host = (service: number): string => `svc-${service}.mesh.internal`;

/**
 * Starts the daemon, as it comes, on a folder of YAML files in the short form. `/change` writes the file of the service anew beside the old
 * one and puts it in its place, in this process. Over a bus one daemon reads and another one serves.
 */
export async function startFiles({ bus }: Files, mesh: MeshSize, signal: AbortSignal): Promise<RunningServer> {
  const ends: (() => Promise<unknown>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const dir = await mkdtemp(join(tmpdir(), "signalbox-bench-files-"));
    ends.push(() => rm(dir, { recursive: true, force: true }));
    const files = new MeshFiles(join(dir, "services"), mesh);
    await files.writeAll();
    const { port, server } = await serveTriggers({
      "/change": (query) => files.change(query.number("service"), query.number("endpoint"), query.text("address")),
    });
    ends.push(() => {
      server.closeAllConnections();
      return promisify(server.close.bind(server))();
    });
    const registries = [{ provider: "static", name: "files", paths: [files.folder] }];
    const daemon = async (config: object, command: string): Promise<Daemon> => {
      const started = await startDaemon({ config: { ...config }, command: [command] });
      ends.push(() => started.stop());
      return started;
    };
    signal.throwIfAborted();
    if (bus === "in-process") return served(await daemon({ registries }, "run"), port, stop);
    const engine = await startEngine(bus, signal);
    ends.push(engine.stop);
    await daemon({ registries, bus: engine.config }, "discover");
    return served(await daemon({ bus: engine.config }, "publish"), port, stop);
  } catch (error) {
    await stop();
    throw error;
  }
}

function served(daemon: Daemon, port: number, stop: () => Promise<void>): RunningServer {
  // What becomes of the daemon is seen by the clients that it leaves.
  const failed = new Promise<never>(() => {});
  return { pid: daemon.pid(), xdsPort: daemon.xdsPort, triggers: `http://127.0.0.1:${port}`, failed, stop };
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
  readonly #moved = new Map<string, string>();

  constructor(folder: string, mesh: MeshSize) {
    this.folder = folder;
    this.#mesh = mesh;
  }

  async writeAll(): Promise<void> {
    await mkdir(this.folder);
    for (let first = 0; first < this.#mesh.services; first += servicesInFile) await this.#write(first);
  }

  async change(service: number, endpoint: number, address: string): Promise<void> {
    this.#moved.set(`${service}/${endpoint}`, address);
    await this.#write(service - (service % servicesInFile));
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
    for (let service = first; service < Math.min(services, first + servicesInFile); service++) {
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
