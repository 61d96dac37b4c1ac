import { Agent, createServer, request } from "node:http";
import type { Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { registryId, serviceKey } from "@signalbox/model";
import type { RegistryId, ServiceKey, ServiceRecord } from "@signalbox/model";
import { backoff } from "../backoff.ts";
import { serviceRecord } from "../conformance/index.ts";
import type { SourceService, SourceWorld, Supports } from "../conformance/index.ts";
import { pollLoop } from "../loops.ts";
import type { Problem, Registry, RegistryDeps, RegistrySink } from "../registry.ts";
import { SourceError } from "../source-error.ts";

/** What an HttpRegistry can do. */
export const pollingHttp: Supports = {
  deltas: false,
  workloads: false,
  objects: false,
  truncation: true,
  secrets: false,
  emptyServices: true,
  backoff: true,
  problems: ["UNREACHABLE", "AUTH_FAILED", "PROTOCOL_ERROR"],
  malformed: [],
  labelKeys: ["__proto__", "constructor"],
};

/** A real HTTP server on a port of its own that lists services as JSON, in the hands of the contract suite. */
export class HttpWorld implements SourceWorld {
  readonly #services = new Map<string, SourceService>();
  readonly #hanging = new Set<ServerResponse>();
  #server: Server | undefined;
  #port = 0;
  #mood: "FINE" | "HANGS" | "CUTS" | "REFUSES" | "TALKS" = "FINE";

  static async open(): Promise<HttpWorld> {
    const world = new HttpWorld();
    await world.#listen();
    return world;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}/services`;
  }

  set(service: SourceService): Promise<ServiceKey> {
    this.#services.set(service.name, service);
    return Promise.resolve(serviceKey(recordOf(service, registryId("http", "any")).service));
  }

  remove(name: string): Promise<void> {
    this.#services.delete(name);
    return Promise.resolve();
  }

  touch(): Promise<void> {
    return Promise.resolve();
  }

  together(changes: () => Promise<void>): Promise<void> {
    // The clock stands still meanwhile, so no poll comes in between.
    return changes();
  }

  async break(problem: Problem): Promise<void> {
    if (problem === "UNREACHABLE") await this.#shut();
    else this.#mood = problem === "AUTH_FAILED" ? "REFUSES" : "TALKS";
  }

  truncate(): Promise<void> {
    this.#mood = "CUTS";
    return Promise.resolve();
  }

  stall(): Promise<void> {
    this.#mood = "HANGS";
    return Promise.resolve();
  }

  async mend(): Promise<void> {
    this.#mood = "FINE";
    for (const response of this.#hanging) this.#answer(response);
    this.#hanging.clear();
    if (this.#server === undefined) await this.#listen();
  }

  async restart(): Promise<void> {
    await this.#shut();
    await this.#listen();
  }

  malform(): Promise<void> {
    return Promise.reject(new TypeError("this source takes nothing malformed"));
  }

  close(): Promise<void> {
    return this.#shut();
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#server === undefined) resolve(0);
      else this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  async #listen(): Promise<void> {
    const server = createServer((_, response) => {
      this.#answer(response);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async #shut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  #answer(response: ServerResponse): void {
    const text = JSON.stringify([...this.#services.values()]);
    switch (this.#mood) {
      case "FINE":
        response.end(text);
        break;
      case "HANGS":
        this.#hanging.add(response);
        break;
      case "CUTS":
        response.writeHead(200, { "content-length": text.length });
        response.write(text.slice(0, text.length / 2), () => response.destroy());
        break;
      case "REFUSES":
        response.writeHead(403).end();
        break;
      case "TALKS":
        response.end("<html>");
        break;
    }
  }
}

/** A registry that polls an HttpWorld every 30 seconds of its clock. */
export class HttpRegistry implements Registry {
  readonly id: RegistryId;
  readonly #url: string;
  readonly #deps: RegistryDeps;
  readonly #agent: Agent | false;

  /** With `pooled`, sockets are kept for later and nobody closes them at the end: a fault that the contract finds. */
  constructor(url: string, deps: RegistryDeps, options: { readonly pooled?: boolean } = {}) {
    this.#agent = options.pooled === true ? new Agent({ keepAlive: true }) : false;
    this.id = registryId("http", deps.name);
    this.#url = url;
    this.#deps = deps;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    let last: string | undefined;
    await pollLoop({
      sink,
      signal,
      clock: this.#deps.clock,
      backoff: backoff(),
      intervalMs: 30_000,
      read: async () => {
        const text = await get(this.#url, this.#agent, signal);
        if (text === last) return undefined;
        const services = JSON.parse(text) as readonly SourceService[];
        last = text;
        return { type: "snapshot", records: services.map((service) => recordOf(service, this.id)) };
      },
    });
  }
}

function recordOf(service: SourceService, registry: RegistryId): ServiceRecord {
  return serviceRecord({
    hostname: `${service.name}.http`,
    registry,
    instances: service.instances.map(({ name, ip, labels = {} }) => ({
      id: name,
      address: ip,
      port: service.port,
      labels,
    })),
  });
}

function get(url: string, agent: Agent | false, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request(url, { signal, agent }, (response) => {
      let text = "";
      response.setEncoding("utf8");
      response.on("data", (chunk: string) => (text += chunk));
      response.on("error", reject);
      response.on("end", () => {
        if (response.statusCode === 200) resolve(text);
        else reject(new SourceError("AUTH_FAILED", `status ${response.statusCode}`));
      });
    });
    call.on("error", reject);
    call.end();
  });
}
