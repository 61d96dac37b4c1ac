import { createInProcessBus, type EventBus } from "@signalbox/event-bus";
import { createNatsBus } from "@signalbox/event-bus/nats";
import { createRedisBus } from "@signalbox/event-bus/redis";
import { createSocketBus, createSocketBusServer } from "@signalbox/event-bus/sockets";

/** The buses, the one that the others are compared with first. */
export const busNames = ["in-process", "sockets", "nats", "redis"] as const;
export type BusName = (typeof busNames)[number];

/** How a process gets to a bus. Plain data: it goes to other processes. */
export interface BusAccess {
  readonly bus: BusName;
  /** The server's address, or the path of the socket; empty within one process. */
  readonly address: string;
  /** Name of the catalog: every world has its own, so that nobody finds what another one left. */
  readonly catalog: string;
}

/** The bus as its writer has it. `close` ends all of it. */
export interface WritersBus {
  readonly bus: EventBus;
  readonly close: () => Promise<void>;
}

/** Makes the bus of a writer. Rejects where the path of the socket cannot be taken. */
export async function writersBus(access: BusAccess): Promise<WritersBus> {
  if (access.bus === "nats" || access.bus === "redis") return closing(enginesBus(access));
  const bus = createInProcessBus();
  if (access.bus === "in-process") return closing(bus);
  const server = createSocketBusServer(bus, access.address);
  await server.listen();
  return { bus, close: () => server.close().then(() => bus.close()) };
}

/** The bus as another process reads it. Throws a TypeError for one that has no other processes. */
export function readersBus(access: BusAccess): EventBus {
  return access.bus === "sockets" ? createSocketBus(access.address) : enginesBus(access);
}

function enginesBus({ address, bus, catalog }: BusAccess): EventBus {
  if (bus === "nats") return createNatsBus({ catalog, servers: [address] });
  if (bus === "redis") return createRedisBus({ name: catalog, url: address });
  throw new TypeError(`no other process reaches the bus ${bus}`);
}

function closing(bus: EventBus): WritersBus {
  return { bus, close: () => bus.close() };
}
