import { randomInt } from "node:crypto";
import { createServer } from "node:net";

// Below the range that Linux gives to outgoing connections and to port 0, so that nobody takes a port between here and its user.
const first = 20_000;
const last = 32_000;
let next = randomInt(first, last);
const handedOut = new Set<number>();

/** Thrown when the range has no free port left. */
export class NoFreePortError extends Error {
  readonly code = "SBX_NO_FREE_PORT";

  constructor() {
    super(`no free port between ${first} and ${last} on 127.0.0.1`);
    this.name = "NoFreePortError";
  }
}

/**
 * Returns `count` TCP ports of 127.0.0.1 that nobody listens on. For servers that cannot bind port 0 or must come back on
 * the same port. No port is handed out twice in one process. Throws a NoFreePortError when there are none left.
 */
export async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  for (let tries = 0; ports.length < count; tries++) {
    if (tries > last - first) throw new NoFreePortError();
    const port = next;
    next = next + 1 < last ? next + 1 : first;
    if (handedOut.has(port)) continue;
    handedOut.add(port);
    if (await isFreePort(port)) ports.push(port);
  }
  return ports;
}

/** Returns one port as `freePorts` does. */
export async function freePort(): Promise<number> {
  const [port] = await freePorts(1);
  if (port === undefined) throw new NoFreePortError();
  return port;
}

/** Whether nobody listens on a TCP port of 127.0.0.1 at this moment. */
export function isFreePort(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = createServer();
    probe.once("error", () => resolve(false));
    probe.listen({ host: "127.0.0.1", port, exclusive: true }, () => probe.close(() => resolve(true)));
  });
}
