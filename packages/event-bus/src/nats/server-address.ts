import { connect } from "node:net";
import { abortable } from "./abortable.ts";
import { NatsOptionsError } from "./options.ts";

/** Where one server listens. */
export interface ServerAddress {
  readonly host: string;
  readonly port: number;
}

/** Reads `nats://host:port`, `tls://host:port`, `host:port` or `host`. Throws a NatsOptionsError. */
export function serverAddress(text: string): ServerAddress {
  const expected = "nats://host:port";
  const full = /^[a-z]+:\/\//.test(text) ? text : `nats://${text}`;
  if (!URL.canParse(full)) throw new NatsOptionsError("servers", expected);
  const url = new URL(full);
  if (!["nats:", "tls:"].includes(url.protocol) || url.hostname === "") throw new NatsOptionsError("servers", expected);
  // Addresses are logged.
  if (url.username !== "" || url.password !== "")
    throw new NatsOptionsError("servers", `${expected}, with the credentials in auth`);
  return { host: url.hostname.replace(/^\[|\]$/g, ""), port: url.port === "" ? 4222 : Number(url.port) };
}

/** An address as the client library and people write it. */
export function addressText({ host, port }: ServerAddress): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/**
 * Resolves when a server greets at this address. The client library leaves a socket behind for each server that accepts and
 * then keeps silent, as one that hangs does; so it is only led to servers that speak.
 */
export async function greeted({ host, port }: ServerAddress, timeoutMs: number, signal: AbortSignal): Promise<void> {
  signal.throwIfAborted();
  const socket = connect(port, host);
  const greeting = new Promise<void>((resolve, reject) => {
    socket.once("data", () => resolve());
    socket.once("error", reject);
    socket.once("close", () => reject(new Error("it closed the connection")));
    socket.setTimeout(timeoutMs, () => reject(new Error(`no answer within ${timeoutMs} ms`)));
  });
  try {
    await abortable(greeting, signal);
  } finally {
    socket.destroy();
  }
}
