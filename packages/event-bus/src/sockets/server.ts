import { once } from "node:events";
import { createServer } from "node:net";
import type { Server, Socket } from "node:net";
import type { EventBus } from "../bus.ts";
import { socketMessages } from "./wire.ts";

/** Hands the events of a bus to other processes of one machine. */
export interface SocketBusServer {
  /** Resolves once processes can connect. Rejects with Node's error. */
  listen(): Promise<void>;
  /** Ends all connections and stops listening. */
  close(): Promise<void>;
}

/**
 * Makes a server on a Unix socket at `path`. Whoever may open the path reads the catalog: keep it in a folder that only
 * this user can enter. A process that reads slowly costs one event that later changes merge into.
 */
export function createSocketBusServer(bus: Pick<EventBus, "subscribe">, path: string): SocketBusServer {
  const end = new AbortController();
  const serving = new Set<Promise<void>>();
  const server = createServer((socket) => {
    const served = serve(socket, bus, end.signal).finally(() => serving.delete(served));
    serving.add(served);
  });
  return {
    listen: () => listen(server, path),
    close: async () => {
      end.abort();
      const closed = new Promise((resolve) => server.close(resolve));
      await Promise.all(serving);
      await closed;
    },
  };
}

async function listen(server: Server, path: string): Promise<void> {
  server.listen(path);
  await once(server, "listening");
}

/** Never rejects: a connection that breaks is over, and the other side comes back. */
async function serve(socket: Socket, bus: Pick<EventBus, "subscribe">, signal: AbortSignal): Promise<void> {
  const gone = new AbortController();
  const leave = (): void => gone.abort();
  socket.on("error", leave);
  socket.on("close", leave);
  // Nobody sends anything here; reading shows that the other side has gone.
  socket.resume();
  const over = AbortSignal.any([signal, gone.signal]);
  try {
    for await (const event of bus.subscribe("worker", over)) {
      for (const message of socketMessages(event)) {
        if (!socket.write(message)) await once(socket, "drain", { signal: over });
        if (over.aborted) return;
      }
    }
  } catch (error) {
    if (!over.aborted) throw error;
  } finally {
    socket.destroy();
  }
}
