import { createServer } from "node:http";
import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

/** An object as a test writes it. */
export interface FakeObject {
  readonly metadata: { readonly name: string; readonly namespace?: string; readonly [key: string]: unknown };
  readonly [key: string]: unknown;
}

/** The collections that it serves. */
export type Collection = string;

const builtIn: readonly Collection[] = ["services", "endpointslices", "pods", "nodes", "namespaces", "secrets"];

/** How the server answers. */
export type Mood =
  | "FINE"
  /** Lists end in the middle. */
  | "CUTS"
  /** Requests are taken and never answered. */
  | "HANGS"
  /** 403. */
  | "FORBIDS"
  /** 200 and a page. */
  | "TALKS"
  /** 500 and a Status. */
  | "FAILS"
  /** 200, JSON, and no list. */
  | "ODD"
  /** 302. */
  | "REDIRECTS";

interface Watcher {
  readonly collection: Collection;
  readonly namespace: string | undefined;
  readonly response: ServerResponse;
}

interface LoggedEvent {
  readonly version: number;
  readonly collection: Collection;
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  readonly object: FakeObject;
}

/**
 * An HTTP server that lists and watches as a Kubernetes API server does: pages with tokens, resource versions, bookmarks, expiry
 * inside a watch and by status. Listens on loopback, on a port of its own that stays the same over `shut` and `listen`.
 */
export class FakeApiServer {
  mood: Mood = "FINE";
  /** The tokens that are let in. */
  readonly tokens = new Set<string>();
  /** Collections that nobody may read. */
  readonly forbidden = new Set<Collection>();
  /** Definitions of further collections: `virtualservices` of `networking.istio.io/v1`. */
  readonly definitions = new Map<Collection, string>();
  /** Whether nobody may ask what is served. */
  hidesApis = false;
  /** Method, path and query of every request. */
  readonly requests: string[] = [];
  readonly #objects = new Map<Collection, Map<string, FakeObject>>();
  readonly #watchers = new Set<Watcher>();
  readonly #hanging = new Set<ServerResponse>();
  readonly #pages = new Map<string, readonly FakeObject[]>();
  #events: LoggedEvent[] = [];
  #version = 100;
  #floor = 0;
  #server: Server | undefined;
  #port = 0;

