import { isDeepStrictEqual } from "node:util";
import { objectKey, type CatalogDelta, type ConfigObject, type ObjectKey } from "@signalbox/model";

/** The rules of the catalog as they came last, so that a snapshot can be read as what it changed. */
export class KnownObjects {
  readonly #objects = new Map<ObjectKey, ConfigObject>();

  /** Takes in all objects of a snapshot and says what changed. */
  takeAll(objects: ReadonlyMap<ObjectKey, ConfigObject>): CatalogDelta["objects"] {
    const upserted = [...objects].flatMap(([key, object]) =>
      isDeepStrictEqual(object, this.#objects.get(key)) ? [] : [object],
    );
    return this.take({ upserted, removed: [...this.#objects.keys()].filter((key) => !objects.has(key)) });
  }

  /** Takes in what changed, and hands it on. */
  take(delta: CatalogDelta["objects"]): CatalogDelta["objects"] {
    for (const key of delta.removed) this.#objects.delete(key);
    for (const object of delta.upserted) this.#objects.set(objectKey(object), object);
    return delta;
  }
}
