/** Something that came or went: its id, and what it can be replaced by, which is one of the same kind. */
export interface Mover {
  readonly id: string;
  readonly kind: string;
}

/** A churn as plain JSON: the kind, and ids with the time when they went or came, oldest first. */
export interface SavedChurn {
  readonly kind: string;
  readonly gone: readonly (readonly [id: string, at: number])[];
  readonly came: readonly (readonly [id: string, at: number])[];
}

interface Kind {
  /** What left and was not replaced, oldest first. */
  readonly gone: Map<string, number>;
  /** What came and replaced nothing so far, oldest first. */
  readonly came: Map<string, number>;
}

/**
 * What came and went in a set not long ago, such that one that came makes up for one that went. A rolling restart nets to zero in
 * either order: what comes first makes up for what goes later, and the reverse. What came not long ago and goes again is a loss that only
 * a later arrival makes up for; else a set that grew just now would count for nothing.
 */
export class Churn {
  readonly #kinds = new Map<string, Kind>();

  /** Brings back what `save` gave. */
  static restore(saved: readonly SavedChurn[]): Churn {
    const churn = new Churn();
    for (const { kind, gone, came } of saved) churn.#kinds.set(kind, { gone: new Map(gone), came: new Map(came) });
    return churn;
  }

  /** What has to be kept of it, as plain JSON. */
  save(): readonly SavedChurn[] {
    return [...this.#kinds].map(([kind, { gone, came }]) => ({ kind, gone: [...gone], came: [...came] }));
  }

  /** Forgets what happened at `time` or before. */
  forget(time: number): void {
    for (const [kind, { gone, came }] of this.#kinds) {
      forget(gone, time);
      forget(came, time);
      if (gone.size === 0 && came.size === 0) this.#kinds.delete(kind);
    }
  }

  /**
   * Notes one change of the set: what it lost, in the order in which arrivals make up for losses, and what it got. Gives back which of
   * the losses nothing makes up for, and which of the arrivals made up for no loss of the same change.
   */
  change(
    lost: readonly Mover[],
    got: readonly Mover[],
    now: number,
  ): { missing: readonly Mover[]; spare: readonly Mover[] } {
    const arrivals = new Map<string, Mover[]>();
    for (const mover of got) {
      if (this.#kinds.get(mover.kind)?.gone.delete(mover.id) === true) continue;
      const ofKind = arrivals.get(mover.kind);
      if (ofKind === undefined) arrivals.set(mover.kind, [mover]);
      else ofKind.push(mover);
    }
    // All first: one that goes as well makes up for nothing.
    const young = new Set(lost.filter(({ id, kind }) => this.#kinds.get(kind)?.came.delete(id) === true));
    const missing: Mover[] = [];
    for (const mover of lost) {
      const { came, gone } = this.#kindOf(mover.kind);
      if (arrivals.get(mover.kind)?.pop() !== undefined) continue;
      if (!young.has(mover) && dropFirst(came)) continue;
      gone.set(mover.id, now);
      missing.push(mover);
    }
    const spare = [...arrivals.values()].flat();
    return { missing, spare };
  }

  /** Notes that it came. It makes up for the oldest loss, if there is one, else for one to come. */
  came({ id, kind }: Mover, now: number): void {
    const { gone, came } = this.#kindOf(kind);
    if (!dropFirst(gone)) came.set(id, now);
  }

  /** Has a loss count no more, or an arrival that is not there any more. */
  excuse({ id, kind }: Mover): void {
    this.#kinds.get(kind)?.gone.delete(id);
    this.#kinds.get(kind)?.came.delete(id);
  }

  /** How many of each kind left later than `time` and were not replaced. */
  goneSince(time: number): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    for (const [kind, { gone }] of this.#kinds) {
      let count = gone.size;
      for (const at of gone.values()) {
        if (at > time) break;
        count--;
      }
      if (count > 0) counts.set(kind, count);
    }
    return counts;
  }

  /** What left of one kind and was not replaced, oldest first. */
  goneIds(kind: string): readonly string[] {
    return [...(this.#kinds.get(kind)?.gone.keys() ?? [])];
  }

  #kindOf(name: string): Kind {
    let kind = this.#kinds.get(name);
    if (kind === undefined) {
      kind = { gone: new Map(), came: new Map() };
      this.#kinds.set(name, kind);
    }
    return kind;
  }
}

function forget(times: Map<string, number>, until: number): void {
  for (const [id, at] of times) {
    if (at > until) return;
    times.delete(id);
  }
}

function dropFirst(times: Map<string, number>): boolean {
  for (const id of times.keys()) return times.delete(id);
  return false;
}
