import { once } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** What a request asks for; numbers are whole and from 0. */
export interface Query {
  readonly text: (name: string) => string;
  readonly number: (name: string) => number;
}

/** What the server does for each path. What is returned is answered as JSON. */
export type Triggers = Readonly<Record<string, (query: Query) => unknown>>;

/** Serves triggers on a free port of 127.0.0.1, which is in the result. What a trigger throws is answered with 400. */
export async function serveTriggers(triggers: Triggers): Promise<{ readonly port: number; readonly server: Server }> {
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://127.0.0.1");
    const trigger = Object.hasOwn(triggers, url.pathname) ? triggers[url.pathname] : undefined;
    if (trigger === undefined) {
      response.writeHead(404).end();
      return;
    }
    void answer(() => trigger(queryOf(url)));
    async function answer(run: () => unknown): Promise<void> {
      try {
        response.end(JSON.stringify((await run()) ?? {}));
      } catch (error) {
        response.writeHead(400).end(error instanceof Error ? error.message : String(error));
      }
    }
  });
  // Longer than any pause between two requests: one that meets the end of its connection would be lost.
  server.keepAliveTimeout = 600_000;
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  return { port: (server.address() as AddressInfo).port, server };
}

function queryOf({ searchParams }: URL): Query {
  const text = (name: string): string => {
    const value = searchParams.get(name);
    if (value === null || value === "") throw new RangeError(`${name} must be given`);
    return value;
  };
  const number = (name: string): number => {
    const value = Number(text(name));
    if (!Number.isInteger(value) || value < 0) throw new RangeError(`${name} must be a whole number from 0`);
    return value;
  };
  return { text, number };
}
