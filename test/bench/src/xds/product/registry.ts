import { once } from "node:events";
import type { Registry, RegistrySink } from "@signalbox/registry";
import type { ConfigObject, ServiceRecord } from "@signalbox/model";
import { meshRegistry, type Mesh } from "./mesh.ts";

/** A registry in memory that says what a mesh is, and what changed in it. */
export class MeshRegistry implements Registry {
  readonly id = meshRegistry;
  readonly #mesh: Mesh;
  /** Made up before anybody measures; let go of when it was said. */
  #first: { readonly records: readonly ServiceRecord[]; readonly objects: readonly ConfigObject[] } | undefined;
  #sink: RegistrySink | undefined;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
    this.#first = { records: mesh.records(), objects: mesh.objects() };
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    this.#sink = sink;
    sink.push({
      type: "snapshot",
      ...(this.#first ?? { records: this.#mesh.records(), objects: this.#mesh.objects() }),
    });
    this.#first = undefined;
    if (!signal.aborted) await once(signal, "abort");
  }

  /** Says one service anew. */
  tellService(record: ServiceRecord): void {
    this.tellServices([record]);
  }

  /** Says many services anew, at once. */
  tellServices(upserted: readonly ServiceRecord[]): void {
    this.#sink?.push({ type: "delta", records: { upserted, removed: [] } });
  }

  /** Says one rule anew. */
  tellRule(object: ConfigObject): void {
    this.#sink?.push({ type: "delta", objects: { upserted: [object], removed: [] } });
  }
}
