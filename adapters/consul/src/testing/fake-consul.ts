import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { systemClock } from "@signalbox/registry";

/** How the fake misbehaves. `none` is a server in good order. */
export type Fault =
  | "none"
  | "hang"
  | "error-500"
  | "forbidden"
  | "truncated"
  | "redirect"
  | "html"
  | "wrong-json"
  | "no-index"
  | "leaderless";

/** What a token may see. */
export interface Policy {
  service(name: string): boolean;
  node(name: string): boolean;
}

/** One element of `/v1/health/service/<name>`, as far as tests care. */
export interface FakeEntry {
  readonly Node: Readonly<Record<string, unknown>> & { readonly Node: string };
  readonly Service: unknown;
  readonly Checks: readonly unknown[];
}

/** One request that was seen. */
export interface SeenRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly token: string | undefined;
}

interface Hold {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: URL;
  /** Ends its wait. */
  readonly over: AbortController;
}

/**
 * A Consul agent's HTTP API over real sockets, as far as discovery uses it: list and health with blocking indexes, silent filtering by access
 * control, the headers of the streaming backend, indexes that begin anew, and what goes wrong on the way.
 */
export class FakeConsul {
  readonly requests: SeenRequest[] = [];
  /** Absent: access control is off. The key "" is the anonymous token. */
  policies: Map<string, Policy> | undefined;
  /** Answers of health queries with an index come from the streaming backend. */
  streaming = true;
  /** Milliseconds for `X-Consul-LastContact` of stale answers. */
  lastContactMs = 0;
  /** Faults of the answers for single services. */
  readonly faultOf = new Map<string, Fault>();
  readonly #services = new Map<string, Map<string, FakeEntry>>();
  readonly #indexes = new Map<string, bigint>();
  readonly #holds = new Set<Hold>();
  readonly #faulty = new Set<ServerResponse>();
  #server: Server | undefined;
  #port = 0;
  #index: bigint;
  #serverId = "server-1";
  #fault: Fault = "none";
  #together = 0;

  private constructor(index: bigint) {
    this.#index = index;
  }