  static async open(): Promise<FakeApiServer> {
    const server = new FakeApiServer();
    await server.listen();
    return server;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  get watches(): number {
    return this.#watchers.size;
  }

  put(collection: Collection, object: FakeObject): void {
    const objects = this.#of(collection);
    const key = keyOf(object);
    const type = objects.has(key) ? "MODIFIED" : "ADDED";
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    objects.set(key, stored);
    this.#tell({ version: this.#version, collection, type, object: stored });
  }

  delete(collection: Collection, key: string): void {
    const object = this.#of(collection).get(key);
    if (object === undefined) return;
    this.#of(collection).delete(key);
    const gone = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.#version) } };
    this.#tell({ version: this.#version, collection, type: "DELETED", object: gone });
  }

  get(collection: Collection, key: string): FakeObject | undefined {
    return this.#of(collection).get(key);
  }

  keys(collection: Collection): readonly string[] {
    return [...this.#of(collection).keys()];
  }

  /** Changes the store without telling the watches, as while a client is away. */
  silently(act: () => void): void {
    const watchers = [...this.#watchers];
    this.#watchers.clear();
    act();
    for (const watcher of watchers) this.#watchers.add(watcher);
  }

  bookmark(): void {
    for (const { response } of this.#watchers) writeEvent(response, "BOOKMARK", this.#bookmark());
  }

  /** Forgets the past: older versions are expired, tokens of pages too. */
  compact(): void {
    this.#floor = ++this.#version;
    this.#events = [];
    this.#pages.clear();
  }

  /** Writes a line to all watches. */
  write(line: string): void {
    for (const { response } of this.#watchers) response.write(line);
  }

  /** Ends all watches in good order. */
  endWatches(): void {
    for (const { response } of this.#watchers) response.end();
    this.#watchers.clear();
  }

  /** Ends all watches in the middle. */
  cutWatches(): void {
    for (const { response } of this.#watchers) response.destroy();
    this.#watchers.clear();
  }

  async listen(): Promise<void> {
    const server = createServer((request, response) => {
      this.#answer(request, response);
    });
    server.keepAliveTimeout = 60_000;
    await new Promise<void>((resolve) => server.listen(this.#port, "127.0.0.1", resolve));
    this.#port = (server.address() as AddressInfo).port;
    this.#server = server;
  }

  async shut(): Promise<void> {
    const server = this.#server;
    this.#server = undefined;
    this.#watchers.clear();
    this.#hanging.clear();
    if (server === undefined) return;
    const closed = new Promise((resolve) => server.close(resolve));
    server.closeAllConnections();
    await closed;
  }

  /** In good order again; what hung is answered. */
  async mend(): Promise<void> {
    this.mood = "FINE";
    for (const response of this.#hanging) response.destroy();
    this.#hanging.clear();
    if (this.#server === undefined) await this.listen();
  }

  connections(): Promise<number> {
    return new Promise((resolve, reject) => {
      if (this.#server === undefined) resolve(0);
      else this.#server.getConnections((error, count) => (error === null ? resolve(count) : reject(error)));
    });
  }

  #of(collection: Collection): Map<string, FakeObject> {
    const objects = this.#objects.get(collection) ?? new Map<string, FakeObject>();
    this.#objects.set(collection, objects);
    return objects;
  }

  #tell(event: LoggedEvent): void {
    this.#events.push(event);
    for (const { collection, namespace, response } of this.#watchers) {
      if (collection === event.collection && isWithin(event.object, namespace))
        writeEvent(response, event.type, event.object);
    }
  }

  #bookmark(): object {
    return { kind: "Bookmark", metadata: { resourceVersion: String(this.#version) } };
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    this.requests.push(`${request.method ?? ""} ${request.url ?? ""}`);
    const url = new URL(request.url ?? "/", this.url);
    if (this.mood === "HANGS") this.#hanging.add(response);
    else if (this.mood === "TALKS") response.writeHead(200, { "content-type": "text/html" }).end("<html></html>");
    else if (this.mood === "REDIRECTS") response.writeHead(302, { location: "/elsewhere" }).end();
    else if (this.mood === "FAILS") sendStatus(response, 500, "InternalError", "etcd is gone");
    else if (this.mood === "ODD") sendJson(response, 200, { kind: "Status", items: "none" });
    else if (this.mood === "FORBIDS") sendStatus(response, 403, "Forbidden", "may not list");
    else if (!this.#isKnown(request)) sendStatus(response, 401, "Unauthorized", "Unauthorized");
    else this.#serve(url, response);
  }

  #isKnown(request: IncomingMessage): boolean {
    return this.tokens.size === 0 || this.tokens.has((request.headers.authorization ?? "").replace("Bearer ", ""));
  }

  #serve(url: URL, response: ServerResponse): void {
    if (url.pathname === "/apis" || /^\/apis\/[^/]+\/[^/]+$/.test(url.pathname)) {
      this.#discover(url.pathname.slice("/apis/".length), response);
      return;
    }
    const [, group, namespace, collection] =
      /^\/(?:api|apis\/([^/]+))\/v[^/]+(?:\/namespaces\/([^/]+))?\/([a-z]+)$/.exec(url.pathname) ?? [];
    const version = this.definitions.get(collection ?? "");
    const isServed = version === undefined ? builtIn.includes(collection ?? "") : version.startsWith(`${group ?? ""}/`);
    if (collection === undefined || !isServed) sendStatus(response, 404, "NotFound", "no such path");
    else if (this.forbidden.has(collection)) sendStatus(response, 403, "Forbidden", "may not list");
    else if (url.searchParams.get("watch") === "1") this.#watch(url, collection, namespace, response);
    else this.#list(url, collection, namespace, response);
  }

  /** Says what is served: all groups, or the collections of one version. */
  #discover(groupVersion: string, response: ServerResponse): void {
    const versions = [...new Set(this.definitions.values())];
    if (this.hidesApis) sendStatus(response, 403, "Forbidden", "may not ask");
    else if (groupVersion === "") {
      const groups = [...new Set(versions.map((version) => version.split("/", 1)[0]))].map((name) => ({
        name,
        versions: versions.flatMap((version) =>
          version.startsWith(`${name ?? ""}/`) ? [{ groupVersion: version }] : [],
        ),
      }));
      sendJson(response, 200, { kind: "APIGroupList", groups });
    } else if (!versions.includes(groupVersion)) sendStatus(response, 404, "NotFound", "no such version");
    else {
      const names = [...this.definitions].flatMap(([name, version]) => (version === groupVersion ? [{ name }] : []));
      sendJson(response, 200, { kind: "APIResourceList", groupVersion, resources: names });
    }
  }

  #list(url: URL, collection: Collection, namespace: string | undefined, response: ServerResponse): void {
    const limit = Number(url.searchParams.get("limit") ?? "0") || Number.POSITIVE_INFINITY;
    const token = url.searchParams.get("continue");
    const all =
      token === null
        ? [...this.#of(collection).values()].filter((object) => isWithin(object, namespace))
        : this.#pages.get(token);
    if (all === undefined) {
      sendStatus(response, 410, "Expired", "The provided continue parameter is too old");
      return;
    }
    const version = token === null ? this.#version : Number(token.split("-", 1)[0]);
    const rest = all.slice(limit);
    const next = `${version}-${collection}-${rest.length}-${this.requests.length}`;
    if (rest.length > 0) this.#pages.set(next, rest);
    const metadata = { resourceVersion: String(version), ...(rest.length > 0 ? { continue: next } : {}) };
    const text = JSON.stringify({ kind: "FakeList", metadata, items: all.slice(0, limit) });
    response.writeHead(200, { "content-type": "application/json", "content-length": Buffer.byteLength(text) });
    if (this.mood === "CUTS") response.write(text.slice(0, text.length / 2), () => response.destroy());
    else response.end(text);
  }

  #watch(url: URL, collection: Collection, namespace: string | undefined, response: ServerResponse): void {
    const from = Number(url.searchParams.get("resourceVersion"));
    response.writeHead(200, { "content-type": "application/json" });
    response.flushHeaders();
    if (from < this.#floor) {
      const object = { kind: "Status", code: 410, reason: "Expired", message: `too old resource version: ${from}` };
      writeEvent(response, "ERROR", object);
      response.end();
      return;
    }
    for (const event of this.#events) {
      if (event.version > from && event.collection === collection && isWithin(event.object, namespace))
        writeEvent(response, event.type, event.object);
    }
    const watcher = { collection, namespace, response };
    this.#watchers.add(watcher);
    response.on("close", () => this.#watchers.delete(watcher));
  }
}

function keyOf({ metadata: { name, namespace } }: FakeObject): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}

function isWithin(object: FakeObject, namespace: string | undefined): boolean {
  return namespace === undefined || object.metadata.namespace === namespace;
}

function writeEvent(response: ServerResponse, type: string, object: object): void {
  response.write(`${JSON.stringify({ type, object })}\n`);
}

function sendStatus(response: ServerResponse, code: number, reason: string, message: string): void {
  sendJson(response, code, { kind: "Status", apiVersion: "v1", status: "Failure", code, reason, message });
}

function sendJson(response: ServerResponse, status: number, body: object): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
}
