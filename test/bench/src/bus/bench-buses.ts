import { randomUUID } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startNats, startRedis } from "@signalbox/test-servers";
import type { Measured } from "../command.ts";
import { compared, type Row } from "../row.ts";
import type { BusAccess, BusName } from "./access.ts";
import { measureWorld, type BusSetting, type Figure } from "./measure-world.ts";
import type { BusOptions } from "./options.ts";

/** All figures of all buses: in each run, every world on every bus, one bus beside the other. */
export async function benchBuses(options: BusOptions, signal: AbortSignal): Promise<Measured> {
  const { buses, changes, few, instances, published, runs, services } = options;
  const servers = await startServers(buses, signal);
  const rows: Row[] = [];
  const settings: readonly BusSetting[] = [
    { name: `${few} services`, world: { services: few, instances, skewed: false }, changes, published: 0 },
    { name: `${services} services`, world: { services, instances, skewed: false }, changes, published },
    { name: `${services} services, skewed`, world: { services, instances, skewed: true }, changes, published: 0 },
  ];
  try {
    for (let run = 1; run <= runs; run++) {
      for (const setting of settings) {
        let base: readonly Figure[] = [];
        for (const bus of buses) {
          process.stderr.write(`${bus}: run ${run} of ${runs}, ${setting.name}\n`);
          const figures = await measureWorld(servers.access(bus), setting, signal);
          if (bus === "in-process") base = figures;
          rows.push(...figures.flatMap((figure) => rowsOf(bus, setting, figure, base)));
        }
      }
    }
    return { rows, remarks: [] };
  } finally {
    await servers.stop();
  }
}

/** The row of a figure, and where a target says so, one with what it is more than in the bus of one process. */
function rowsOf(
  bus: BusName,
  { name }: BusSetting,
  { more, ...figure }: Figure,
  base: readonly Figure[],
): readonly Row[] {
  const bare = bus === "in-process" ? undefined : base.find((one) => one.figure === figure.figure)?.value;
  const row = { source: bus, setting: name, ...figure };
  if (bare === undefined) return [row];
  const rows: Row[] = [bare > 0 ? compared({ ...row, bare }) : row];
  if (more !== undefined)
    rows.push({ ...row, figure: `${figure.figure}, more than in-process`, value: figure.value - bare, limit: more });
  return rows;
}

async function startServers(buses: readonly BusName[], signal: AbortSignal) {
  const ends: (() => Promise<void>)[] = [];
  const stop = async (): Promise<void> => {
    for (const end of ends.splice(0)) await end();
  };
  try {
    const addresses = new Map<BusName, string>();
    if (buses.includes("nats")) {
      const nats = await startNats({ own: true, signal });
      ends.push(() => nats.stop());
      addresses.set("nats", nats.url);
    }
    if (buses.includes("redis")) {
      const redis = await startRedis({ own: true, signal, args: ["--appendfsync", "everysec"] });
      ends.push(() => redis.stop());
      addresses.set("redis", redis.url);
    }
    const dir = await mkdtemp(join(tmpdir(), "signalbox-bench-"));
    ends.push(() => rm(dir, { recursive: true, force: true }));
    const access = (bus: BusName): BusAccess => {
      const catalog = `bench-${randomUUID()}`;
      return { bus, catalog, address: bus === "sockets" ? join(dir, randomUUID()) : (addresses.get(bus) ?? "") };
    };
    return { access, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}