  static async start({ index = 10n }: { readonly index?: bigint } = {}): Promise<FakeConsul> {
    const fake = new FakeConsul(index);
    await fake.up();
    return fake;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** The newest index of all. */
  get index(): bigint {
    return this.#index;
  }

  /** Queries that are held open now. */
  get waiting(): readonly string[] {
    return [...this.#holds].map(({ url }) => url.pathname);
  }

  /** Puts the instances of a service in place of what it has; none takes it away. */
  set(name: string, entries: readonly FakeEntry[]): void {
    if (entries.length === 0) this.#services.delete(name);
    else this.#services.set(name, new Map(entries.map((entry, at) => [`${entry.Node.Node}/${at}`, entry])));
    this.bump(name);
  }

  entries(name: string): readonly FakeEntry[] {
    return [...(this.#services.get(name)?.values() ?? [])];
  }

  /** Moves the index on for one service, or for all, and answers who waits for it. */
  bump(name?: string): void {
    this.#index++;
    for (const each of name === undefined ? this.#services.keys() : [name]) this.#indexes.set(each, this.#index);
    this.#wake();
  }

  /** Changes that nobody sees before the last one. */
  async together(changes: () => Promise<void>): Promise<void> {
    this.#together++;
    try {
      await changes();
    } finally {
      this.#together--;
      this.#wake();
    }
  }

  /** Begins a new history, as a server does whose data is gone: the index starts small and nothing is registered. */
  forget({ index = 5n, serverId = "server-2" }: { readonly index?: bigint; readonly serverId?: string } = {}): void {
    this.#services.clear();
    this.#indexes.clear();
    this.#index = index;
    this.#serverId = serverId;
  }

  /** Answers everything in this way from now on, also what waits. */
  set fault(fault: Fault) {
    this.#fault = fault;
    if (fault === "none") for (const response of this.#faulty) response.destroy();
    this.#faulty.clear();
    if (fault !== "hang" && fault !== "none") this.answerAll();
  }

  get fault(): Fault {
    return this.#fault;
  }

  /** Answers all that wait, whatever its index. */
  answerAll(): void {
    for (const hold of [...this.#holds]) this.#release(hold);
  }

  /** Opens the port, the same as before. */
  async up(): Promise<void> {
    const server = createServer((request, response) => {
      this.#take(request, response);
    });
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  /** Breaks all connections and closes the port. */
  async down(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    for (const { over } of this.#holds) over.abort();
    this.#holds.clear();
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  get isUp(): boolean {
    return this.#server !== undefined;
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#server === undefined) resolve(0);
      else this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  close(): Promise<void> {
    return this.down();
  }

  #take(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url ?? "/", "http://fake");
    const token = request.headers["x-consul-token"];
    this.requests.push({
      path: decodeURIComponent(url.pathname),
      query: url.searchParams,
      token: typeof token === "string" ? token : undefined,
    });
    const over = new AbortController();
    const hold = { request, response, url, over };
    const asked = url.searchParams.get("index");
    if (this.#faultFor(url) !== "none" || asked === null || this.#indexOf(url) > BigInt(asked)) {
      this.#answer(hold);
      return;
    }
    this.#holds.add(hold);
    response.on("close", () => {
      this.#holds.delete(hold);
      over.abort();
    });
    const waitMs = Number(/^([0-9]+)ms$/.exec(url.searchParams.get("wait") ?? "")?.[1] ?? 300_000);
    systemClock.sleep(waitMs, over.signal).then(
      () => this.#release(hold),
      () => undefined,
    );
  }

  #wake(): void {
    if (this.#together > 0) return;
    for (const hold of [...this.#holds]) {
      if (this.#indexOf(hold.url) > BigInt(hold.url.searchParams.get("index") ?? "0")) this.#release(hold);
    }
  }

  #release(hold: Hold): void {
    if (!this.#holds.delete(hold)) return;
    hold.over.abort();
    this.#answer(hold);
  }

  #faultFor(url: URL): Fault {
    const service = serviceIn(url);
    return (service === undefined ? undefined : this.faultOf.get(service)) ?? this.#fault;
  }

  #indexOf(url: URL): bigint {
    const service = serviceIn(url);
    return service === undefined ? this.#index : (this.#indexes.get(service) ?? this.#index);
  }

  #answer({ request, response, url }: Hold): void {
    const token = request.headers["x-consul-token"];
    const policy = this.policies?.get(typeof token === "string" ? token : "");
    const known = this.policies === undefined || policy !== undefined || token === undefined;
    const text = JSON.stringify(this.#body(url, policy).body);
    switch (this.#faultFor(url)) {
      case "hang":
        this.#faulty.add(response);
        return;
      case "error-500":
        json(response, 500, JSON.stringify({ error: "rpc error making call" }));
        return;
      case "forbidden":
        response.writeHead(403, { "content-type": "text/plain" }).end("rpc error making call: ACL not found");
        return;
      case "truncated":
        response.writeHead(200, { ...this.#headers(url, false), "content-length": text.length });
        response.write(text.slice(0, text.length / 2), () => response.destroy());
        return;
      case "redirect":
        response.writeHead(301, { location: "/elsewhere" }).end();
        return;
      case "html":
        response.writeHead(200, { "content-type": "text/html", "x-consul-index": "1" }).end("<html>");
        return;
      case "wrong-json":
        response.writeHead(200, this.#headers(url, false)).end('"neither a list nor a map"');
        return;
      case "no-index":
        json(response, 200, text);
        return;
      case "leaderless":
        response
          .writeHead(200, {
            ...this.#headers(url, false),
            "x-consul-knownleader": "false",
            "x-consul-query-backend": "",
          })
          .end("[]");
        return;
      case "none":
        break;
    }
    if (!known) {
      response.writeHead(403, { "content-type": "text/plain" }).end("ACL not found");
      return;
    }
    const { filtered } = this.#body(url, policy);
    response.writeHead(200, this.#headers(url, filtered && token !== undefined)).end(text);
  }

  #headers(url: URL, filtered: boolean): Record<string, string> {
    const asked = url.searchParams.has("index");
    const streams = this.streaming && asked && url.pathname.startsWith("/v1/health/");
    const stale = url.searchParams.has("stale");
    return {
      "content-type": "application/json",
      "x-consul-index": String(this.#indexOf(url)),
      "x-consul-knownleader": streams ? "false" : "true",
      "x-consul-lastcontact": String(stale ? this.lastContactMs : 0),
      "x-consul-query-backend": streams ? "streaming" : "blocking-query",
      ...(filtered && !streams && { "x-consul-results-filtered-by-acls": "true" }),
    };
  }

  #body(url: URL, policy: Policy | undefined): { readonly body: unknown; readonly filtered: boolean } {
    const off = this.policies === undefined;
    const name = serviceIn(url);
    const mayService = (service: string) => off || policy?.service(service) === true;
    const mayNode = (node: string) => off || policy?.node(node) === true;
    const here = (service: string) => this.entries(service).filter((entry) => isIn(url, entry));
    if (name !== undefined) {
      const all = name === "consul" ? [this.#serverEntry()].filter((entry) => isIn(url, entry)) : here(name);
      const visible = all.filter(({ Node: { Node: node } }) => mayService(name) && mayNode(node));
      const dc = url.searchParams.get("dc");
      const body = visible.map((entry) =>
        dc === null ? entry : { ...entry, Node: { ...entry.Node, Datacenter: dc } },
      );
      return { body, filtered: body.length < all.length };
    }
    const names = [...this.#services.keys()].filter((service) => here(service).length > 0);
    if (isIn(url, this.#serverEntry())) names.unshift("consul");
    const visible = names.filter(mayService);
    return {
      body: Object.fromEntries(visible.map((service) => [service, this.#tagsOf(service)])),
      filtered: visible.length < names.length,
    };
  }

  #tagsOf(name: string): readonly string[] {
    const tags = this.entries(name).flatMap(({ Service: service }) => {
      const own = typeof service === "object" && service !== null && "Tags" in service ? service.Tags : [];
      return Array.isArray(own) ? own.filter((tag) => typeof tag === "string") : [];
    });
    return [...new Set(tags)];
  }

  #serverEntry(): FakeEntry {
    return {
      Node: { ID: this.#serverId, Node: "server", Address: "127.0.0.1", Datacenter: "dc1", Meta: {} },
      Service: { ID: "consul", Service: "consul", Tags: [], Address: "", Port: 8300, Meta: {} },
      Checks: [],
    };
  }
}

/** Whether a query asks for the namespace and partition of an instance; those of whoever names none are the default ones. */
function isIn(url: URL, { Service: service }: FakeEntry): boolean {
  const own: { Namespace?: unknown; Partition?: unknown } =
    typeof service === "object" && service !== null ? service : {};
  const { Namespace: namespace = "default", Partition: partition = "default" } = own;
  const asked = url.searchParams;
  return namespace === (asked.get("ns") ?? "default") && partition === (asked.get("partition") ?? "default");
}

/** The service that a health query asks for. */
function serviceIn(url: URL): string | undefined {
  const name = /^\/v1\/health\/service\/(.+)$/.exec(url.pathname)?.[1];
  return name === undefined ? undefined : decodeURIComponent(name);
}

function json(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { "content-type": "application/json" }).end(text);
}
