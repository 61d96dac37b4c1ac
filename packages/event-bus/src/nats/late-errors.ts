import { Socket } from "node:net";
import type { NatsConnection } from "@nats-io/transport-node";

/**
 * Keeps an error of a connection's socket from ending the process. The client library takes all listeners off a socket as it
 * closes, while the error of its last write may still be on its way: a command that was sent just as the server ended the
 * connection. Nobody waits for that error, as the connection is closed; without a listener Node throws it.
 */
export function hearLateErrors(connection: NatsConnection): void {
  const socket = socketOf(connection);
  if (socket === undefined) return;
  const remove = socket.removeAllListeners.bind(socket);
  socket.removeAllListeners = (...events: [(string | symbol)?]) => {
    // Without an event it means all; undefined would be an event of its own.
    remove(...events);
    return socket.on("error", () => undefined);
  };
}

/** The socket under a connection, which the library's types do not show. Undefined where the library keeps it elsewhere. */
export function socketOf(connection: NatsConnection): Socket | undefined {
  const { protocol } = connection as NatsConnection & { protocol?: { transport?: { socket?: unknown } } };
  const socket = protocol?.transport?.socket;
  return socket instanceof Socket ? socket : undefined;
}
