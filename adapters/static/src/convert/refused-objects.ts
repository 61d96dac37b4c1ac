import { isDeepStrictEqual } from "node:util";
import { byCodeUnit, objectKey, type ConfigObject, type Delta, type ObjectKey } from "@signalbox/model";

type Objects = ReadonlyMap<ObjectKey, ConfigObject>;

/** Objects that cannot be used. Each is shown where there is no usable one of its name; of several, the first by file name and then by place. */
export class RefusedObjects {
  readonly #byFile = new Map<string, readonly ConfigObject[]>();
  #shown: Objects = new Map();

  /** Takes those of one file. What is shown changes with the next `changes`. */
  set(file: string, objects: readonly ConfigObject[]): void {
    if (objects.length === 0) this.#byFile.delete(file);
    else this.#byFile.set(file, objects);
  }

  /** The usable objects, and those that are shown beside them. */
  beside(usable: Objects): Objects {
    return this.#shown.size === 0 ? usable : new Map([...usable, ...this.#shown]);
  }

  /** Of what changed in the usable objects: what changes in all that are shown. Work follows the number of refused ones, which are few. */
  changes(usable: Objects, delta: Delta<ObjectKey, ConfigObject>): Delta<ObjectKey, ConfigObject> {
    const before = this.#shown;
    if (before.size === 0 && this.#byFile.size === 0) return delta;
    const now = this.#beyond(usable);
    this.#shown = now;
    const upserted = [...delta.upserted];
    for (const [key, object] of now) if (!isDeepStrictEqual(before.get(key), object)) upserted.push(object);
    const removed = delta.removed.filter((key) => !now.has(key));
    for (const key of before.keys()) if (!now.has(key) && !usable.has(key)) removed.push(key);
    return { upserted, removed };
  }

  #beyond(usable: Objects): Objects {
    const found = new Map<ObjectKey, ConfigObject>();
    const files = [...this.#byFile].sort(([a], [b]) => byCodeUnit(a, b));
    for (const [, objects] of files) {
      for (const object of objects) {
        const key = objectKey(object);
        if (!usable.has(key) && !found.has(key)) found.set(key, object);
      }
    }
    return found;
  }
}
