import type { Resource } from "../resource.ts";

/** What became different. */
export interface PastChanges {
  readonly names: ReadonlySet<string>;
  /** Content of what is gone. */
  readonly gone: ReadonlyMap<string, Resource>;
}

interface Change {
  readonly epoch: number;
  readonly names: Set<string>;
  /** Nearly always nothing. */
  gone: Map<string, Resource> | undefined;
}

/** So many changes are kept: some seconds of them where they never pause. */
const maxChanges = 512;

/** The names that changed lately, by epoch: for who did not hear of a while of it. Old changes are forgotten. */
export class ChangeHistory {
  /** Oldest first. */
  #changes: Change[] = [];
  #names = 0;
  /** The last epoch that is forgotten. */
  #forgotten = 0;

  /** Notes what changed with an epoch, which never falls. `gone` is its content where it no longer exists. At most so many names are kept of older changes. */
  note(epoch: number, name: string, gone: Resource | undefined, most: number): void {
    let last = this.#changes.at(-1);
    if (last?.epoch !== epoch) this.#changes.push((last = { epoch, names: new Set(), gone: undefined }));
    if (!last.names.has(name)) this.#names++;
    last.names.add(name);
    if (gone === undefined) last.gone?.delete(name);
    else (last.gone ??= new Map<string, Resource>()).set(name, gone);
    while ((this.#names > most || this.#changes.length > maxChanges) && this.#changes.length > 1) this.#forgetOldest();
  }

  #forgetOldest(): void {
    const oldest = this.#changes.shift();
    if (oldest === undefined) return;
    this.#forgotten = oldest.epoch;
    this.#names -= oldest.names.size;
  }

  /** Everything up to this epoch is no longer known. */
  forget(epoch: number): void {
    // Called for each of ten thousand names that are taken over at once.
    if (epoch === this.#forgotten) return;
    this.#changes = [];
    this.#names = 0;
    this.#forgotten = epoch;
  }

  /** What changed after an epoch; `undefined` where that is not known any more. */
  since(epoch: number): PastChanges | undefined {
    if (epoch < this.#forgotten) return undefined;
    const names = new Set<string>();
    const gone = new Map<string, Resource>();
    for (const change of this.#changes) {
      if (change.epoch <= epoch) continue;
      for (const name of change.names) {
        names.add(name);
        gone.delete(name);
      }
      for (const [name, resource] of change.gone ?? []) gone.set(name, resource);
    }
    return { names, gone };
  }
}
