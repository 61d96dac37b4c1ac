import assert from "node:assert/strict";
import { CatalogFold, FencedError, foldEvent, sameRevision } from "@signalbox/event-bus";
import type { BusWriter, LogBus } from "@signalbox/event-bus";
import { deepFreeze, entryVersions, registryId, serviceKey } from "@signalbox/model";
import type { Catalog, CatalogDelta, CatalogEntry, CatalogInstance, Revision, Service } from "@signalbox/model";
import { waitFor } from "@signalbox/test-servers";

const provenance = { registry: registryId("test", "bus"), object: "made by a test" } as const;
const locality = { region: "", zone: "", subzone: "" } as const;

/** An entry with one instance that differs by `generation`; about `bytes` larger than it must be, of text that hardly compresses. */
export function entryOf(name: string, generation: number, bytes = 0): CatalogEntry {
  const service: Service = {
    hostname: `${name}.example`,
    namespace: "test",
    ports: [{ name: "http", number: 80, protocol: "HTTP" }],
    resolution: "STATIC",
    addresses: [],
    labels: bytes === 0 ? {} : { padding: padding(name, bytes) },
    meshExternal: false,
    exportTo: [],
    serviceAccounts: [],
    provenance,
  };
  const instance: CatalogInstance = {
    id: `${name}-1`,
    servicePort: "http",
    addresses: [{ type: "ip", ip: "192.0.2.1", port: 8000 + (generation % 1000) }],
    labels: { generation: String(generation) },
    locality,
    network: "",
    serviceAccount: "",
    tls: "disabled",
    healthStatus: "HEALTHY",
    weight: 1,
    priority: 0,
    provenance: [provenance],
    findings: [],
  };
  const instances = [instance];
  const versions = entryVersions(service, instances);
  return deepFreeze({ key: serviceKey(service), service, instances, registries: [provenance.registry], versions });
}

/** A delta that sets one entry. */
export function setting(entry: CatalogEntry): CatalogDelta {
  const none = { upserted: [], removed: [] };
  return { entries: { upserted: [entry], removed: [] }, workloads: none, objects: none };
}

/** What a catalog says, in a form that two of them can be compared in: the hashes of all services. */
export function versionsOf({ entries }: Pick<Catalog, "entries">): Record<string, string> {
  const pairs = [...entries].map(([key, { versions }]) => [key, `${versions.service} ${versions.instances}`] as const);
  return Object.fromEntries(pairs.sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** The discovery side, as the bus knows it: it leads, says what changed, and leads again when the bus says that it does not. */
export class Discovery {
  readonly bus: LogBus;
  /** What is true. */
  readonly content = new CatalogFold();
  readonly #end = new AbortController();
  #writer: BusWriter | undefined;
  #revision: Revision = { epoch: "", sequence: 0 };

  constructor(bus: LogBus, entries: Iterable<CatalogEntry> = []) {
    this.bus = bus;
    for (const entry of entries) this.content.apply(setting(entry));
  }

  /** What `content` became by the last publication. */
  get revision(): Revision {
    return this.#revision;
  }

  async lead(): Promise<void> {
    this.#writer = await this.bus.lead(() => this.content, this.#end.signal);
    this.#revision = { epoch: this.#writer.epoch, sequence: 0 };
  }

  async say(entry: CatalogEntry): Promise<void> {
    try {
      if (this.#writer !== undefined) this.#revision = await this.#writer.publish(setting(entry));
      this.content.apply(setting(entry));
    } catch (error) {
      if (!(error instanceof FencedError)) throw error;
      // The snapshot of the next epoch says it.
      this.content.apply(setting(entry));
      await this.lead();
    }
  }

  /** Waits until the bus knows that it lost the lead, and takes it again. */
  async leadAgain(): Promise<void> {
    await waitFor(() => this.#writer?.over.aborted, { what: "the writer to find out", deadlineMs: 15_000 });
    await this.lead();
  }

  async close(): Promise<void> {
    this.#end.abort();
    await this.bus.close();
  }
}

/** The publishing side: it follows, and never has anything but a catalog that was published. */
export class Follower {
  readonly bus: LogBus;
  readonly #done: Promise<void>;
  /** Sizes of all catalogs that it had, in their order, each different one once. */
  readonly sizes: number[] = [];
  catalog: Catalog | undefined;
  snapshots = 0;

  constructor(bus: LogBus) {
    this.bus = bus;
    this.#done = this.#follow();
  }

  /** Waits until it has the last revision of the discovery, which must be exactly what is true there. */
  async agrees({ content, revision }: Discovery, deadlineMs = 15_000): Promise<void> {
    const catalog = await waitFor(
      () => this.catalog !== undefined && sameRevision(this.catalog.revision, revision) && this.catalog,
      { what: "the follower to have the catalog", deadlineMs },
    );
    assert.deepEqual(versionsOf(catalog), versionsOf(content));
  }

  async close(): Promise<void> {
    await this.bus.close();
    await this.#done;
  }

  async #follow(): Promise<void> {
    for await (const event of this.bus.subscribe("test", new AbortController().signal)) {
      this.catalog = foldEvent(this.catalog, event);
      if (event.type === "snapshot") this.snapshots++;
      if (this.sizes.at(-1) !== this.catalog.entries.size) this.sizes.push(this.catalog.entries.size);
    }
  }
}

/** Text that differs by its seed and is always the same for one. */
function padding(seed: string, bytes: number): string {
  let state = bytes;
  for (let at = 0; at < seed.length; at++) state = (Math.imul(state, 31) + seed.charCodeAt(at)) | 0;
  let text = "";
  while (text.length < bytes) {
    state = (Math.imul(state, 1_103_515_245) + 12_345) | 0;
    text += (state >>> 0).toString(36);
  }
  return text.slice(0, bytes);
}
