/**
 * The bus between the processes of one machine: one process writes in its own bus, the others read over a Unix socket.
 * @module
 */
export { createSocketBus } from "./client.ts";
export { createSocketBusServer } from "./server.ts";
export type { SocketBus, SocketBusStatus } from "./client.ts";
export type { SocketBusServer } from "./server.ts";
