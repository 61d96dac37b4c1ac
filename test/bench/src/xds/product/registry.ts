import { once } from "node:events";
import type { Registry, RegistrySink } from "@signalbox/registry";
import type { ConfigObject, ServiceRecord } from "@signalbox/model";
import { meshRegistry, type Mesh } from "./mesh.ts";

/** A registry in memory that says what a mesh is, and what changed in it. */
export class MeshRegistry implements Registry {
  readonly id = meshRegistry;
  readonly #mesh: Mesh;
  #sink: RegistrySink | undefined;

  constructor(mesh: Mesh) {
    this.#mesh = mesh;
  }

  async run(sink: RegistrySink, signal: AbortSignal): Promise<void> {
    this.#sink = sink;
    sink.push({ type: "snapshot", records: this.#mesh.records(), objects: this.#mesh.objects() });
    if (!signal.aborted) await once(signal, "abort");
  }

  /** Says one service anew. */
  tellService(record: ServiceRecord): void {
    this.#sink?.push({ type: "delta", records: { upserted: [record], removed: [] } });
  }

  /** Says one rule anew. */
  tellRule(object: ConfigObject): void {
    this.#sink?.push({ type: "delta", objects: { upserted: [object], removed: [] } });
  }
}
