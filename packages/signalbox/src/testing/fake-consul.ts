import { createServer, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** A server that speaks as much of Consul's HTTP API as discovery reads. */
export interface FakeConsul {
  readonly url: string;
  /** Adds a service with one healthy instance. */
  add(name: string): void;
  stop(): Promise<void>;
}

/** Starts a fake agent with the service `orders`. It answers 403 without `token`, and holds blocking queries until `add`. */
export async function startFakeConsul(token: string): Promise<FakeConsul> {
  const names = ["consul", "orders"];
  let index = 1;
  const held = new Set<() => void>();
  const json = (response: ServerResponse, body: unknown): void => {
    response.writeHead(200, { "content-type": "application/json", "x-consul-index": String(index) });
    response.end(JSON.stringify(body));
  };
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? "/", "http://fake");
    if (request.headers["x-consul-token"] !== token) {
      response.writeHead(403, { "content-type": "text/plain" }).end("Permission denied");
      return;
    }
    const answer = (): void => {
      held.delete(answer);
      const name = /^\/v1\/health\/service\/(.+)$/.exec(pathname)?.[1];
      if (pathname === "/v1/catalog/services") json(response, Object.fromEntries(names.map((one) => [one, []])));
      else if (name !== undefined) json(response, names.includes(name) ? [instance(name)] : []);
      else response.writeHead(404, { "content-type": "text/plain" }).end();
    };
    if (searchParams.get("index") === String(index)) held.add(answer);
    else answer();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    add(name) {
      names.push(name);
      index += 1;
      for (const answer of held) answer();
    },
    stop: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function instance(name: string): object {
  return {
    Node: { ID: "1", Node: "node-1", Address: "10.0.0.1", Datacenter: "dc1", Meta: {} },
    Service: { ID: `${name}-1`, Service: name, Tags: [], Address: "10.0.0.2", Port: 8080, Meta: { protocol: "http" } },
    Checks: [{ Node: "node-1", CheckID: "serfHealth", Status: "passing", ServiceID: "" }],
  };
}
