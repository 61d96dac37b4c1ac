import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import { typeUrls, type TypeUrl } from "@signalbox/envoy-api";
import { RouteConfigurationSchema } from "@signalbox/envoy-api/envoy/config/route/v3/route";
import { resourceOf, type Resource } from "../resource.ts";
import type { AcceptStream } from "../transport.ts";
import { deltaAds, encodeContent, FakeStream, RDS, type Received } from "./fake-stream.ts";

const VHDS = typeUrls.virtualHost;

/** A route table of this content whose virtual hosts are discovered. */
export function hostlessTable(name: string, content: string): Resource {
  const table = create(RouteConfigurationSchema, { name, internalOnlyHeaders: [content], vhds: { configSource: {} } });
  return resourceOf(name, toBinary(RouteConfigurationSchema, table));
}

/** A virtual host as the tests have it: its name and a text. */
export function hostOf(name: string, content: string): Resource {
  return resourceOf(name, encodeContent(name, content));
}

/** Name and content of a route table or a virtual host of the tests. */
export function readTableOrHost(bytes: Uint8Array): [string, string] {
  if (bytes[0] === 0x0a) {
    const { internalOnlyHeaders, name } = fromBinary(RouteConfigurationSchema, bytes);
    return [name, internalOnlyHeaders.join()];
  }
  const [name = "", content = ""] = Buffer.from(bytes).toString().split("=");
  return [name, content];
}

function tableOf(host: string): string {
  return host.slice(0, host.lastIndexOf("/"));
}

interface Ask {
  readonly typeUrl: TypeUrl;
  readonly resourceNamesSubscribe?: string[];
  readonly resourceNamesUnsubscribe?: string[];
  readonly initialResourceVersions?: Record<string, string>;
  readonly responseNonce?: string;
}

/**
 * What Envoy does with virtual hosts that are discovered, as far as a server can tell: it asks for them once on a stream, takes those whose
 * table it has, throws the others away and says all the same that it holds them, and keeps a table that is gone.
 */
export class HostClient {
  readonly #accept: AcceptStream;
  /** Content of the virtual hosts of each table that it has. */
  readonly tables = new Map<string, Map<string, string>>();
  /** What it says that it holds. */
  readonly heldHosts = new Map<string, string>();
  readonly #heldTables = new Map<string, string>();
  readonly wanted = new Set<string>();
  /** It has asked for tables on this stream. */
  asksTables = false;
  #stream: FakeStream;
  #introduced = false;
  #asked = false;

  constructor(accept: AcceptStream) {
    this.#accept = accept;
    this.#stream = this.#open();
  }

  /** Asks for a table, again if it has it. */
  want(table: string): void {
    this.wanted.add(table);
    this.#send({ typeUrl: RDS, resourceNamesSubscribe: [table] });
  }

  /** Lets go of a table. */
  leave(table: string): void {
    if (!this.wanted.delete(table)) return;
    this.tables.delete(table);
    this.#heldTables.delete(table);
    this.#send({ typeUrl: RDS, resourceNamesUnsubscribe: [table] });
  }

  /** Takes the oldest `count` responses and answers them. Returns how many there were. */
  process(count: number): number {
    const responses = this.#stream.received.splice(0, count);
    for (const response of responses) this.#take(response);
    return responses.length;
  }

  /**
   * Loses the stream, with what is on its way, and comes back. A table may have arrived and the virtual hosts that follow it not; but not
   * where the client then says of virtual hosts that its table lacks that it has them, which no server could find out.
   */
  reconnect(hostsFirst: boolean): void {
    while (this.#believesTooMuch() && this.process(1) > 0);
    this.#stream.close();
    this.#stream = this.#open();
    const askTables = () => {
      if (this.wanted.size > 0)
        this.#send({
          typeUrl: RDS,
          resourceNamesSubscribe: [...this.wanted],
          initialResourceVersions: versions(this.#heldTables, hostlessTable),
        });
    };
    const askHosts = () => {
      if (this.#asked) this.#send({ typeUrl: VHDS, initialResourceVersions: versions(this.heldHosts, hostOf) });
    };
    for (const ask of hostsFirst ? [askHosts, askTables] : [askTables, askHosts]) ask();
  }

  #believesTooMuch(): boolean {
    return [...this.heldHosts.keys()].some((host) => this.tables.get(tableOf(host))?.has(host) === false);
  }

  #open(): FakeStream {
    const stream = new FakeStream(deltaAds, readTableOrHost);
    stream.open(this.#accept);
    this.#introduced = false;
    this.asksTables = false;
    return stream;
  }

  #send(request: Ask): void {
    const node = this.#introduced ? {} : { node: { id: "n" } };
    this.#introduced = true;
    if (request.typeUrl === RDS) this.asksTables = true;
    this.#stream.delta({ ...node, ...request });
  }

  #take({ nonce, removed, resources, type }: Received): void {
    for (const name of removed) if (resources.has(name)) throw new Error(`${name} is both there and gone`);
    if (type === RDS) this.#takeTables(resources, removed);
    else this.#takeHosts(resources, removed);
    this.#send({ typeUrl: type, responseNonce: nonce });
    if (type !== RDS || this.#asked || this.tables.size === 0) return;
    this.#asked = true;
    this.#send({ typeUrl: VHDS });
  }

  #takeTables(resources: ReadonlyMap<string, string>, removed: readonly string[]): void {
    for (const [name, content] of resources) {
      if (!this.wanted.has(name)) continue;
      this.tables.set(name, this.tables.get(name) ?? new Map<string, string>());
      this.#heldTables.set(name, content);
    }
    for (const name of removed) this.#heldTables.delete(name);
  }

  #takeHosts(resources: ReadonlyMap<string, string>, removed: readonly string[]): void {
    for (const [name, content] of resources) {
      this.heldHosts.set(name, content);
      this.tables.get(tableOf(name))?.set(name, content);
    }
    for (const name of removed) {
      this.heldHosts.delete(name);
      this.tables.get(tableOf(name))?.delete(name);
    }
  }
}

function versions(
  held: ReadonlyMap<string, string>,
  make: (name: string, content: string) => Resource,
): Record<string, string> {
  return Object.fromEntries([...held].map(([name, content]) => [name, make(name, content).version]));
}
