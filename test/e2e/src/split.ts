import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  freePort,
  startDaemon,
  startHttpBackend,
  startNats,
  startRedis,
  waitFor,
  type Backend,
  type Daemon,
} from "@signalbox/test-servers";
import { startClient, type Client } from "./client.ts";
import { servicesFile } from "./services.ts";

/** An engine that carries the catalog, and the `bus` of a configuration that uses it. */
export interface Engine {
  readonly bus: object;
  /** Ends it at once, removes all that it stored and starts it again. */
  wipe(): Promise<void>;
  stop(): Promise<void>;
}

/** Starts a NATS server for one catalog. */
export async function natsEngine(): Promise<Engine> {
  const nats = await startNats({ own: true });
  return {
    bus: { type: "nats", servers: [nats.url] },
    wipe: () => nats.restartEmpty(),
    stop: () => nats.stop(),
  };
}

/** Starts a Redis for one catalog. */
export async function redisEngine(): Promise<Engine> {
  const redis = await startRedis({ own: true });
  return { bus: { type: "redis", url: redis.url }, wipe: () => redis.restartEmpty(), stop: () => redis.stop() };
}

/** What `/debug/busz` of a daemon says, as far as it matters here. */
export interface BusPage {
  readonly led: boolean;
  readonly revision?: { readonly epoch: string };
  readonly catalogHash?: string;
}

/** Asks a daemon about its bus. */
export async function busOf(daemon: Daemon): Promise<BusPage> {
  return (await daemon.debug("/debug/busz")) as BusPage;
}

type Pair<T> = readonly [T, T];

/** Discovery and publishing as processes of their own, over one engine. `stop()` must be called. */
export interface Split {
  readonly engine: Engine;
  /** Both read the same file. */
  readonly discoverers: Pair<Daemon>;
  readonly publishers: Pair<Daemon>;
  /** The first one prefers the first publisher, the second one the second; each knows the other publisher. */
  readonly clients: Pair<Client>;
  /** Who discovers and leads, and who stands by. Waits until it is so. */
  ranks(deadlineMs?: number): Promise<{ readonly leader: Daemon; readonly standby: Daemon }>;
  /** Points the service that the traffic is for to the other backend. Resolves when both Envoys send their requests there. */
  change(deadlineMs?: number): Promise<void>;
  /** Resolves when both publishers have the catalog of the one that leads. */
  same(deadlineMs?: number): Promise<void>;
  /** Resolves when the first publisher reads from another writer than the one of this revision. */
  anew(revision: BusPage["revision"]): Promise<void>;
  /** Whether this client is connected to this publisher. */
  connected(client: Client, publisher: Daemon): Promise<boolean>;
  /** Ends all. Resolves with all answers of the traffic that were not 200. */
  stop(): Promise<readonly unknown[]>;
}

const service = "orders";

/** Starts all of it, and traffic through both Envoys. */
export async function startSplit(startEngine: () => Promise<Engine>): Promise<Split> {
  const stops: (() => Promise<unknown>)[] = [];
  const failed: unknown[] = [];
  const stop = async (): Promise<readonly unknown[]> => {
    for (const end of stops.splice(0).reverse()) await end();
    return failed;
  };
  const kept = async <T extends { stop(): Promise<unknown> }>(starting: Promise<T>): Promise<T> => {
    const started = await starting;
    stops.push(() => started.stop());
    return started;
  };
  try {
    const [v1, v2] = [await kept(startHttpBackend({ name: "v1" })), await kept(startHttpBackend({ name: "v2" }))];
    const engine = await kept(startEngine());
    const dir = await mkdtemp(join(tmpdir(), "signalbox-split-"));
    stops.push(() => rm(dir, { recursive: true, force: true }));
    const port = await freePort();
    const file = await servicesOf(dir, port, v1);
    await file.leadTo(v1);

    const registries = [{ provider: "static", name: "files", paths: [file.path] }];
    const discover = () => kept(startDaemon({ command: ["discover"], config: { bus: engine.bus, registries } }));
    const publish = () => kept(startDaemon({ command: ["publish"], config: { bus: engine.bus } }));
    const discoverers = [await discover(), await discover()] as const;
    const publishers = [await publish(), await publish()] as const;
    const [one, two] = publishers;
    const client = async (id: string, address: string, order: Pair<Daemon>): Promise<Client> => {
      const xdsPorts = order.map(({ xdsPort }) => xdsPort);
      const started = await startClient({ id, address, port, service, xdsPorts });
      stops.push(async () => failed.push(...(await started.stop())));
      return started;
    };
    const clients = [
      await client("envoy-1", "127.0.0.1", [one, two]),
      await client("envoy-2", "127.0.0.2", [two, one]),
    ] as const;

    const ranks = (deadlineMs = 10_000) =>
      waitFor(
        async () => {
          const pages = await Promise.all(discoverers.map((daemon) => busOf(daemon).catch(() => undefined)));
          const [leader, ...more] = discoverers.filter((_, index) => pages[index]?.led);
          const standby = discoverers.find((daemon) => daemon !== leader);
          return leader && standby && more.length === 0 && { leader, standby };
        },
        { what: "one that leads", deadlineMs },
      );
    let backend = v1;
    return {
      engine,
      discoverers,
      publishers,
      clients,
      ranks,
      async change(deadlineMs = 10_000) {
        const next = backend === v1 ? v2 : v1;
        backend = next;
        const arrived = clients.map(({ traffic }) => traffic.next(({ text }) => text === next.name, deadlineMs));
        await Promise.all([file.leadTo(next), ...arrived]);
      },
      async same(deadlineMs = 15_000) {
        await waitFor(
          async () => {
            const { leader } = await ranks();
            const pages = await Promise.all([leader, ...publishers].map(busOf));
            return (
              pages[0]?.catalogHash !== undefined && new Set(pages.map(({ catalogHash }) => catalogHash)).size === 1
            );
          },
          { what: "all to have one catalog", deadlineMs },
        );
      },
      async anew(revision) {
        const other = async () => {
          const now = (await busOf(publishers[0])).revision;
          return now !== undefined && now.epoch !== revision?.epoch;
        };
        await waitFor(other, { what: "a new epoch", deadlineMs: 30_000 });
      },
      async connected({ id }, publisher) {
        return JSON.stringify(await publisher.debug("/debug/syncz")).includes(id);
      },
      stop,
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** A services file that leads one service to a backend, beside one that never changes. */
async function servicesOf(dir: string, port: number, other: Backend) {
  const path = join(dir, "services.json");
  const leadTo = async ({ address }: Backend): Promise<void> => {
    const services = [
      { name: service, port, endpoints: [address] },
      { name: "other", port, endpoints: [other.address] },
    ];
    await writeFile(`${path}.new`, servicesFile(services));
    await rename(`${path}.new`, path);
  };
  await leadTo(other);
  return { path, leadTo };
}
